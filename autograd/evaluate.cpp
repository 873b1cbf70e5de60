#include "autograd/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "autograd/cache.h"
#include "autograd/tape.h"
#include "graph/structure_key.h"
#include "graph/threads.h"
#include "ops/error.h"

namespace cotan {
namespace {

const LeafSpec* leaf_of(const Node& n) { return n.kind == Kind::leaf ? &n.as<LeafSpec>() : nullptr; }

const CellVersion* version_of(const Node& n) {
  const LeafSpec* leaf = leaf_of(n);
  return leaf != nullptr && leaf->role == LeafRole::variable ? static_cast<const CellVersion*>(leaf->payload.get()) : nullptr;
}

// One evaluation, from what is asked for to what the tape holds afterwards.
class Evaluation {
 public:
  Evaluation(Tape& tape, const EvaluationRequest& request, const SourceLine& where) : tape_(tape), request_(request), where_(where) {}

  void run() {
    tape_.report = {};
    find_roots();
    if (roots_.empty()) return;
    structure_ = structure_of(roots_, [&](const Node& n) { return n.result_count() == 1 && tape_.value_of(&n) != nullptr; });
    lock_cells();
    const std::vector<InputValue> inputs = bind_inputs();
    unlock_cells_only_read();
    CompileOptions options;
    options.mode = tape_.options.mode;
    options.backends.strict_nan = tape_.options.strict_nan;
    options.threads = threads();
    options.updates = updates_;
    program_ = program_for(structure_, roots_, options, tape_.report.cache_hit);
    std::vector<StorageRef> results = compute(inputs);
    mark_dependencies();
    write_report();
    commit(results);
  }

 private:
  // ---- what is computed

  void find_roots() {
    auto add = [&](TensorState* state) {
      if (state->storage() || !seen_.insert(state).second) return;
      if (state->ref->result_count() == 1 && (state->value = tape_.value_of(state->ref.node()))) return;
      states_.push_back(state);
      roots_.push_back(state->ref);
    };
    for (const auto& state : request_.wanted) add(state.get());
    requested_ = states_.size();
    if (tape_.pending.empty()) return;
    std::lock_guard lock(tape_.mutex);
    for (TensorState* state : held_states()) add(state);
    for (const Tape::Assignment& a : tape_.pending) roots_.push_back(a.next);
  }

  // Tensors that the program holds, not computed yet, that read a cell about to be overwritten.
  std::vector<TensorState*> held_states() {
    std::unordered_set<const Cell*> overwritten;
    for (const Tape::Assignment& a : tape_.pending) overwritten.insert(a.cell.get());
    std::vector<TensorState*> open;
    std::vector<Ref> roots;
    for (TensorState* s = tape_.first; s != nullptr; s = s->next) {
      if (s->storage()) continue;
      open.push_back(s);
      roots.push_back(s->ref);
    }
    std::unordered_set<const Node*> reads;
    for (const Node* n : topological(roots, [&](const Node& node) { return node.kind != Kind::leaf && tape_.value_of(&node) != nullptr; })) {
      const CellVersion* version = version_of(*n);
      bool depends = version != nullptr && overwritten.contains(version->cell.get());
      if (tape_.value_of(n) == nullptr)
        for (const Edge& e : n->operands()) depends |= reads.contains(e.node);
      if (depends) reads.insert(n);
    }
    std::erase_if(open, [&](const TensorState* s) { return !reads.contains(s->ref.node()); });
    return open;
  }

  // ---- what it reads

  // All cells that are read or written, in one order for all threads. Those written stay locked to the end.
  void lock_cells() {
    std::set<Cell*> cells;
    for (const Tape::Assignment& a : tape_.pending) {
      cells.insert(a.cell.get());
      written_.insert(a.cell.get());
    }
    for (const Edge& e : structure_.inputs)
      if (const CellVersion* version = version_of(*e.node)) cells.insert(version->cell.get());
    for (Cell* c : cells) locks_.emplace_back(c->mutex);
  }

