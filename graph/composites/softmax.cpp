// Softmax and its logarithm.
#include <fmt/format.h>

#include "graph/composites/bodies.h"
#include "graph/composites/closed_gradients.h"
#include "graph/composites/requirements.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

using namespace formula_language;

// x less its largest entry along the dimension; the shift carries no gradient, since softmax does not depend on it.
Ref shifted_down(const Ref& x, std::int64_t dim, std::string_view name) {
  require_floating_operand(name, x);
  if (x.shape()[static_cast<std::size_t>(resolve_dim(dim, x.shape().rank()))] == 0) return x;  // no rows to shift
  return sub(x, stop_gradient(max(x, {.dim = dim, .keepdim = true})));
}

}  // namespace

std::vector<Ref> softmax_body(std::span<const Ref> operands, const SoftmaxOptions& options) {
  const Ref e = exp(shifted_down(operands[0], options.dim, "softmax"));
  return {div(e, sum(e, {.dim = options.dim, .keepdim = true}))};  // its gradient then reads the result, as the primitive does: regions cut both alike
}

std::vector<Ref> log_softmax_body(std::span<const Ref> operands, const LogSoftmaxOptions& options) {
  const Ref z = shifted_down(operands[0], options.dim, "log_softmax");
  return {sub(z, log(sum(exp(z), {.dim = options.dim, .keepdim = true})))};
}

// The operands are x, y and the cotangent of y.
std::vector<Ref> softmax_gradient(const CallSpec& call, std::span<const Ref> operands) {
  const Ref &y = operands[1], &g = operands[2];
  const Ref along_row = sum(mul(g, y), {.dim = call.attributes.get<std::int64_t>("dim"), .keepdim = true});
  return {formula({y, g, along_row}, [](std::span<const Ex> in) { return in[0] * (in[1] - in[2]); })};
}

std::vector<Ref> log_softmax_gradient(const CallSpec& call, std::span<const Ref> operands) {
  const Ref &y = operands[1], &g = operands[2];
  const Ref along_row = sum(g, {.dim = call.attributes.get<std::int64_t>("dim"), .keepdim = true});
  return {formula({y, g, along_row}, [](std::span<const Ex> in) { return in[1] - formula_language::exp(in[0]) * in[2]; })};
}

}  // namespace cotan::graph
