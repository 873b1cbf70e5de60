#include "autograd/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "autograd/cache.h"
#include "autograd/cells.h"
#include "autograd/dependence.h"
#include "autograd/execution.h"
#include "autograd/profile/observer.h"
#include "autograd/recorder.h"
#include "autograd/tape.h"
#include "graph/structure_key.h"
#include "ops/error.h"
#include "ops/hash.h"
#include "ops/memory.h"

namespace cotan {
namespace {

const LeafSpec* leaf_of(const Node& n) { return n.kind == Kind::leaf ? &n.as<LeafSpec>() : nullptr; }

// One evaluation, from what is asked for to what the tape holds afterwards.
class Evaluation {
 public:
  Evaluation(Tape& tape, const EvaluationRequest& request, const SourceLine& where) : tape_(tape), request_(request), where_(where) {}

  void run() {
    tape_.report = {};
    tape_.details = nullptr;
    find_states();
    if (roots_.empty()) return;
    const std::vector<Ref> recorded = std::exchange(roots_, with_assigned_values(tape_, roots_));
    structure_ = structure_of(roots_, [&](const Node& n) { return has_value(n); });
    take_cells();
    const std::vector<InputValue> inputs = bind_inputs();
    cells_.release();
    CompileOptions options = compile_options(tape_.options);
    options.updates = updates_;
    program_ = program_for(structure_, roots_, options, {where_, 0, {}, {}}, tape_.report.cache_hit);
    RunObserver* const observer =
        tape_.options.observer == nullptr ? nullptr : tape_.options.observer->begins({*program_, structure_, roots_, inputs, options});
    std::vector<StorageRef> results = run_program(*program_, inputs, line_at(), CallSite::current_line(), observer);
    write_report(results);
    commit(results, recorded);
  }

 private:
  // ---- what is computed

  [[nodiscard]] bool has_value(const Node& n) const { return n.kind != Kind::leaf && n.result_count() == 1 && tape_.value_of(&n) != nullptr; }

  void find_states() {
    for (const auto& state : request_.wanted) add_state(state);
    requested_ = states_.size();
    if (tape_.pending.empty()) return;
    find_held_states();
    for (const Tape::Assignment& a : tape_.pending)
      if (!a.superseded) roots_.push_back(a.next);
  }

  void add_state(const std::shared_ptr<TensorState>& state) {
    if (state->storage() || !seen_.insert(state.get()).second) return;
    if (state->ref->result_count() == 1) {
      std::shared_ptr<Value> value = tape_.value_of(state->ref.node());
      if (value) {
        std::lock_guard lock(tape_.mutex);
        state->value = std::move(value);
        return;
      }
    }
    states_.push_back(state);
    roots_.push_back(state->ref);
  }

  // Tensors that the program holds and that read a cell about to be overwritten: those not computed yet are computed now, the others forget their history.
  void find_held_states() {
    // A computed leaf has nothing to lose, unless it reads a cell.
    auto with_history = tape_.held([](const TensorState& s) { return s.ref->kind != Kind::leaf || !s.storage() || version_of(*s.ref.node()) != nullptr; });
    std::vector<Ref> refs;
    for (const auto& state : with_history) refs.push_back(state->ref);
    // Also through values that are there: they go when their own tensors do.
    dependence_.emplace(tape_, topological(refs));
    for (auto& state : with_history) {
      if (!dependence_->reads_overwritten(state->ref.node())) continue;
      if (state->storage())
        outdated_.push_back(std::move(state));
      else
        add_state(state);
    }
  }

  // ---- what it reads

  // All cells that are read or written. Those written are this evaluation's to the end.
  void take_cells() {
    std::vector<Cell*> read, written;
    int result = static_cast<int>(states_.size());
    for (const Tape::Assignment& a : tape_.pending) {
      if (a.superseded) continue;
      written.push_back(a.cell.get());
      written_.emplace(a.cell.get(), result++);
    }
    for (const Edge& e : structure_.inputs)
      if (const CellVersion* version = version_of(*e.node)) read.push_back(version->cell.get());
    cells_.take(read, written);
  }

  std::vector<InputValue> bind_inputs() {
    std::vector<InputValue> inputs(structure_.inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Node* n = structure_.inputs[i].node;
      const LeafSpec* leaf = leaf_of(*n);
      if (leaf == nullptr) {
        inputs[i].storage = tape_.value_of(n)->storage;
        continue;
      }
      switch (leaf->role) {
        case LeafRole::data:
          inputs[i].storage = static_cast<const TensorData*>(leaf->payload.get())->storage;
          if (!inputs[i].storage)
            fail("the value of a tensor inside a function that is being recorded",
                 "Return the tensor and read its value outside, or leave it out of the function");
          break;
        case LeafRole::scalar: inputs[i].scalar = leaf->scalar; break;
        case LeafRole::random: inputs[i].random = {leaf->key, leaf->counter}; break;
        case LeafRole::variable: inputs[i].storage = read_cell(*static_cast<const CellVersion*>(leaf->payload.get()), static_cast<int>(i)); break;
        default: throw InternalError(fmt::format("a {} leaf in a recorded graph", name_of(leaf->role)));
      }
    }
    return inputs;
  }

