#include "autograd/gradients.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/derivatives.h"
#include "autograd/differentiate.h"
#include "autograd/record.h"
#include "autograd/recorder.h"
#include "autograd/tape.h"
#include "graph/builder.h"
#include "ops/error.h"
#include "ops/memory.h"

namespace cotan {
namespace {

const Forgotten* forgotten_of(const Node& n) {
  if (n.kind != Kind::leaf || n.as<LeafSpec>().role != LeafRole::data) return nullptr;
  return static_cast<const TensorData*>(n.as<LeafSpec>().payload.get())->forgotten.get();
}

// The nodes to which a gradient of `roots` flows: it ends at stop_gradient and at integers.
std::vector<Node*> ways(std::span<const Ref> roots) {
  return topological(roots, [](const Node& n) {
    if (n.kind == Kind::stop_gradient) return true;
    for (std::uint32_t r = 0; r < n.result_count(); ++r)
      if (is_floating(n.dtype_of(r))) return false;
    return true;
  });
}

[[noreturn]] void fail_overwritten(const Cell& cell) {
  fail(fmt::format("variable '{}' was overwritten at {} after the tensor was recorded", cell.name, Tape::current()->overwritten_at(cell).text()),
       "Ask for gradients before the step, or record the tensor again");
}

[[noreturn]] void fail_forgotten(const Forgotten::Through& through, const std::string& variable) {
  if (through.by_step)
    fail(fmt::format("the step at {} overwrote {} and computed this tensor or one it depends on; how that depended on the old value is gone",
                     through.line.text(), variable),
         "Ask for gradients before the step, or record the tensor again, or detach() what comes from before the step");
  fail(fmt::format("a tensor was computed at {} and has forgotten how it depended on {}", through.line.text(), variable),
       "Ask for gradients first, or detach() what is meant to be a constant");
}

// A gradient by w would come out without a part, because the way to it is gone: say so instead. `order` are the ways of the outputs.
void require_ways(std::span<Node* const> order, const Ref& w) {
  const Node* read = w->kind == Kind::stop_gradient ? w->operands()[0].node : w.node();  // of a frozen variable
  const CellVersion* wanted = version_of(*read);
  for (const Node* n : order) {
    if (n == w.node()) continue;
    const CellVersion* other = version_of(*n);
    if (wanted != nullptr && other != nullptr && other->cell == wanted->cell) {
      if (n == read)
        fail(fmt::format("variable '{}' was frozen by requires_grad_(false) after the tensor was recorded", wanted->cell->name),
             "Freeze it before, or turn requires_grad_() on to ask for its gradient");
      fail_overwritten(*wanted->cell);
    }
    const Forgotten* f = forgotten_of(*n);
    if (f == nullptr) continue;
    if (wanted != nullptr)
      for (const auto& through : f->cells)
        if (through.id == wanted->cell->id) fail_forgotten(through, fmt::format("variable '{}'", wanted->cell->name));
    if (w->kind == Kind::leaf && std::find(f->leaves.begin(), f->leaves.end(), w->as<LeafSpec>().identity) != f->leaves.end())
      fail(fmt::format("a tensor was computed at {} and has forgotten how", f->line.text()),
           "Mark its inputs with requires_grad_() before computing, or ask for gradients first");
  }
}

void require_ways(const std::vector<Ref>& roots, const std::vector<Ref>& wrt) {
  const std::vector<Node*> order = ways(roots);
  for (const Ref& w : wrt) require_ways(order, w);
}

// The nodes of `wrt`: of a variable, the leaf of its present version.
std::vector<Ref> sources(const std::vector<Operand>& wrt) {
  std::vector<Ref> refs;
  for (const Operand& w : wrt) {
    if (w.is_number()) fail("a gradient by a number", "Make it a tensor or a variable first");
    if (!w.state()) fail("a gradient by an undefined tensor", "Give it a value first; a default-constructed Tensor is no tensor");
    if (w.state()->tape != Tape::current()) fail("a tensor of another thread", "Ask for gradients in the thread that recorded the computation");
    require_not_captured(*w.state());
    refs.push_back(w.state()->ref);  // as it is, without the stop of a tensor recorded under NoGrad
  }
  return refs;
}

std::vector<Ref> roots_of(const std::vector<Tensor>& tensors) {
  std::vector<Ref> refs;
  for (const Tensor& t : tensors) refs.push_back(use(t.state()));
  return refs;
}

std::vector<Tensor> wrapped(const std::vector<Ref>& refs, const SourceLine& where) {
  std::vector<Tensor> tensors;
  for (const Ref& r : refs) tensors.push_back(Tensor::wrap(r, where));
  return tensors;
}

// What memory may end in.
constexpr std::string_view differentiating = "gradients were recorded";

void require_scalar(const Ref& output, std::string_view remedy) {
  if (!is_floating(output.dtype()) || output.shape().elements() != 1)
    fail(fmt::format("a tensor of {} {} is no floating scalar", name_of(output.dtype()), output.shape().text()), std::string(remedy));
}

}  // namespace

std::vector<Tensor> derivatives::gradients(const Tensor& output, const std::vector<Operand>& wrt) {
  const Ref root = use(output.state());
  require_scalar(root, "Sum it, take its mean, or use vjp with a cotangent");
  const std::vector<Ref> in = sources(wrt), roots{root};
  require_ways(roots, in);
  return wrapped(cotan::gradients(root, in), CallSite::current_line());
}

std::vector<Tensor> derivatives::vjp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents, const std::vector<Operand>& wrt) {
  if (outputs.size() != cotangents.size()) fail(fmt::format("{} cotangents for {} outputs", cotangents.size(), outputs.size()), "Give one for each output");
  const std::vector<Ref> roots = roots_of(outputs), in = sources(wrt);
  require_ways(roots, in);
  std::vector<Ref> result = cotan::vjp(std::span<const Ref>(roots), roots_of(cotangents), in);
  for (std::size_t i = 0; i < result.size(); ++i)
    if (!result[i]) result[i] = graph::fill(0, in[i].dtype(), in[i].shape());
  return wrapped(result, CallSite::current_line());
}

