#include "autograd/optim/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <unordered_set>

#include "autograd/optim/rule.h"
#include "autograd/recorder.h"
#include "autograd/tape.h"
#include "ops/error.h"
#include "ops/memory.h"

namespace cotan::optim {

void require_range(std::string_view option, double value, double limit, bool open) {
  if (value >= 0 && std::isfinite(value) && (open ? value < limit : value <= limit)) return;
  fail(fmt::format("{} {}", option, value), std::isinf(limit) ? fmt::format("{} is a finite number, at least 0", option)
                                                              : fmt::format("{} is at least 0 and {} {}", option, open ? "below" : "at most", limit));
}

void require_not_negative(std::string_view option, double value) { require_range(option, value, std::numeric_limits<double>::infinity()); }

namespace {

struct Member {
  Variable variable;
  std::uint64_t steps = 0;
  Rule::Cells cells;
};

struct Group {
  std::vector<Member> members;
  std::map<DType, Rule> rules;  // made at the first step, and again after the options changed
};

}  // namespace

struct Optimizer::Groups : std::vector<Group> {
  explicit Groups(const Optimizer& optimizer) : owner(&optimizer) {}

  const Rule& rule(std::size_t group, DType dtype) {
    auto [at, fresh] = (*this)[group].rules.try_emplace(dtype, dtype);
    if (fresh) require_owner().define_group(group, at->second);
    return at->second;
  }
  Member& member(std::size_t group, std::size_t index) { return (*this)[group].members[index]; }
  // The number at a position of a parameter's rule, for its next update.
  double number(std::size_t group, std::size_t index, std::size_t position) {
    const Member& m = member(group, index);
    const Rule& r = rule(group, m.variable.dtype());
    return r.number_at(position, {static_cast<double>(m.steps + 1), !r.is_complete(m.cells)});
  }
  [[nodiscard]] std::size_t member_count() const {
    std::size_t count = 0;
    for (const Group& g : *this) count += g.members.size();
    return count;
  }
  const Optimizer& require_owner() const {
    if (owner == nullptr) fail("the optimizer that a compiled function steps is gone", "Keep it as long as the function");
    return *owner;
  }

