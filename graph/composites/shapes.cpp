// Composites that move elements, and layers.
#include <fmt/format.h>

#include "graph/composites/bodies.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

// The sizes with a -1 filled in.
Sizes complete(const Ref& x, const Sizes& given) {
  Sizes sizes = given;
  std::int64_t known = 1, open = -1;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == -1) {
      if (open >= 0) fail("more than one size of -1", "Only one size can follow from the others");
      open = static_cast<std::int64_t>(d);
    } else if (sizes[d] < 0) {
      fail(fmt::format("a size of {}", sizes[d]), "Sizes are at least 0, or -1 for the one that follows from the others");
    } else {
      known *= sizes[d];
    }
  }
  const std::int64_t elements = x.shape().elements();
  if (open >= 0) {
    if (known == 0 || elements % known != 0)
      fail(fmt::format("shape {} of {} elements cannot become ({})", x.shape().text(), elements, fmt::join(given, ", ")),
           "The other sizes must divide the number of elements");
    sizes[static_cast<std::size_t>(open)] = elements / known;
  }
  return sizes;
}

// Whether the dimensions of both shapes are products of common factors, so that one sum says it.
bool nest(const Shape& a, const Shape& b) {
  std::size_t i = a.rank(), j = b.rank();
  std::int64_t left = 1, right = 1;
  for (;;) {
    while (left == 1 && i > 0) left = a[--i];
    while (right == 1 && j > 0) right = b[--j];
    if (left == 1 || right == 1) return true;
    const std::int64_t common = std::min(left, right);
    if (common == 0) return true;
    if (left % common != 0 || right % common != 0) return false;
    left /= common;
    right /= common;
  }
}

}  // namespace

std::vector<Ref> reshape_body(std::span<const Ref> operands, const ReshapeOptions& options) {
  const Ref& x = operands[0];
  const Sizes sizes = complete(x, options.shape);
  const Shape wanted{std::span<const std::int64_t>(sizes)};
  if (wanted == x.shape()) return {x};
  if (wanted.elements() != x.shape().elements() || nest(x.shape(), wanted)) return {nested_reshape(x, {.shape = sizes})};
  return {nested_reshape(nested_reshape(x, {.shape = {x.shape().elements()}}), {.shape = sizes})};
}

std::vector<Ref> linear_body(std::span<const Ref> operands, const LinearOptions&) {
  const Ref &x = operands[0], &weight = operands[1], &bias = operands[2];
  if (weight.shape().rank() != 2) fail(fmt::format("a weight of shape {}", weight.shape().text()), "The weight is (outputs, inputs)");
  if (x.shape().rank() == 0 || x.shape().back() != weight.shape()[1])
    fail(fmt::format("x of shape {} for a weight of shape {}", x.shape().text(), weight.shape().text()), "The last dimension of x is the weight's second");
  if (bias.shape() != Shape{weight.shape()[0]})
    fail(fmt::format("a bias of shape {} for a weight of shape {}", bias.shape().text(), weight.shape().text()), "The bias has one entry for each output");
  return {add(matmul(x, transpose(weight)), bias)};
}

}  // namespace cotan::graph
