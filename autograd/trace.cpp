#include "autograd/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "autograd/dependence.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {
namespace {

std::vector<bool> which_lead_to_gradients(const std::vector<Tensor>& arguments) {
  std::vector<bool> found;
  for (const Tensor& t : arguments) found.push_back(!recording_without_gradients() && leads_to_gradients(t));
  return found;
}

// Lets backward() accumulate at leaves, for as long as it lives.
class MarkedLeaves {
 public:
  MarkedLeaves(const std::vector<Ref>& leaves, const std::vector<bool>& wanted) {
    const std::lock_guard lock(tape_.mutex);
    for (std::size_t i = 0; i < leaves.size(); ++i)
      if (wanted[i]) ++tape_.marked[leaves_.emplace_back(leaves[i]).node()];
  }
  ~MarkedLeaves() {
    const std::lock_guard lock(tape_.mutex);
    for (const Ref& leaf : leaves_) {
      tape_.marked.erase(leaf.node());
      tape_.leaf_gradients.erase(leaf.node());
    }
  }
  MarkedLeaves(const MarkedLeaves&) = delete;
  MarkedLeaves& operator=(const MarkedLeaves&) = delete;

 private:
  Tape& tape_ = *Tape::current();
  std::vector<Ref> leaves_;
};

}  // namespace

bool leads_to_gradients(const Tensor& t) {
  Tape& tape = *Tape::current();
  const TensorState& s = *t.state();
  if (s.requires_grad) return true;
  if (s.detached || s.tape.get() != &tape || !is_floating(s.dtype)) return false;
  if (s.value || tape.is_marked(s.ref.node())) return true;
  if (s.storage()) return false;
  const Ref roots[] = {s.ref};
  return Dependence(tape, topological(roots)).has_history(s.ref.node());
}

Trace::Trace(const std::vector<Tensor>& arguments, const TensorFunction& body, const SourceLine& where)
    : tape_(Tape::current()), no_grad_(recording_without_gradients()), leads_to_gradients_(which_lead_to_gradients(arguments)) {
  Recorder recorder(Tape::current()->states);
  const RecordingTape recording(recorder);
  std::vector<Tensor> inside;
  for (const Tensor& a : arguments) {
    stand_ins_.push_back(data_leaf(nullptr, a.dtype(), a.shape()));
    inside.push_back(Tensor::wrap(stand_ins_.back(), a.state()->line));
  }
  const MarkedLeaves marked(stand_ins_, leads_to_gradients_);
  const std::vector<Tensor> results = body(inside);  // under no call site: its operations name their own lines
  const CallSite site("compiled function", where);
  note(results, recorder);
}

void Trace::note(const std::vector<Tensor>& results, Recorder& recorder) {
  Tape& tape = *Tape::current();
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i].defined()) fail(fmt::format("result {} is an undefined tensor", i), "Return tensors that have a value");
    const TensorState& s = *results[i].state();
    const Ref used = use(results[i].state());
    results_.push_back({s.tape.get() == &tape ? s.ref : used, s.line, s.detached});
  }
  for (const std::shared_ptr<Cell>& cell : recorder.graded) {
    const bool known = std::any_of(gradients_.begin(), gradients_.end(), [&](const Gradient& g) { return g.cell == cell; });
    const Tape::Gradient* gradient = known ? nullptr : tape.gradient_of(*cell);
    if (gradient != nullptr) gradients_.push_back({cell, 0, use(gradient->tensor.state()), gradient->tensor.state()->line});
  }
  for (std::size_t i = 0; i < stand_ins_.size(); ++i)
    if (const auto found = tape.leaf_gradients.find(stand_ins_[i].node()); found != tape.leaf_gradients.end())
      gradients_.push_back({nullptr, i, use(found->second.state()), found->second.state()->line});
  assignments_ = tape.pending;
  backward_ = recorder.backward;
  note_leaves(recorder);
  draws_ = std::move(recorder.draws);
  watches_ = std::move(recorder.watches);
  effects_ = std::move(recorder.effects);
  stepped_ = std::move(recorder.stepped);
}

