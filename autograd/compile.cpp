#include "autograd/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "autograd/cells.h"
#include "autograd/execution.h"
#include "autograd/profile/observer.h"
#include "autograd/recording.h"
#include "autograd/trace.h"
#include "ops/environment.h"
#include "ops/error.h"

namespace cotan {

void functions::require_inputs(std::size_t given, std::size_t taken) {
  if (given != taken) fail(fmt::format("{} inputs for a function of {}", given, taken), "Give one for each argument");
}

std::vector<Tensor> functions::tensors_of(const std::vector<Operand>& operands) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].is_number())
      fail(fmt::format("argument {} is the number {}", i, operands[i].number()), "Give a tensor, such as tensor({...}); the function can capture the number");
    if (!operands[i].state()) fail(fmt::format("argument {} is an undefined tensor", i), "Give it a value first; a default-constructed Tensor is no tensor");
    tensors.emplace_back(operands[i].state());
  }
  return tensors;
}

namespace {

// Tensors that the program holds, that are not computed and that read a cell about to be written: computed before it is.
void compute_held(Tape& tape, const std::vector<Cell*>& written, const SourceLine& where) {
  auto open = tape.held([](const TensorState& s) { return !s.storage(); });
  if (open.empty()) return;
  std::vector<Ref> refs;
  for (const auto& state : open) refs.push_back(state->ref);
  std::unordered_set<const Node*> readers;
  for (const Node* n : topological(refs)) {
    const CellVersion* version = version_of(*n);
    const bool reads = version != nullptr && std::find(written.begin(), written.end(), version->cell.get()) != written.end();
    if (reads || std::any_of(n->operands().begin(), n->operands().end(), [&](const Edge& e) { return readers.contains(e.node); })) readers.insert(n);
  }
  std::erase_if(open, [&](const auto& state) { return !readers.contains(state->ref.node()); });
  if (!open.empty()) run_evaluation(tape, {std::move(open)}, where);
}

// The bodies of compiled functions that this thread runs, the innermost first. A body that comes to run again for the same arguments would do so for ever.
class BodyRuns {
 public:
  template <class State>
  BodyRuns(const State& function, const std::vector<Tensor>& arguments, const SourceLine& line) : function_(&function), arguments_(arguments) {
    int depth = 0;
    for (const BodyRuns* r = innermost_; r != nullptr; r = r->outer_) {
      if (r->function_ != function_) continue;
      const bool same = r->no_grad_ == no_grad_ && std::ranges::equal(r->arguments_, arguments, [](const Tensor& a, const Tensor& b) { return a.dtype() == b.dtype() && a.shape() == b.shape(); });
      if (!same && ++depth < most_nested) continue;
      const CallSite site("compiled function", line);
      fail(fmt::format("the function compiled at {} calls itself{}", function.where.text(), same ? " with arguments of the same shapes and types" : ", ever deeper"),
           "Call the C++ function that was compiled, whose recursion can end, or compile what is inside it");
    }
    outer_ = std::exchange(innermost_, this);
  }
  ~BodyRuns() { innermost_ = outer_; }
  BodyRuns(const BodyRuns&) = delete;
  BodyRuns& operator=(const BodyRuns&) = delete;

 private:
  static constexpr int most_nested = 100;
  static thread_local const BodyRuns* innermost_;
  const void* function_;
  const std::vector<Tensor>& arguments_;
  const bool no_grad_ = recording_without_gradients();
  const BodyRuns* outer_ = nullptr;
};
thread_local const BodyRuns* BodyRuns::innermost_ = nullptr;

// One call of a recorded function.
class Call {
 public:
  // `first`: the recording was made for this call, so its numbers and draws are this call's.
  Call(const Recording& recording, const Program& program, const std::vector<Tensor>& arguments, bool first, const SourceLine& where)
      : recording_(recording), program_(program), arguments_(arguments), first_(first), where_(where) {}

