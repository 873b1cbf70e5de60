#include "backends/loops/jit/registers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "ops/error.h"

namespace cotan::loops::jit {
namespace {

using Kind = Place::Kind;

// An instruction or a store of one copy.
struct Item {
  bool store = false;
  int index = 0;
  int copy = 0;
};

bool is_load(Op op) { return op == Op::load || op == Op::load_mask; }

// The section's instructions, loads just before their first reader, stores as early as they may stand: those that write behind the last load, since an output
// may be the memory of an input.
std::vector<Item> ordered(const Program& program, const Section& section) {
  std::vector<int> order;
  std::vector<char> done(static_cast<std::size_t>(program.size()), 0);
  auto take = [&](int v) {
    if (v < 0 || done[static_cast<std::size_t>(v)] != 0 || program[v].level != section.level || program[v].op == Op::constant) return;
    done[static_cast<std::size_t>(v)] = 1;
    order.push_back(v);
  };
  for (int v = 0; v < program.size(); ++v) {
    if (is_load(program[v].op)) continue;
    for (int operand : program[v].in)
      if (operand >= 0 && is_load(program[operand].op) && program[v].level == section.level) take(operand);
    take(v);
  }
  for (int v = 0; v < program.size(); ++v) take(v);  // loads that are only stored, or read on other levels

  std::size_t last_load = 0;
  for (std::size_t k = 0; k < order.size(); ++k)
    if (is_load(program[order[k]].op)) last_load = k;
  std::vector<Item> items;
  std::vector<char> stored(program.stores().size(), 0), known(done.size(), 0);
  auto store_known = [&](bool loaded, bool all) {
    for (std::size_t s = 0; s < stored.size() && section.level == Level::column; ++s) {
      if (!loaded && program.stores()[s].way == Way::write) continue;
      if (stored[s] != 0 || (!all && known[static_cast<std::size_t>(program.stores()[s].value)] == 0)) continue;
      stored[s] = 1;
      for (int u = 0; u < section.copies; ++u) items.push_back({true, static_cast<int>(s), u});
    }
  };
  for (std::size_t k = 0; k < order.size(); ++k) {
    for (int u = 0; u < section.copies; ++u) items.push_back({false, order[k], u});
    known[static_cast<std::size_t>(order[k])] = 1;
    store_known(k >= last_load, false);
  }
  store_known(true, true);
  return items;
}

class Allocator {
 public:
  Allocator(const Program& program, const Section& section, const std::vector<Home>& homes, const Budget& budget, int first_slot, bool masks_are_vectors,
            bool keep)
      : program_(program),
        section_(section),
        homes_(homes),
        free_{budget.vectors, budget.masks},
        masks_are_vectors_(masks_are_vectors),
        keep_(keep),
        items_(ordered(program, section)),
        states_(static_cast<std::size_t>(program.size() * section.copies)) {
    made_.slots = first_slot;
    vectors_ = std::popcount(budget.vectors);
    for (int at = 0; at < static_cast<int>(items_.size()); ++at)
      for (int operand : operands(items_[static_cast<std::size_t>(at)]))
        if (operand >= 0) state(operand, items_[static_cast<std::size_t>(at)].copy).uses.push_back(at);
  }

  Allocation run() {
    for (at_ = 0; at_ < static_cast<int>(items_.size()); ++at_) {
      const Item item = items_[static_cast<std::size_t>(at_)];
      if (item.store) {
        store(item);
      } else {
        compute(item);
      }
    }
    return std::move(made_);
  }

 private:
  struct State {
    Place in;       // a register
    int slot = -1;  // where it was spilled to
    std::vector<int> uses;
    std::size_t used = 0;
    int value = -1, copy = 0;
  };

  [[nodiscard]] std::array<int, 3> operands(const Item& item) const {
    if (item.store) return {program_.stores()[static_cast<std::size_t>(item.index)].value, -1, -1};
    const Instruction& x = program_[item.index];
    return {x.in[0], x.in[1], x.in[2]};
  }

  // Values computed before the section have one state for all copies.
  [[nodiscard]] bool inherited(int v) const { return program_[v].level < section_.level || program_[v].op == Op::constant; }
  State& state(int v, int copy) {
    const int of_copy = inherited(v) ? 0 : copy;
    State& s = states_[static_cast<std::size_t>(v * section_.copies + of_copy)];
    s.value = v;
    s.copy = of_copy;
    return s;
  }
  [[nodiscard]] const Home& home(const State& s) const { return homes_[static_cast<std::size_t>(s.value)]; }
  [[nodiscard]] Kind kind(int v) const { return program_.is_mask(v) && !masks_are_vectors_ ? Kind::mask : Kind::vector; }

  [[nodiscard]] Place memory(const State& s) const {
    if (inherited(s.value)) return home(s).memory;
    return s.slot >= 0 ? Place{Kind::slot, s.slot} : Place{};
  }
  [[nodiscard]] Place registered(const State& s) const {
    if (inherited(s.value) && home(s).pinned.kind != Kind::none) return home(s).pinned;
    return s.in;
  }
  std::uint32_t& free_of(Kind kind) { return kind == Kind::mask ? free_.masks : free_.vectors; }

  Place take(State& s) {
    const Kind k = kind(s.value);
    std::uint32_t& free = free_of(k);
    if (free == 0) evict(k);
    const int number = std::countr_zero(free);
    free &= free - 1;
    s.in = {k, number};
    resident_.push_back(&s);
    made_.vectors_used = std::max(made_.vectors_used, vectors_ - std::popcount(free_.vectors));
    return s.in;
  }