// The leaves that are others at each call.
void Trace::note_leaves(const Recorder& recorder) {
  std::vector<Ref> roots;
  for (const Result& r : results_) roots.push_back(r.ref);
  for (const Gradient& g : gradients_) roots.push_back(g.ref);
  for (const Tape::Assignment& a : assignments_) roots.push_back(a.next);
  for (Node* n : topological(roots)) {
    if (const CellVersion* version = version_of(*n)) {
      if (version->version != CellVersion::to_come) variables_.emplace_back(n);
    } else if (n->kind == Kind::leaf && n->as<LeafSpec>().role == LeafRole::scalar) {
      const auto found = recorder.numbers.find(n->as<LeafSpec>().identity);
      if (found != recorder.numbers.end()) numbers_.push_back({Ref(n), found->second});
    }
  }
}

bool Trace::fits(const std::vector<Tensor>& arguments) const {
  if (tape_.lock() != Tape::current() || no_grad_ != recording_without_gradients() || arguments.size() != stand_ins_.size()) return false;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].dtype() != stand_ins_[i].dtype() || arguments[i].shape() != stand_ins_[i].shape()) return false;
  return unchanged(watches_) && (!backward_ || which_lead_to_gradients(arguments) == leads_to_gradients_);
}

void Trace::replace_leaves(Substitution& here, bool first) const {
  Tape& tape = *Tape::current();
  for (const Ref& leaf : variables_) here.replace(leaf, tape.read(version_of(*leaf.node())->cell));
  for (const Number& n : numbers_) here.replace(n.leaf, owned_number(n.read, n.leaf.dtype()));
  for (const Recorder::Draw& d : draws_) {
    Ref leaf = d.leaf;
    if (!first) {
      const GeneratorState from = d.generator.take(d.blocks);
      leaf = graph::random(from.key, from.counter, leaf.dtype(), leaf.shape());
      here.replace(d.leaf, leaf);
    }
    if (tape.recorder != nullptr) tape.recorder->draw(leaf, d.generator, d.blocks);
  }
}

std::vector<Tensor> Trace::replay(const std::vector<Tensor>& arguments, bool first, const SourceLine& where) const {
  Tape& tape = *Tape::current();
  Substitution here;
  {
    const CallSite site("compiled function", where);
    require_no_outer_gradients(stepped_);
    for (std::size_t i = 0; i < arguments.size(); ++i) here.replace(stand_ins_[i], use(arguments[i].state()));
  }
  // Under no call site: what is recorded names the lines of the body.
  replace_leaves(here, first);
  for (const Tape::Assignment& a : assignments_) {  // an assigned value reads only what was assigned before it
    tape.assign(a.cell, here(a.next), a.line);
    if (a.leaf) here.replace(a.leaf, tape.read(a.cell));
  }
  std::vector<Ref> gradients;
  for (const Gradient& g : gradients_) gradients.push_back(here(g.ref));
  std::vector<Tensor> results;
  for (const Result& r : results_) {
    results.push_back(Tensor::wrap(here(r.ref), r.line));
    results.back().state()->detached = r.detached;
  }
  const CallSite site("compiled function", where);
  for (std::size_t i = 0; i < gradients.size(); ++i) accumulate(gradients_[i], gradients[i], arguments);
  if (Recorder* recorder = tape.recorder) {
    recorder->watches.insert(recorder->watches.end(), watches_.begin(), watches_.end());
    recorder->effects.insert(recorder->effects.end(), effects_.begin(), effects_.end());
    for (const Recorder::Step& s : stepped_) recorder->step(s);
    recorder->backward = recorder->backward || backward_;
  } else if (!effects_.empty()) {
    run_evaluation(tape, {{}, History::drop, true}, where);
    for (const auto& effect : effects_) effect();
  }
  return results;
}

void Trace::accumulate(const Gradient& g, const Ref& value, const std::vector<Tensor>& arguments) const {
  const Ref roots[] = {g.cell ? Ref() : use(arguments[g.argument].state())}, cotangents[] = {value};
  if (g.cell)
    Tape::current()->accumulate(g.cell, value, g.line);
  else
    accumulate_gradients(roots, cotangents, g.line);
}

void require_no_outer_gradients(std::span<const Recorder::Step> stepped) {
  for (const Recorder::Step& s : stepped)
    if (Tape::current()->gradient_of(*s.cell) != nullptr)
      fail(fmt::format("variable '{}' has a gradient from outside, which the step inside the function would leave out", s.cell->name),
           "Call backward() inside the function too, or zero_grad() before it");
}

}  // namespace cotan