  void unlock_cells_only_read() {
    std::erase_if(locks_,
                  [&](const auto& lock) { return std::none_of(written_.begin(), written_.end(), [&](const Cell* c) { return lock.mutex() == &c->mutex; }); });
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
        case LeafRole::data: inputs[i].storage = static_cast<const TensorData*>(leaf->payload.get())->storage; break;
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
    if (cell.version != version.version)
      fail(fmt::format("variable '{}' was overwritten at {} before this was computed", cell.name, cell.last_write.text()),
           "Evaluate before the step, in the thread that steps, or record it again");
    for (std::size_t a = 0; a < tape_.pending.size(); ++a)
      if (tape_.pending[a].cell.get() == &cell) updates_.push_back({static_cast<int>(states_.size() + a), input});
    return cell.storage;
  }

  // ---- the run

  std::vector<StorageRef> compute(const std::vector<InputValue>& inputs) const {
    try {
      return program_->run(inputs);
    } catch (const CheckFailed& failed) {
      const Node& node = *structure_.order[static_cast<std::size_t>(failed.node)];
      const std::vector<Origin> origins = node.table->origins_of(node);
      throw Error(std::string(CallSite::current_function()),
                  fmt::format("{} {} at position {} is outside 0..{}", failed.what, failed.failure.value, failed.failure.position, failed.below - 1),
                  "Indices count from 0 and stay below the size that they index", origins.empty() ? where_ : origins[0].line);
    } catch (const Error& e) {  // from the reference, which knows no lines
      throw Error(std::string(CallSite::current_function()), e.problem(), e.remedy(), CallSite::current_line());
    }
  }

  // For every node: does it depend on a variable or a marked tensor, and on a variable that is being overwritten?
  void mark_dependencies() {
    for (const Node* n : structure_.order) {
      const CellVersion* version = version_of(*n);
      bool history = version != nullptr || tape_.marked.contains(n), overwritten = version != nullptr && written_.contains(version->cell.get());
      if (n->kind != Kind::leaf && tape_.value_of(n) != nullptr) history = true;
      for (const Edge& e : n->operands()) {
        history |= history_.contains(e.node);
        overwritten |= overwritten_.contains(e.node);
      }
      if (history) history_.insert(n);
      if (overwritten) overwritten_.insert(n);
    }
  }

  // ---- afterwards

  void commit(std::vector<StorageRef>& results) {
    const std::size_t first_update = states_.size();
    std::shared_ptr<const Forgotten> forgotten;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      TensorState& s = *states_[i];
      const Node* n = s.ref.node();
      const bool keep =
          history_.contains(n) && !s.detached && (request_.history == History::keep_all || (request_.history == History::keep && !overwritten_.contains(n)));
      std::lock_guard lock(tape_.mutex);
      if (keep) {
        s.value = std::make_shared<Value>(Value{results[i], {structure_.order.begin(), structure_.order.end()}, where_});
        if (n->result_count() == 1) tape_.values[n] = s.value;
      } else {
        if (!forgotten) forgotten = what_is_forgotten();
        s.ref = data_leaf(results[i], s.ref.dtype(), s.ref.shape(), forgotten);
      }
    }
    for (std::size_t a = 0; a < tape_.pending.size(); ++a) {
      Tape::Assignment& assignment = tape_.pending[a];
      assignment.cell->storage = std::move(results[first_update + a]);
      ++assignment.cell->version;
      assignment.cell->last_write = assignment.line;
    }
    tape_.pending.clear();
  }

  [[nodiscard]] std::shared_ptr<const Forgotten> what_is_forgotten() const {
    auto f = std::make_shared<Forgotten>();
    f->line = where_;
    f->by_step = !tape_.pending.empty();
    for (const Edge& e : structure_.inputs) {
      const LeafSpec* leaf = leaf_of(*e.node);
      if (leaf == nullptr) continue;
      if (leaf->role == LeafRole::variable) f->cells.push_back(version_of(*e.node)->cell.get());
      if (leaf->role != LeafRole::data || f->leaves.size() >= Forgotten::most_leaves) continue;
      f->leaves.push_back(leaf->identity);
      const auto& before = static_cast<const TensorData*>(leaf->payload.get())->forgotten;
      if (!before) continue;
      f->cells.insert(f->cells.end(), before->cells.begin(),
                      before->cells.begin() + static_cast<std::ptrdiff_t>(std::min(before->cells.size(), Forgotten::most_leaves)));
      for (std::uint64_t id : before->leaves)
        if (f->leaves.size() < Forgotten::most_leaves) f->leaves.push_back(id);
    }
    return f;
  }