  std::vector<Tensor> run() {
    const CallSite site("compiled function", where_);
    require_no_outer_gradients(recording_.stepped);
    for (const Write& w : recording_.writes) written_.push_back(w.cell.get());
    if (!written_.empty()) compute_held(tape_, written_, where_);
    const std::vector<RandomState> drawn = draw();
    std::vector<Cell*> read;
    for (const Source& s : recording_.inputs)
      if (s.from == Source::From::cell) read.push_back(s.cell.get());
    if (!read.empty() || !written_.empty()) cells_.take(read, written_);
    const std::vector<InputValue> inputs = bind(drawn);
    if (!read.empty() || !written_.empty()) cells_.release();
    RunObserver* observer = nullptr;
    if (const RecordedGraph* graph = recording_.graph.get(); graph != nullptr && tape_.options.observer != nullptr)
      observer = tape_.options.observer->begins({program_, graph->structure, graph->roots, inputs, graph->options});
    std::vector<StorageRef> results = run_program(
        program_, inputs, [&](int node) { return recording_.lines[static_cast<std::size_t>(node)]; }, CallSite::current_line(), observer);
    report();
    write(results);
    return outputs(results);
  }

 private:
  std::vector<RandomState> draw() {
    std::vector<RandomState> drawn;
    if (first_) return drawn;
    for (const Recorder::Draw& d : recording_.draws) {
      const GeneratorState from = d.generator.take(d.blocks);
      drawn.push_back({from.key, from.counter});
    }
    return drawn;
  }

  std::vector<InputValue> bind(const std::vector<RandomState>& drawn) {
    std::vector<InputValue> inputs(recording_.inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Source& s = recording_.inputs[i];
      switch (s.from) {
        case Source::From::argument: inputs[i].storage = arguments_[s.index].state()->storage(); break;
        case Source::From::constant: inputs[i].storage = s.storage; break;
        case Source::From::cell: inputs[i].storage = s.cell->storage; break;
        case Source::From::number: inputs[i].scalar = s.read ? s.read() : s.number; break;
        case Source::From::draw: inputs[i].random = first_ || s.index == Source::fixed ? s.random : drawn[s.index]; break;
      }
    }
    return inputs;
  }

  void report() {
    EvaluationReport& r = tape_.report;
    const EvaluationReport& all = *recording_.report;
    r = {};
    r.ran = true;
    r.cache_hit = !first_ || all.cache_hit;
    r.nodes = all.nodes;
    r.phases = all.phases;
    r.temporary_bytes = all.temporary_bytes;
    r.in_place_updates = all.in_place_updates;
    r.assignments = all.assignments;
    tape_.details = recording_.report;
  }

  void write(std::vector<StorageRef>& results) {
    if (!written_.empty()) cells_.lock_again();
    std::size_t result = recording_.outputs.size();
    for (const Write& w : recording_.writes) {
      w.cell->storage = std::move(results[result++]);
      ++w.cell->version;
      w.cell->last_write = w.line;
    }
    if (!written_.empty()) cells_.release();
    for (const auto& effect : recording_.effects) effect();
  }

  std::vector<Tensor> outputs(std::vector<StorageRef>& results) {
    std::vector<Tensor> returned;
    for (std::size_t i = 0; i < recording_.outputs.size(); ++i) {
      const Output& o = recording_.outputs[i];
      Ref leaf = data_leaf(std::move(results[i]), o.type.dtype, o.type.shape, forgotten(o));
      if (o.gradient_of)
        tape_.accumulate(o.gradient_of, leaf, o.line);
      else
        returned.push_back(Tensor::wrap(leaf, o.line));
    }
    return returned;
  }

