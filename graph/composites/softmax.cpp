// Softmax and its logarithm.
#include <fmt/format.h>

#include "graph/composites/bodies.h"
#include "graph/composites/requirements.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

// x less its largest entry along the dimension; the shift carries no gradient, since softmax does not depend on it.
Ref shifted_down(const Ref& x, std::int64_t dim, std::string_view name) {
  require_floating_operand(name, x);
  const auto along = static_cast<std::size_t>(resolve_dim(dim, x.shape().rank()));
  if (x.shape()[along] == 0) fail(fmt::format("{} of no elements in dimension {} of {}", name, along, x.shape().text()), "Give at least one");
  return sub(x, stop_gradient(max(x, {.dim = dim, .keepdim = true})));
}

}  // namespace

std::vector<Ref> softmax_body(std::span<const Ref> operands, const SoftmaxOptions& options) {
  const Ref e = exp(shifted_down(operands[0], options.dim, "softmax"));
  return {div(e, sum(e, {.dim = options.dim, .keepdim = true}))};
}

std::vector<Ref> log_softmax_body(std::span<const Ref> operands, const LogSoftmaxOptions& options) {
  const Ref z = shifted_down(operands[0], options.dim, "log_softmax");
  return {sub(z, log(sum(exp(z), {.dim = options.dim, .keepdim = true})))};
}

}  // namespace cotan::graph