  StorageRef read_cell(const CellVersion& version, int input) {
    const Cell& cell = *version.cell;
    if (version.version == CellVersion::never_came)
      fail(fmt::format("the value assigned to variable '{}' was discarded, since the evaluation that had to compute it failed", cell.name),
           "Record this again from the variable's present value");
    if (cell.version != version.version)
      fail(fmt::format("variable '{}' was overwritten at {} before this was computed", cell.name, cell.last_write.text()),
           "Evaluate before the step, in the thread that steps, or record it again");
    if (auto found = written_.find(&cell); found != written_.end()) updates_.push_back({found->second, input});
    return cell.storage;
  }

  // ---- afterwards

  void commit(std::vector<StorageRef>& results, const std::vector<Ref>& recorded) {
    if (!dependence_) dependence_.emplace(tape_, topological(recorded, [&](const Node& n) { return has_value(n); }));
    struct Done {
      TensorState* state;
      StorageRef storage;
    };
    std::vector<Done> forgetting;
    std::vector<const Node*> nodes;
    auto forget = [&](TensorState* state, const StorageRef& storage) {
      forgetting.push_back({state, storage});
      nodes.push_back(state->ref.node());
    };
    for (std::size_t i = 0; i < states_.size(); ++i) {
      TensorState& s = *states_[i];
      const Node* n = s.ref.node();
      const bool wanted = request_.history == History::keep_all || (request_.history == History::keep && !dependence_->reads_overwritten(n));
      if (wanted && !s.detached && dependence_->has_history(n))
        keep(s, results[i]);
      else
        forget(&s, results[i]);
    }
    if (request_.history != History::keep_all)
      for (const auto& state : outdated_) forget(state.get(), state->storage());
    const auto forgotten = dependence_->forgotten(nodes, where_);
    for (std::size_t i = 0; i < forgetting.size(); ++i) {
      TensorState& s = *forgetting[i].state;
      Ref leaf = data_leaf(forgetting[i].storage, s.dtype, s.shape, s.detached ? nullptr : forgotten[i]);
      std::lock_guard lock(tape_.mutex);
      if (s.value && s.value.use_count() == 1) tape_.values.erase(s.ref.node());
      s.value = nullptr;
      s.ref = std::move(leaf);
    }
    std::size_t result = states_.size();
    if (!written_.empty()) cells_.lock_again();
    for (const Tape::Assignment& a : tape_.pending) {
      if (a.superseded) continue;
      a.cell->storage = std::move(results[result++]);
      ++a.cell->version;
      a.cell->last_write = a.line;
    }
    if (!written_.empty()) cells_.release();
    tape_.assignments_done();
  }

  void keep(TensorState& s, const StorageRef& storage) {
    const Node* n = s.ref.node();
    std::shared_ptr<Value> value = n->result_count() == 1 ? tape_.value_of(n) : nullptr;  // two tensors may be one node
    if (!value) {
      identify();
      auto found = identities_.find(n);
      value = std::make_shared<Value>(Value{storage, found != identities_.end() ? found->second : n->key, computed_, where_});
    }
    std::lock_guard lock(tape_.mutex);
    if (n->result_count() == 1) tape_.values[n] = value;
    s.value = std::move(value);
  }

  [[nodiscard]] LineOf line_at() const {
    return [this](int node) { return line_of(*structure_.order[static_cast<std::size_t>(node)]); };
  }

  void write_report(const std::vector<StorageRef>& results) {
    EvaluationReport& r = tape_.report;
    r.ran = true;
    r.nodes = structure_.order.size();
    r.assignments = results.size() - states_.size();
    for (std::size_t i = requested_; i < states_.size(); ++i) r.held.push_back(states_[i]->line);
    find_computed_again();
    const ProgramReport& p = program_->report();
    r.phases = p.phases;
    r.temporary_bytes = p.temporary_bytes;
    for (const Update& u : updates_) {  // planned, and nobody else held the old value
      const auto at = static_cast<std::size_t>(u.result);
      const CellVersion* version = version_of(*structure_.inputs[static_cast<std::size_t>(u.parameter)].node);
      if (roots_[at].edge() != structure_.inputs[static_cast<std::size_t>(u.parameter)] && results[at] == version->cell->storage) ++r.in_place_updates;
    }
    if (request_.with_lines) describe(r, p, line_at());
  }