  const Optimizer* owner;
};

Optimizer::Optimizer() : groups_(std::make_shared<Groups>(*this)) {}
Optimizer::~Optimizer() { groups_->owner = nullptr; }

std::size_t Optimizer::group_count() const { return groups_->size(); }

void Optimizer::add_group(std::vector<Variable> parameters) {
  if (parameters.empty()) fail("no parameters", "Name the variables to be updated");
  std::unordered_set<const Cell*> earlier, seen;
  for (const Group& g : *groups_)
    for (const Member& m : g.members) earlier.insert(m.variable.cell().get());
  Group group;
  for (Variable& p : parameters) {
    if (!p.cell()) fail("an undefined variable among the parameters", "Give it a name and a value first; a default-constructed Variable is no variable");
    if (p.dtype() != DType::f32 && p.dtype() != DType::f64)
      fail(fmt::format("parameter '{}' of type {}", p.name(), name_of(p.dtype())), "Optimizers update variables of f32 and f64: cast the value before");
    if (earlier.contains(p.cell().get())) fail(fmt::format("parameter '{}' is in a group already", p.name()), "Name each parameter in one group");
    if (seen.insert(p.cell().get()).second) group.members.push_back({std::move(p), 0, {}});
  }
  groups_->push_back(std::move(group));
}

void Optimizer::require_group(std::size_t group) const {
  if (group >= groups_->size()) fail(fmt::format("group {} of {}", group, groups_->size()), "Groups count from 0");
}

void Optimizer::forget_rules(std::size_t group) { (*groups_)[group].rules.clear(); }

namespace {

// A parameter that a step updates.
struct Update {
  std::size_t group, index;
  Tape::Gradient* gradient;
  Rule::Cells cells;
  bool fresh;  // some of the cells are new
};

// Whether a parameter's state still is what a recording found or made for it.
bool same_cells(const Rule::Cells& recorded, const Rule::Cells& now, bool fresh) {
  if (now.empty()) return fresh || recorded.empty();
  return std::ranges::equal(recorded, now, [](const auto& a, const auto& b) { return a.first == b.first && a.second.cell() == b.second.cell(); });
}

}  // namespace

EvaluationReport Optimizer::step(const StepOptions& options, std::source_location where) {
  const CallSite site("step", where);
  try {
    Tape& tape = *Tape::current();
    Groups& groups = *groups_;
    std::vector<Update> updates;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      for (std::size_t i = 0; i < groups[g].members.size(); ++i) {
        const Member& m = groups.member(g, i);
        Tape::Gradient* gradient = tape.gradient_of(*m.variable.cell());
        if (gradient == nullptr) continue;
        Rule::Cells cells = groups.rule(g, m.variable.dtype()).missing(m.variable, m.cells);
        const bool fresh = !cells.empty();
        cells.insert(cells.end(), m.cells.begin(), m.cells.end());
        updates.push_back({g, i, gradient, std::move(cells), fresh});
      }
    }
    if (updates.empty()) fail("no parameter has a gradient", "Call backward() on a loss that depends on them first");
    EvaluationRequest request{{}, options.retain ? History::keep_all : History::drop, true};
    std::map<const Rule*, std::vector<Ref>> shared;
    for (const Update& u : updates) {
      const Variable& variable = groups.member(u.group, u.index).variable;
      const Rule& rule = groups.rule(u.group, variable.dtype());
      const Rule::Reads read = [all = groups_, g = u.group, i = u.index](std::size_t position) { return all->number(g, i, position); };
      auto [numbers, first] = shared.try_emplace(&rule);
      if (first) numbers->second = rule.shared_numbers(read);
      rule.record(variable, u.gradient->tensor.state()->ref, u.cells, numbers->second, read, where);
      if (options.keep_gradients)
        request.wanted.push_back(u.gradient->tensor.state());
      else
        *u.gradient = {Tensor(), where};
    }
    // Only after the run: an evaluation that throws leaves everything as it was.
    const auto done = [all = groups_](const Update& u) {
      Member& m = all->member(u.group, u.index);
      ++m.steps;
      if (u.fresh) m.cells = u.cells;
    };
    if (tape.recorder == nullptr) {
      run_evaluation(tape, request, where);
      for (const Update& u : updates) done(u);
      return tape.report;
    }
    // The function that is being recorded runs the updates itself, at each of its calls.
    Recorder& recorder = *tape.recorder;
    recorder.watch("parameters of an optimizer", [all = groups_] { return static_cast<std::int64_t>(all->member_count()); });
    for (const auto& [rule, numbers] : shared) {
      const auto of =
          std::ranges::find_if(updates, [&](const Update& u) { return &groups.rule(u.group, groups.member(u.group, u.index).variable.dtype()) == rule; });
      recorder.watch("formulas of an optimizer are as recorded", [all = groups_, g = of->group, i = of->index, recorded = *rule] {
        return all->rule(g, all->member(g, i).variable.dtype()).same_formulas(recorded) ? 1 : 0;
      });
    }
    for (const Update& u : updates) {
      recorder.watch("state of an optimizer is as recorded", [all = groups_, u] {
        const Member& m = all->member(u.group, u.index);
        return same_cells(u.cells, m.cells, u.fresh) ? 1 : 0;
      });
      const Variable& variable = groups.member(u.group, u.index).variable;
      recorder.step({variable.cell(), !u.fresh && !groups.rule(u.group, variable.dtype()).counts_steps()});
      recorder.afterwards([done, u] { done(u); });
    }
    return {};
  } catch (const std::bad_alloc&) {
    Tape::current()->discard_assignments();  // those of some parameters, where all are to be updated or none
    no_memory("a step was recorded");
  }
}

void Optimizer::zero_grad() {
  for (const Group& g : *groups_)
    for (const Member& m : g.members) m.variable.zero_grad();
}

std::vector<Variable> Optimizer::parameters() const {
  std::vector<Variable> all;
  for (const Group& g : *groups_)
    for (const Member& m : g.members) all.push_back(m.variable);
  return all;
}

