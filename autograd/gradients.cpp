#include "autograd/gradients.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/differentiate.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {
namespace {

const CellVersion* version_of(const Node& n) {
  if (n.kind != Kind::leaf || n.as<LeafSpec>().role != LeafRole::variable) return nullptr;
  return static_cast<const CellVersion*>(n.as<LeafSpec>().payload.get());
}

const Forgotten* forgotten_of(const Node& n) {
  if (n.kind != Kind::leaf || n.as<LeafSpec>().role != LeafRole::data) return nullptr;
  return static_cast<const TensorData*>(n.as<LeafSpec>().payload.get())->forgotten.get();
}

// A gradient by w would come out as zero only because the way to it is gone: say so instead.
void require_a_way(std::span<Node* const> order, const Ref& w) {
  if (std::find(order.begin(), order.end(), w.node()) != order.end()) return;
  const CellVersion* wanted = version_of(*w.node());
  for (const Node* n : order) {
    const CellVersion* other = version_of(*n);
    if (wanted != nullptr && other != nullptr && other->cell == wanted->cell) {
      std::lock_guard lock(wanted->cell->mutex);
      fail(fmt::format("variable '{}' was overwritten at {} after the tensor was recorded", wanted->cell->name, wanted->cell->last_write.text()),
           "Ask for gradients before the step, or record the tensor again");
    }
    const Forgotten* f = forgotten_of(*n);
    if (f == nullptr) continue;
    const bool through_cell = wanted != nullptr && std::find(f->cells.begin(), f->cells.end(), wanted->cell.get()) != f->cells.end();
    const bool through_leaf = w->kind == Kind::leaf && std::find(f->leaves.begin(), f->leaves.end(), w->as<LeafSpec>().identity) != f->leaves.end();
    if (through_cell && f->by_step)
      fail(fmt::format("the step at {} overwrote variable '{}' and computed this tensor; how it depended on the old value is gone", f->line.text(),
                       wanted->cell->name),
           "Ask for gradients before the step, or record the tensor again");
    if (through_cell || through_leaf)
      fail(fmt::format("the tensor was computed at {} and has forgotten how", f->line.text()),
           "Mark its inputs with requires_grad_() before computing, or ask for gradients first");
  }
}

// The nodes of `wrt`: of a variable, the leaf of its present version.
std::vector<Ref> sources(const std::vector<Operand>& wrt) {
  std::vector<Ref> refs;
  for (const Operand& w : wrt) {
    if (w.is_number()) fail("a gradient by a number", "Make it a tensor or a variable first");
    const Ref& r = w.state()->ref;  // as it is, without the stop of a frozen variable
    if (w.state()->tape != Tape::current()) fail("a tensor of another thread", "Ask for gradients in the thread that recorded the computation");
    refs.push_back(r);
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

void require_scalar(const Ref& output, std::string_view remedy) {
  if (!is_floating(output.dtype()) || output.shape().elements() != 1)
    fail(fmt::format("a tensor of {} {} is no floating scalar", name_of(output.dtype()), output.shape().text()), std::string(remedy));
}

}  // namespace

std::vector<Tensor> gradients(const Tensor& output, const std::vector<Operand>& wrt, std::source_location where) {
  const CallSite site("gradients", where);
  const Ref root = use(output.state());
  require_scalar(root, "Sum it, take its mean, or use vjp with a cotangent");
  const std::vector<Ref> in = sources(wrt), roots{root};
  const std::vector<Node*> order = topological(roots);
  for (const Ref& w : in) require_a_way(order, w);
  return wrapped(gradients(root, in), where);
}

std::vector<Tensor> vjp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents, const std::vector<Operand>& wrt,
                        std::source_location where) {
  const CallSite site("vjp", where);
  if (outputs.size() != cotangents.size()) fail(fmt::format("{} cotangents for {} outputs", cotangents.size(), outputs.size()), "Give one for each output");
  const std::vector<Ref> roots = roots_of(outputs), in = sources(wrt);
  const std::vector<Node*> order = topological(roots);
  for (const Ref& w : in) require_a_way(order, w);
  std::vector<Ref> result = vjp(std::span<const Ref>(roots), roots_of(cotangents), in);
  for (std::size_t i = 0; i < result.size(); ++i)
    if (!result[i]) result[i] = graph::fill(0, in[i].dtype(), in[i].shape());
  return wrapped(result, where);
}

std::vector<Tensor> jvp(const std::vector<Tensor>& outputs, const std::vector<Operand>& wrt, const std::vector<Tensor>& tangents, std::source_location where) {
  const CallSite site("jvp", where);
  if (wrt.size() != tangents.size()) fail(fmt::format("{} tangents for {} tensors", tangents.size(), wrt.size()), "Give one for each tensor");
  const std::vector<Ref> roots = roots_of(outputs), in = sources(wrt);
  const std::vector<Node*> order = topological(roots);
  for (const Ref& w : in) require_a_way(order, w);
  return wrapped(jvp(std::span<const Ref>(roots), in, roots_of(tangents)), where);
}

void Tensor::backward(std::source_location where) const {
  const CallSite site("backward", where);
  const Ref root = use(state_);
  require_scalar(root, "Sum it or take its mean first");
  Tape& tape = *Tape::current();
  const std::vector<Ref> roots{root};
  std::vector<Ref> wrt;
  for (Node* n : topological(roots)) {
    const CellVersion* version = version_of(*n);
    if (version != nullptr && version->cell->requires_grad && is_floating(n->dtype)) {
      bool current = false;
      {
        std::lock_guard lock(version->cell->mutex);
        current = version->version == version->cell->version;
      }
      if (!current) require_a_way(std::vector<Node*>{n}, tape.leaf_of(version->cell));
      wrt.emplace_back(n);
    } else if (tape.marked.contains(n)) {
      wrt.emplace_back(n);
    }
  }
  if (wrt.empty()) {
    const Forgotten* f = forgotten_of(*root.node());
    if (f != nullptr && f->by_step)
      fail(fmt::format("the step at {} computed this tensor and overwrote what it depended on", f->line.text()),
           "Call backward() before the step, or record the loss again");
    fail("the tensor depends on no variable and on no tensor that wants a gradient",
         "Use a Variable, or mark a tensor with requires_grad_() before computing with it");
  }
  const Ref cotangents[] = {graph::fill(1, root.dtype(), root.shape())};
  const std::vector<Ref> found = cotan::vjp(std::span<const Ref>(roots), cotangents, wrt);
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (!found[i]) continue;
    const CellVersion* version = version_of(*wrt[i].node());
    if (version != nullptr) {
      Tape::Gradient& g = tape.gradients[version->cell.get()];
      const bool more = g.tensor.defined() && g.consumed.line == 0;
      g = {Tensor::wrap(more ? graph::add(use(g.tensor.state()), found[i]) : found[i], where), {}};
    } else {
      Tensor& g = tape.leaf_gradients[wrt[i].node()];
      g = Tensor::wrap(g.defined() ? graph::add(use(g.state()), found[i]) : found[i], where);
    }
  }
}

}  // namespace cotan