  // Finds what each node of the order computes, as a hash, and which of them this evaluation computes.
  void identify() {
    if (computed_) return;
    computed_ = std::make_shared<std::unordered_set<std::uint64_t>>();
    std::unordered_set<const Node*> constant;  // as good as free: computing it again is nothing to report
    for (const Node* n : structure_.order) {
      std::uint64_t h = mix(n->structure, n->kind == Kind::leaf ? n->as<LeafSpec>().identity : 0);
      if (has_value(*n)) {
        h = tape_.value_of(n)->identity;
      } else if (n->kind != Kind::leaf || n->as<LeafSpec>().identity == 0) {
        bool all = true;
        for (const Edge& e : n->operands()) {
          h = mix(h, identities_.at(e.node) + e.result);
          all &= constant.contains(e.node);
        }
        if (all)
          constant.insert(n);
        else
          computed_->insert(h);
      }
      identities_.emplace(n, h);
    }
  }

  // Lines whose nodes an earlier evaluation computed as well: only values that were asked for are kept.
  void find_computed_again() {
    std::vector<std::shared_ptr<const std::unordered_set<std::uint64_t>>> before;
    {
      std::lock_guard lock(tape_.mutex);
      for (const auto& [node, weak] : tape_.values) {
        const auto value = weak.lock();
        if (value && std::find(before.begin(), before.end(), value->computed_with) == before.end()) before.push_back(value->computed_with);
        if (before.size() >= 16) break;  // a hint for the report: not worth more work
      }
    }
    if (before.empty()) return;
    identify();
    std::vector<SourceLine>& again = tape_.report.computed_again;
    for (const Node* n : structure_.order) {
      if (n->operand_count == 0 || has_value(*n)) continue;
      const std::uint64_t identity = identities_.at(n);
      if (std::none_of(before.begin(), before.end(), [&](const auto& list) { return list->contains(identity); })) continue;
      const SourceLine line = line_of(*n);
      if (line.line > 0 && std::find(again.begin(), again.end(), line) == again.end()) again.push_back(line);
    }
  }

  Tape& tape_;
  const EvaluationRequest& request_;
  SourceLine where_;
  std::vector<std::shared_ptr<TensorState>> states_;    // those to be computed: the wanted ones, then those that the program holds
  std::vector<std::shared_ptr<TensorState>> outdated_;  // computed before, from what is overwritten now
  std::size_t requested_ = 0;
  std::unordered_set<const TensorState*> seen_;
  std::vector<Ref> roots_;  // of states_, then the assigned values
  std::optional<Dependence> dependence_;
  std::unordered_map<const Node*, std::uint64_t> identities_;
  std::shared_ptr<std::unordered_set<std::uint64_t>> computed_;
  Structure structure_;
  std::vector<Update> updates_;
  std::unordered_map<const Cell*, int> written_;  // with the result that is the new value
  CellsInUse cells_;
  std::shared_ptr<const Program> program_;
};

}  // namespace

void run_evaluation(Tape& tape, const EvaluationRequest& request, const SourceLine& where) {
  if (tape.recorder != nullptr)
    fail("a value is asked for inside a compiled function, which is being recorded", "Return the tensor, and read its value after the call");
  within_memory("a graph was computed", [&] {
    try {
      Evaluation(tape, request, where).run();
      tape.tidy();
    } catch (...) {
      tape.discard_assignments();  // else no later evaluation of this thread could succeed
      throw;
    }
  });
}

EvaluationReport evaluate_for(const char* function, const std::vector<Tensor>& tensors, const SourceLine& where) {
  const CallSite site(function, where);
  Tape& tape = *Tape::current();
  EvaluationRequest request{{}, History::keep, true};
  for (const Tensor& t : tensors) {
    static_cast<void>(use(t.state()));  // defined, and this thread's or computed
    request.wanted.push_back(t.state());
  }
  run_evaluation(tape, request, where);
  return tape.report;
}

EvaluationReport evaluate(const std::vector<Tensor>& tensors, std::source_location where) { return evaluate_for("evaluate", tensors, where); }

EvaluationReport evaluate(std::initializer_list<Tensor> tensors, std::source_location where) { return evaluate(std::vector<Tensor>(tensors), where); }

const EvaluationReport& last_report() {
  Tape& tape = *Tape::current();
  if (const auto details = std::exchange(tape.details, nullptr)) {
    tape.report.kernels = details->kernels;
    tape.report.misses = details->misses;
  }
  return tape.report;
}

ExecutionOptions set_execution_options(const ExecutionOptions& options) { return std::exchange(Tape::current()->options, options); }

}  // namespace cotan