  [[nodiscard]] SourceLine line_of(const Node& n) const {
    const std::vector<Origin> origins = n.table->origins_of(n);
    return origins.empty() ? SourceLine{} : origins[0].line;
  }

  void write_report() {
    EvaluationReport& r = tape_.report;
    r.ran = true;
    r.nodes = structure_.order.size();
    r.assignments = tape_.pending.size();
    for (std::size_t i = requested_; i < states_.size(); ++i) r.held.push_back(states_[i]->line);
    find_computed_again();
    const ProgramReport& p = program_->report();
    r.phases = p.phases;
    r.temporary_bytes = p.temporary_bytes;
    r.in_place_updates = p.in_place_updates;
    if (!request_.with_lines) return;
    auto line_at = [&](int node) { return line_of(*structure_.order[static_cast<std::size_t>(node)]); };
    for (const KernelReport& k : p.kernels) {
      EvaluationReport::Kernel kernel{k.name, {}, k.phase, k.chunks, k.flops, k.bytes};
      for (int n : k.nodes) kernel.lines.push_back(line_at(n));
      r.kernels.push_back(std::move(kernel));
    }
    for (const MissReport& m : p.misses) r.misses.push_back({m.what, line_at(m.node), m.reason});
  }

  // Lines whose nodes an earlier evaluation computed as well: only values that were asked for are kept.
  void find_computed_again() {
    if (tape_.values.empty()) return;
    std::unordered_set<const Node*> before;
    for (const auto& [node, weak] : tape_.values)
      if (const auto value = weak.lock()) before.insert(value->computed_with.begin(), value->computed_with.end());
    for (const Node* n : structure_.order) {
      if (n->operand_count == 0 || !before.contains(n) || tape_.value_of(n) != nullptr) continue;
      const SourceLine line = line_of(*n);
      if (line.line > 0 && std::find(tape_.report.computed_again.begin(), tape_.report.computed_again.end(), line) == tape_.report.computed_again.end())
        tape_.report.computed_again.push_back(line);
    }
  }

  Tape& tape_;
  const EvaluationRequest& request_;
  SourceLine where_;
  std::vector<TensorState*> states_;  // those to be computed: the wanted ones, then those that the program holds
  std::size_t requested_ = 0;
  std::unordered_set<const TensorState*> seen_;
  std::vector<Ref> roots_;  // of states_, then the assigned values
  Structure structure_;
  std::vector<Update> updates_;
  std::unordered_set<const Cell*> written_;
  std::vector<std::unique_lock<std::mutex>> locks_;
  std::shared_ptr<const Program> program_;
  std::unordered_set<const Node*> history_, overwritten_;
};

}  // namespace

void run_evaluation(Tape& tape, const EvaluationRequest& request, const SourceLine& where) { Evaluation(tape, request, where).run(); }

EvaluationReport evaluate(const std::vector<Tensor>& tensors, std::source_location where) {
  const CallSite site("evaluate", where);
  Tape& tape = *Tape::current();
  EvaluationRequest request{{}, History::keep, true};
  for (const Tensor& t : tensors) {
    static_cast<void>(use(t.state()));  // defined, and this thread's or computed
    request.wanted.push_back(t.state());
  }
  run_evaluation(tape, request, where);
  return tape.report;
}

EvaluationReport evaluate(std::initializer_list<Tensor> tensors, std::source_location where) { return evaluate(std::vector<Tensor>(tensors), where); }

const EvaluationReport& last_report() { return Tape::current()->report; }

ExecutionOptions set_execution_options(const ExecutionOptions& options) { return std::exchange(Tape::current()->options, options); }

}  // namespace cotan