  // Why no gradient goes through the output: with the arguments themselves as leaves.
  std::shared_ptr<const Forgotten> forgotten(const Output& o) {
    if (!o.forgotten || o.forgotten->leaves.empty()) return o.forgotten;
    auto made = std::make_shared<Forgotten>(*o.forgotten);
    made->line = where_;
    for (std::uint64_t& leaf : made->leaves) {
      const auto at = std::find(recording_.stand_ins.begin(), recording_.stand_ins.end(), leaf);
      if (at == recording_.stand_ins.end()) continue;
      const Node& argument = *arguments_[static_cast<std::size_t>(at - recording_.stand_ins.begin())].state()->ref.node();
      if (argument.kind == Kind::leaf) leaf = argument.as<LeafSpec>().identity;
    }
    return made;
  }

  Tape& tape_ = *Tape::current();
  const Recording& recording_;
  const Program& program_;
  const std::vector<Tensor>& arguments_;
  bool first_;
  SourceLine where_;
  std::vector<Cell*> written_;
  CellsInUse cells_;
};

}  // namespace

struct CompiledFunction::State {
  const std::uint64_t number = next();
  PassSwitches passes;
  bool reproducible = false;
  SourceLine where;
  bool checking = false;  // records again at each call
  static constexpr std::size_t most = 64;
  std::mutex mutex;                                          // of the recordings, and held by calls that run a step
  std::vector<std::shared_ptr<const Recording>> recordings;  // the one made last at the end
  std::mutex traces_mutex;                                   // never held while a function runs, which may call itself
  std::vector<std::shared_ptr<const Trace>> traces;          // likewise

  static std::uint64_t next() {
    static std::atomic<std::uint64_t> count{1};
    return count.fetch_add(1);
  }

