#include "autograd/optim/clip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan::optim {
namespace {

using namespace formula_language;

// The gradients to be clipped, each once.
std::vector<Tape::Gradient*> gradients_of(const std::vector<Variable>& parameters) {
  std::vector<Tape::Gradient*> found;
  for (const Variable& p : parameters) {
    if (!p.cell()) fail("an undefined variable among the parameters", "Give it a name and a value first; a default-constructed Variable is no variable");
    Tape::Gradient* gradient = Tape::current()->gradient_of(*p.cell());
    if (gradient != nullptr && std::find(found.begin(), found.end(), gradient) == found.end()) found.push_back(gradient);
  }
  return found;
}

const Ref& ref_of(const Tape::Gradient& gradient) { return gradient.tensor.state()->ref; }

void require_bound(std::string_view name, double value) {
  if (!(value >= 0)) fail(fmt::format("{} {}", name, value), fmt::format("{} is at least 0", name));
}

// The sum of x * x over all entries, as one node.
Ref sum_of_squares(const Ref& x) {
  SumSpec spec;
  Access every;
  for (const std::int64_t size : x.shape()) {
    every.push_back(index_of(static_cast<int>(spec.domain.size())));
    spec.domain.push_back(size);
  }
  spec.factors = {every, every};
  const Ref factors[] = {x, x};
  return graph::sum(std::move(spec), {}, factors);
}

// One scalar of scalars, by a tree of nodes of a few operands each, so that many gradients are not a long chain.
Ref combined(std::vector<Ref> parts, Ex (*pair)(Ex, Ex)) {
  constexpr std::size_t most = 8;
  while (parts.size() > 1) {
    std::vector<Ref> fewer;
    for (std::size_t first = 0; first < parts.size(); first += most) {
      const auto some = std::span<const Ref>(parts).subspan(first, std::min(most, parts.size() - first));
      fewer.push_back(some.size() == 1 ? some[0] : graph::formula(some, [&](std::span<const Ex> x) {
        Ex all = x[0];
        for (std::size_t k = 1; k < x.size(); ++k) all = pair(all, x[k]);
        return all;
      }));
    }
    parts = std::move(fewer);
  }
  return parts[0];
}

// What the norm takes of one gradient: its p-th power, or the largest magnitude.
Ref part_of_norm(const Ref& g, double p, DType dtype) {
  Ref part;
  if (p == 2)
    part = sum_of_squares(g);
  else if (std::isinf(p))
    part = graph::max(graph::abs(g));
  else if (p == 1)
    part = graph::sum(graph::abs(g));
  else
    part = graph::sum(graph::pow(graph::abs(g), graph::scalar(p, g.dtype())));
  return part.dtype() == dtype ? part : graph::cast(part, dtype);
}

Ref norm_of(const std::vector<Tape::Gradient*>& gradients, double p) {
  DType dtype = DType::f32;
  for (const Tape::Gradient* g : gradients)
    if (g->tensor.dtype() == DType::f64) dtype = DType::f64;
  std::vector<Ref> parts;
  for (const Tape::Gradient* g : gradients)
    if (ref_of(*g).shape().elements() > 0) parts.push_back(part_of_norm(ref_of(*g), p, dtype));
  if (parts.empty()) return graph::fill(0, dtype, {});
  if (std::isinf(p)) return combined(std::move(parts), [](Ex a, Ex b) { return max(a, b); });
  const Ref total = combined(std::move(parts), [](Ex a, Ex b) { return a + b; });
  if (p == 1) return total;
  return p == 2 ? graph::sqrt(total) : graph::pow(total, graph::scalar(1 / p, dtype));
}

}  // namespace

Tensor clip_grad_norm_(const std::vector<Variable>& parameters, double max_norm, const ClipNormOptions& options, std::source_location where) {
  const CallSite site("clip_grad_norm_", where);
  require_bound("max_norm", max_norm);
  if (!(options.norm_type > 0)) fail(fmt::format("norm_type {}", options.norm_type), "norm_type is above 0, or infinity for the largest magnitude");
  const std::vector<Tape::Gradient*> gradients = gradients_of(parameters);
  const Ref norm = norm_of(gradients, options.norm_type);
  const Ref factor = graph::formula({norm, graph::scalar(max_norm, norm.dtype())}, [](std::span<const Ex> x) { return min(x[1] / (x[0] + 1e-6), 1); });
  Tensor total = Tensor::wrap(norm, where);
  std::vector<Tensor> clipped;
  for (const Tape::Gradient* g : gradients) {
    const Ref& r = ref_of(*g);
    clipped.push_back(Tensor::wrap(graph::mul(r, r.dtype() == factor.dtype() ? factor : graph::cast(factor, r.dtype())), where));
  }
  if (options.error_if_nonfinite) {
    EvaluationRequest request{{total.state()}};
    for (const Tensor& t : clipped) request.wanted.push_back(t.state());
    run_evaluation(*Tape::current(), request, where);
    const double value = total.dtype() == DType::f64 ? total.item<double>() : static_cast<double>(total.item());
    if (!std::isfinite(value))
      fail(fmt::format("the norm of the gradients is {}", value), "Look for the NaN or infinity in the loss, or clip without error_if_nonfinite");
  }
  for (std::size_t i = 0; i < gradients.size(); ++i) gradients[i]->tensor = clipped[i];
  return total;
}

void clip_grad_value_(const std::vector<Variable>& parameters, double clip_value, std::source_location where) {
  const CallSite site("clip_grad_value_", where);
  require_bound("clip_value", clip_value);
  for (Tape::Gradient* g : gradients_of(parameters)) {
    const Ref& r = ref_of(*g);
    g->tensor =
        Tensor::wrap(graph::formula({r, graph::scalar(clip_value, r.dtype())}, [](std::span<const Ex> x) { return min(max(x[0], -x[1]), x[1]); }), where);
  }
}

}  // namespace cotan::optim
