#include "backends/loops/jit/plan.h"

#include <algorithm>

namespace cotan::loops::jit {
namespace {

using Kind = Place::Kind;

// From so many instructions on, latencies of one vector leave the units idle.
constexpr int long_program = 24;

bool is_angle(Op op) { return op == Op::angle_rest || op == Op::angle_low || op == Op::angle_quarters; }

class Planner {
 public:
  explicit Planner(const Program& program)
      : program_(program),
        wide_(program.instruction_set() == InstructionSet::avx512),
        registers_((wide_ ? 31 : 15) - (program.adds() ? 1 : 0)),
        all_{(1U << registers_) - 1, wide_ ? 0xFCU : 0U},
        homes_(static_cast<std::size_t>(program.size())) {}

  Plan make() {
    give_homes();
    choose_copies();
    hold_accumulators();
    const Budget rest = pin();
    for (int v : pinned_)
      if (program_[v].op == Op::constant) plan_.call.push_back(pin_step(v));
    const std::vector<Step> computed = section(Level::call, 1, rest, true).steps;
    plan_.call.insert(plan_.call.end(), computed.begin(), computed.end());
    for (int v : pinned_)
      if (program_[v].op != Op::constant && program_[v].level == Level::call) plan_.call.push_back(pin_step(v));
    plan_.row = section(Level::row, 1, rest, true).steps;
    for (int v : pinned_)
      if (program_[v].level == Level::row) plan_.row.push_back(pin_step(v));
    Allocation main = section(Level::column, plan_.copies, rest, true);
    plan_.spills = main.spills;
    plan_.main = std::move(main.steps);
    plan_.rest = section(Level::column, 1, rest, true).steps;
    return std::move(plan_);
  }

 private:
  Home& home(int v) { return homes_[static_cast<std::size_t>(v)]; }

  Allocation section(Level level, int copies, const Budget& budget, bool keep) {
    Allocation a = allocate(program_, {level, copies}, homes_, budget, homes_slots_, !wide_, keep);
    plan_.slots = std::max(plan_.slots, a.slots);
    return a;
  }

  // Constants live in the table; other values that a later part reads, in the frame.
  void give_homes() {
    uses_.assign(homes_.size(), 0);
    for (int v = 0; v < program_.size(); ++v) {
      const Instruction& x = program_[v];
      plan_.angles = plan_.angles || is_angle(x.op);
      if (x.op == Op::constant) {
        home(v).memory = {Kind::constant, static_cast<int>(plan_.constants.size())};
        plan_.constants.push_back(x.number);
      }
      for (int operand : x.in)
        if (operand >= 0 && program_[operand].level < x.level) give_slot(operand, x.level);
    }
    for (const Store& s : program_.stores())
      if (program_[s.value].level < Level::column) give_slot(s.value, Level::column);
    plan_.slots = homes_slots_;
  }

  void give_slot(int v, Level reader) {
    if (reader == Level::column) ++uses_[static_cast<std::size_t>(v)];
    if (home(v).memory.kind == Kind::none) home(v).memory = {Kind::slot, homes_slots_++};
  }

  // Two vectors side by side where the program is long and two fit into the registers.
  void choose_copies() {
    int instructions = 0;
    for (int v = 0; v < program_.size(); ++v) instructions += program_[v].level == Level::column ? 1 : 0;
    vectors_used_ = section(Level::column, 1, all_, false).vectors_used;
    if (instructions < long_program && !program_.adds()) return;
    const Allocation two = section(Level::column, 2, all_, false);
    if (two.spills > 0) return;
    plan_.copies = 2;
    vectors_used_ = two.vectors_used;
  }

  // Accumulators for 32 columns are held in registers, where the loop takes so many columns at a time and leaves the registers.
  void hold_accumulators() {
    plan_.accumulators.assign(program_.stores().size(), -1);
    if (!wide_ || plan_.copies != 2) return;
    for (std::size_t s = 0; s < plan_.accumulators.size(); ++s) {
      if (program_.stores()[s].way != Way::add_many || registers_ - 4 < std::max(vectors_used_, 4)) continue;
      registers_ -= 4;
      plan_.accumulators[s] = registers_;
    }
    all_.vectors = (1U << registers_) - 1;
  }

  // Registers that the loop over columns leaves go to the values from before it that are read most. What is left of the registers then.
  Budget pin() {
    Budget rest = all_;
    std::vector<int> candidates;
    for (int v = 0; v < program_.size(); ++v)
      if (uses_[static_cast<std::size_t>(v)] > 0 && (!wide_ || !program_.is_mask(v))) candidates.push_back(v);
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&](int a, int b) { return uses_[static_cast<std::size_t>(a)] > uses_[static_cast<std::size_t>(b)]; });
    // Parts before the loop need a few themselves.
    for (int number = registers_ - 1; number >= std::max(vectors_used_, 4) && pinned_.size() < candidates.size(); --number) {
      const int v = candidates[pinned_.size()];
      home(v).pinned = {Kind::vector, number};
      rest.vectors &= ~(1U << number);
      pinned_.push_back(v);
    }
    return rest;
  }

  Step pin_step(int v) {
    Step x;
    x.kind = Step::Kind::reload;
    x.in[0] = home(v).memory;
    x.out = home(v).pinned;
    return x;
  }

  const Program& program_;
  bool wide_;
  int registers_;  // the vector registers that are given away: those before this one
  Budget all_;
  std::vector<Home> homes_;
  std::vector<int> uses_;    // by the loop over columns, of values from before it
  std::vector<int> pinned_;  // values, most used first
  int homes_slots_ = 0, vectors_used_ = 0;
  Plan plan_;
};

}  // namespace

Plan make_plan(const Program& program) { return Planner(program).make(); }

}  // namespace cotan::loops::jit
