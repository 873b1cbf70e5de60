// Composites that move elements or find positions.
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

std::vector<Ref> argmax_body(std::span<const Ref> operands, const ArgmaxOptions& options) {
  const Ref& x = operands[0];
  const auto along = static_cast<std::size_t>(resolve_dim(options.dim, x.shape().rank()));
  if (x.shape()[along] == 0)
    fail(fmt::format("no element to choose from in dimension {} of {}", along, x.shape().text()), "Reduce dimensions that are not empty");
  ReduceSpec spec;
  spec.reduction = Reduction::argmax;
  spec.access.resize(x.shape().rank());
  for (const bool inner : {false, true})
    for (std::size_t d = 0; d < x.shape().rank(); ++d) {
      if ((d == along) != inner) continue;
      spec.access[d] = index_of(static_cast<int>(spec.domain.size()));
      spec.domain.push_back(x.shape()[d]);
    }
  spec.outputs = static_cast<int>(spec.domain.size()) - 1;
  const Ref positions = reduce(spec, x);  // one coordinate, along an axis of its own
  Shape shape = positions.shape();
  shape.erase(shape.rank() - 1);
  return {nested_reshape(positions, {.shape = Sizes(shape.begin(), shape.end())})};
}

std::vector<Ref> argsort_body(std::span<const Ref> operands, const ArgsortOptions& options) {
  return {order(operands[0], static_cast<int>(resolve_dim(options.dim, operands[0].shape().rank())), options.descending)};
}

std::vector<Ref> cumsum_body(std::span<const Ref> operands, const CumsumOptions& options) {
  const Ref& x = operands[0];
  const auto axis = static_cast<int>(resolve_dim(options.dim, x.shape().rank()));
  if (x.dtype() == DType::boolean) fail("cumsum of bool", "Cast it to i32 first");
  return {scan(fill(1, x.dtype(), x.shape()), x, axis, false)};
}

}  // namespace cotan::graph