  void release(State& s) {
    if (s.in.kind == Kind::none) return;
    free_of(s.in.kind) |= 1U << s.in.number;
    s.in = {};
    std::erase(resident_, &s);
  }

  void evict(Kind k) {
    State* farthest = nullptr;
    std::pair<bool, int> best{false, -1};
    for (State* s : resident_) {
      if (s->in.kind != k || std::find(pinned_.begin(), pinned_.end(), s) != pinned_.end()) continue;
      // What has a home need not be written: it goes before anything else.
      const std::pair<bool, int> rank{memory(*s).kind != Kind::none, s->used < s->uses.size() ? s->uses[s->used] : std::numeric_limits<int>::max()};
      if (rank > best) {
        farthest = s;
        best = rank;
      }
    }
    if (farthest == nullptr) throw InternalError("generated code: more operands than registers");
    if (memory(*farthest).kind == Kind::none) {
      farthest->slot = take_slot();
      spill(*farthest, {Kind::slot, farthest->slot});
      ++made_.spills;
    }
    release(*farthest);
  }

  int take_slot() {
    if (free_slots_.empty()) return made_.slots++;
    const int slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }

  void spill(const State& s, Place to) {
    Step x;
    x.kind = Step::Kind::spill;
    x.out = to;
    x.in[0] = s.in;
    made_.steps.push_back(x);
  }

  Place in_register(State& s) {
    pinned_.push_back(&s);
    if (const Place p = registered(s); p.kind != Kind::none) return p;
    const Place from = memory(s);
    if (from.kind == Kind::none) throw InternalError("generated code: a value that is nowhere");
    Step x;
    x.kind = Step::Kind::reload;
    x.in[0] = from;
    x.out = take(s);
    made_.steps.push_back(x);
    return x.out;
  }

  // After a reading: values that are not needed again leave.
  void used(State& s) {
    ++s.used;
    const bool over = s.used >= s.uses.size();
    if (over || (inherited(s.value) && !keep_)) release(s);
    if (over && s.slot >= 0) {
      over_slots_.push_back(s.slot);
      s.slot = -1;
    }
  }

  [[nodiscard]] bool only_in_memory(State& s) const {
    return kind(s.value) == Kind::vector && registered(s).kind == Kind::none && memory(s).kind != Kind::none;
  }

  void compute(const Item& item) {
    const Instruction& x = program_[item.index];
    const OpInfo& of = info(x.op);
    Step step;
    step.op = x.op;
    step.number = x.number;
    step.copy = item.copy;
    State* in[3] = {};
    for (int k = 0; k < of.operands; ++k) in[k] = &state(x.in[k], item.copy);
    // Which operand the instruction reads from memory.
    int from_memory = of.memory;
    if (of.commutes && only_in_memory(*in[0]) && !only_in_memory(*in[1])) std::swap(in[0], in[1]);
    if (x.op == Op::multiply_add && !only_in_memory(*in[2])) {
      if (only_in_memory(*in[0])) std::swap(in[0], in[1]);
      from_memory = 1;
    }
    for (int k = 0; k < of.operands; ++k) {
      // An operand that is read twice by one instruction is worth a register.
      const bool memory_will_do = k == from_memory && only_in_memory(*in[k]) && std::count(in, in + of.operands, in[k]) == 1;
      if (!memory_will_do) step.in[k] = in_register(*in[k]);
    }
    for (int k = 0; k < of.operands; ++k)
      if (step.in[k].kind == Kind::none) step.in[k] = memory(*in[k]);
    for (int k = 0; k < of.operands; ++k) used(*in[k]);
    pinned_.clear();
    for (int k = 0; k < of.operands; ++k)
      if (in[k]->in.kind != Kind::none) pinned_.push_back(in[k]);  // read by the step itself: may not be given away for its result
    State& out = state(item.index, item.copy);
    step.out = take(out);
    made_.steps.push_back(step);
    const Home& h = homes_[static_cast<std::size_t>(item.index)];
    if (section_.level != Level::column && h.memory.kind == Kind::slot) spill(out, h.memory);
    pinned_.clear();
    free_over_slots();
    if (out.uses.empty()) release(out);
  }

  void store(const Item& item) {
    State& s = state(program_.stores()[static_cast<std::size_t>(item.index)].value, item.copy);
    Step step;
    step.kind = Step::Kind::store;
    step.number = static_cast<std::uint32_t>(item.index);
    step.copy = item.copy;
    step.in[0] = in_register(s);
    made_.steps.push_back(step);
    used(s);
    pinned_.clear();
    free_over_slots();
  }

  // Slots of values that the step at hand reads last: it may read them from there, so what is spilled for its result must not go there.
  void free_over_slots() {
    free_slots_.insert(free_slots_.end(), over_slots_.begin(), over_slots_.end());
    over_slots_.clear();
  }

  const Program& program_;
  Section section_;
  const std::vector<Home>& homes_;
  Budget free_;
  bool masks_are_vectors_, keep_;
  std::vector<Item> items_;
  std::vector<State> states_;
  std::vector<State*> resident_;      // those in registers that are not pinned for good
  std::vector<const State*> pinned_;  // operands of the step at hand
  std::vector<int> free_slots_, over_slots_;
  int at_ = 0, vectors_ = 0;
  Allocation made_;
};

}  // namespace

Allocation allocate(const Program& program, const Section& section, const std::vector<Home>& homes, const Budget& budget, int first_slot,
                    bool masks_are_vectors, bool keep) {
  return Allocator(program, section, homes, budget, first_slot, masks_are_vectors, keep).run();
}

}  // namespace cotan::loops::jit