  // A recording for such a call, and its program.
  std::shared_ptr<const Recording> find(const Signature& signature, std::shared_ptr<const Program>& program) {
    for (std::size_t i = recordings.size(); i-- > 0;) {
      program = recordings[i]->program.lock();
      if (!program) {
        recordings.erase(recordings.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      if (fits(*recordings[i], signature) && can_be_observed(*recordings[i]) && reuse(*program)) return recordings[i];
    }
    program = nullptr;
    return nullptr;
  }

  void keep(const std::shared_ptr<const Recording>& recording) {
    std::erase_if(recordings, [&](const auto& r) { return fits(*r, recording->signature); });
    recordings.push_back(recording);
    if (recordings.size() > most) recordings.erase(recordings.begin());
  }

  // What the body records for these arguments, here. It is called only where it was not for such arguments before.
  std::vector<Tensor> record(const std::vector<Tensor>& arguments, const TensorFunction& body, const SourceLine& line) {
    // Two calls must not count one step. Where something records, its own lock is held, which may be this one.
    std::unique_lock lock(mutex, std::defer_lock);
    if (Tape::current()->recorder == nullptr) lock.lock();
    std::shared_ptr<const Trace> trace = checking ? nullptr : find_trace(arguments);
    const bool first = !trace;
    if (first) {
      const BodyRuns runs(*this, arguments, line);
      trace = std::make_shared<const Trace>(arguments, body, where);
      const std::lock_guard traces_lock(traces_mutex);
      traces.push_back(trace);
      if (traces.size() > most) traces.erase(traces.begin());
    }
    return trace->replay(arguments, first, line);
  }

 private:
  [[nodiscard]] static bool fits(const Recording& r, const Signature& signature) { return r.signature == signature && unchanged(r.watches); }
  // An observer is shown the graph, which has to be this thread's.
  [[nodiscard]] static bool can_be_observed(const Recording& r) {
    const Tape& tape = *Tape::current();
    return tape.options.observer == nullptr || (r.graph && r.graph->tape.lock().get() == &tape);
  }

  std::shared_ptr<const Trace> find_trace(const std::vector<Tensor>& arguments) {
    const std::lock_guard lock(traces_mutex);
    std::erase_if(traces, [](const auto& t) { return t->is_orphan(); });
    const auto found = std::find_if(traces.rbegin(), traces.rend(), [&](const auto& t) { return t->fits(arguments); });
    return found != traces.rend() ? *found : nullptr;
  }
};

CompiledFunction::CompiledFunction(const CompiledOptions& options, const SourceLine& where) : state_(std::make_shared<State>()) {
  const CallSite site("compile", where);
  state_->passes = with_switches(options.fused ? PassSwitches() : without_fusion(), PassSwitches(options.passes));
  state_->reproducible = options.reproducible;
  state_->where = where;
  state_->checking = environment_switch("COTAN_CHECK_COMPILED");
}

void CompiledFunction::require_state(const SourceLine& where) const {
  const CallSite site("compiled function", where);
  if (!state_) fail("a compiled function that was moved from", "Copy it, which gives another handle on the same recordings, or assign it a new one");
}

std::size_t CompiledFunction::recordings(const SourceLine& where) const {
  require_state(where);
  const std::lock_guard lock(state_->mutex);
  return static_cast<std::size_t>(
      std::count_if(state_->recordings.begin(), state_->recordings.end(), [](const auto& r) { return r->program.lock() != nullptr; }));
}

std::vector<Tensor> CompiledFunction::call(const std::vector<Operand>& operands, const TensorFunction& body, const SourceLine& where) const {
  require_state(where);
  State& state = *state_;
  Tape& tape = *Tape::current();
  std::vector<Tensor> arguments;
  Signature signature;
  bool inlined = false;
  {
    const CallSite site("compiled function", where);
    arguments = functions::tensors_of(operands);
    inlined = tape.recorder != nullptr || tape.differentiating > 0;
    for (const Tensor& t : arguments) {
      static_cast<void>(use(t.state()));  // this thread's, or computed
      inlined = inlined || (!recording_without_gradients() && leads_to_gradients(t));
    }
  }
  if (inlined) return state.record(arguments, body, where);
  {
    const CallSite site("compiled function", where);
    EvaluationRequest open;
    for (const Tensor& t : arguments) {
      if (!t.is_evaluated()) open.wanted.push_back(t.state());
      signature.arguments.push_back({t.dtype(), t.shape()});
    }
    if (!open.wanted.empty() || !tape.pending.empty()) run_evaluation(tape, open, where);
    ExecutionOptions options = tape.options;
    options.passes = with_switches(options.passes, state.passes);
    options.reproducible = options.reproducible || state.reproducible;
    signature.options = compile_options(options);
    signature.no_grad = recording_without_gradients();
  }
  std::unique_lock lock(state.mutex);
  std::shared_ptr<const Program> program;
  std::shared_ptr<const Recording> recording = state.find(signature, program);
  bool first = !recording;
  if (first || state.checking) {
    const auto before = recording;
    const TensorFunction traced = [&](const std::vector<Tensor>& x) { return state.record(x, body, where); };
    recording = record_function(signature, arguments, traced, state.where, state.number, program);
    if (first) {
      state.keep(recording);
    } else if (const std::string what = difference(*before, *recording); !what.empty()) {
      const CallSite site("compiled function", where);
      fail("recorded again, it is another function than the one compiled: " + what,
           "What changes from call to call must be an argument, a Variable or an optimizer's number; the compiled function keeps what it recorded first");
    }
    first = true;
  }
  if (recording->effects.empty()) lock.unlock();  // else two calls would count one step
  return Call(*recording, *program, arguments, first, where).run();
}

Tensor constant(const Tensor& x, std::source_location where) {
  const CallSite site("constant", where);
  if (!x.defined()) fail("an undefined tensor", "Give it a value first; a default-constructed Tensor is no tensor");
  Tape& tape = *Tape::current();
  if (!x.is_evaluated()) {
    if (tape.recorder == nullptr) static_cast<void>(use(x.state()));
    run_evaluation(tape, {{x.state()}}, where);
  }
  Tensor made = Tensor::wrap(data_leaf(x.state()->storage(), x.dtype(), x.shape()), where);
  made.state()->constant = true;
  return made;
}

}  // namespace cotan