void Optimizer::set_lr(double lr, std::source_location where) {
  for (std::size_t g = 0; g < groups_->size(); ++g) set_lr(lr, g, where);
}

std::map<std::string, Tensor> Optimizer::state(std::source_location where) const {
  const CallSite site("state", where);
  std::map<std::string, Tensor> state;
  auto number = [&](double value) { return Tensor::from(std::vector<double>{value}, {}, where); };
  std::vector<Tensor> values;
  std::size_t index = 0;
  for (std::size_t g = 0; g < groups_->size(); ++g) {
    state.emplace(fmt::format("param_groups.{}.lr", g), number(lr(g)));
    for (const Member& m : (*groups_)[g].members) {
      const std::size_t i = index++;
      if (m.steps == 0) continue;
      state.emplace(fmt::format("state.{}.step", i), number(static_cast<double>(m.steps)));
      for (const auto& [slot, cell] : m.cells) {
        values.push_back(cell.value(where));
        state.emplace(fmt::format("state.{}.{}", i, slot), values.back());
      }
    }
  }
  if (!values.empty()) evaluate(values, where);
  return state;
}

namespace {

// A state that is being loaded; what has been taken out is known.
class Loading {
 public:
  explicit Loading(const std::map<std::string, Tensor>& state) : state_(state) {}

  [[nodiscard]] bool has(const std::string& key) const { return state_.contains(key); }

  const Tensor& take(const std::string& key, DType dtype, const Shape& shape) {
    const auto found = state_.find(key);
    if (found == state_.end()) fail(fmt::format("the state lacks '{}'", key), remedy);
    const Tensor& t = found->second;
    if (!t.defined()) fail(fmt::format("'{}' is an undefined tensor", key), remedy);
    if (t.dtype() != dtype || t.shape() != shape)
      fail(fmt::format("'{}' is {} {}, not {} {}", key, name_of(t.dtype()), t.shape().text(), name_of(dtype), shape.text()), remedy);
    taken_.insert(key);
    return t;
  }
  double take_number(const std::string& key) { return take(key, DType::f64, {}).item<double>(); }

  void require_all_taken() const {
    for (const auto& [key, tensor] : state_)
      if (!taken_.contains(key)) fail(fmt::format("'{}' is no state of this optimizer", key), remedy);
  }

 private:
  static constexpr const char* remedy = "Load what state() gave of an optimizer of the same kind, options and parameters";
  const std::map<std::string, Tensor>& state_;
  std::unordered_set<std::string> taken_;
};

}  // namespace

void Optimizer::load_state(const std::map<std::string, Tensor>& state, std::source_location where) {
  const CallSite site("load_state", where);
  Loading loading(state);
  std::vector<double> rates;
  std::vector<Member> members;
  for (std::size_t g = 0; g < groups_->size(); ++g) {
    rates.push_back(loading.take_number(fmt::format("param_groups.{}.lr", g)));
    require_not_negative("lr", rates.back());
    for (const Member& m : (*groups_)[g].members) {
      const std::string prefix = fmt::format("state.{}.", members.size());
      Member& loaded = members.emplace_back(Member{m.variable, 0, {}});
      if (!loading.has(prefix + "step")) continue;
      const double steps = loading.take_number(prefix + "step");
      if (!(steps >= 1 && steps < 9007199254740992.0 && steps == std::floor(steps)))
        fail(fmt::format("'{}step' is {}", prefix, steps), "It counts the updates so far: a whole number, at least 1");
      loaded.steps = static_cast<std::uint64_t>(steps);
      for (const std::string& slot : groups_->rule(g, m.variable.dtype()).state_names()) {
        const Tensor& value = loading.take(prefix + slot, m.variable.dtype(), m.variable.shape());
        loaded.cells.emplace_back(slot, Variable(fmt::format("{}.{}", m.variable.name(), slot), value, where));
        loaded.cells.back().second.requires_grad_(false);
      }
    }
  }
  loading.require_all_taken();
  auto next = members.begin();
  for (std::size_t g = 0; g < groups_->size(); ++g) {
    set_lr(rates[g], g, where);
    for (Member& m : (*groups_)[g].members) m = std::move(*next++);
  }
}

}  // namespace cotan::optim