std::vector<Tensor> derivatives::jvp(const std::vector<Tensor>& outputs, const std::vector<Operand>& wrt, const std::vector<Tensor>& tangents) {
  if (wrt.size() != tangents.size()) fail(fmt::format("{} tangents for {} tensors", tangents.size(), wrt.size()), "Give one for each tensor");
  const std::vector<Ref> roots = roots_of(outputs), in = sources(wrt);
  require_ways(roots, in);
  return wrapped(cotan::jvp(std::span<const Ref>(roots), in, roots_of(tangents)), CallSite::current_line());
}

std::vector<Tensor> gradients(const Tensor& output, const std::vector<Operand>& wrt, std::source_location where) {
  const CallSite site("gradients", where);
  return within_memory(differentiating, [&] { return derivatives::gradients(output, wrt); });
}

std::vector<Tensor> vjp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents, const std::vector<Operand>& wrt,
                        std::source_location where) {
  const CallSite site("vjp", where);
  return within_memory(differentiating, [&] { return derivatives::vjp(outputs, cotangents, wrt); });
}

std::vector<Tensor> jvp(const std::vector<Tensor>& outputs, const std::vector<Operand>& wrt, const std::vector<Tensor>& tangents, std::source_location where) {
  const CallSite site("jvp", where);
  return within_memory(differentiating, [&] { return derivatives::jvp(outputs, wrt, tangents); });
}

bool accumulate_gradients(std::span<const Ref> roots, std::span<const Ref> cotangents, const SourceLine& where) {
  Tape& tape = *Tape::current();
  std::vector<Ref> wrt;
  for (Node* n : ways(roots)) {
    const CellVersion* version = version_of(*n);
    if (version != nullptr && version->cell->requires_grad && is_floating(n->dtype)) {
      if (!tape.is_current(*version, *n)) fail_overwritten(*version->cell);
      wrt.emplace_back(n);
    } else if (tape.is_marked(n)) {
      wrt.emplace_back(n);
    } else if (const Forgotten* f = forgotten_of(*n); f != nullptr && !f->cells.empty()) {
      fail_forgotten(f->cells.front(), "a variable");
    }
  }
  if (wrt.empty()) return false;
  const std::vector<Ref> found = cotan::vjp(roots, cotangents, wrt);
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (!found[i]) continue;
    const CellVersion* version = version_of(*wrt[i].node());
    if (version != nullptr) {
      tape.accumulate(version->cell, found[i], where);
    } else {
      std::lock_guard lock(tape.mutex);
      Tensor& g = tape.leaf_gradients[wrt[i].node()];
      g = Tensor::wrap(g.defined() ? graph::add(use(g.state()), found[i]) : found[i], where);
    }
  }
  return true;
}

void Tensor::backward(std::source_location where) const {
  const CallSite site("backward", where);
  within_memory(differentiating, [&] {
    const Ref roots[] = {use(state_)};
    require_scalar(roots[0], "Sum it or take its mean first");
    if (Recorder* recorder = Tape::current()->recorder) recorder->backward = true;
    const Ref cotangents[] = {graph::fill(1, roots[0].dtype(), roots[0].shape())};
    if (!accumulate_gradients(roots, cotangents, where))
      fail("the tensor depends on no variable and on no tensor that wants a gradient",
           "Use a Variable, or mark a tensor with requires_grad_() before computing with it");
  });
}

}  // namespace cotan
