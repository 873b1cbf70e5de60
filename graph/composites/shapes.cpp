// Composites that move elements, and layers.
#include <fmt/format.h>

#include <algorithm>

#include "graph/composites/bodies.h"
#include "ops/error.h"
#include "ops/sizes.h"

namespace cotan::graph {
namespace {

// The sizes with a -1 filled in.
Sizes complete(const Shape& shape, const Sizes& given) {
  Sizes sizes = given;
  std::int64_t known = 1, open = -1;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == -1) {
      if (open >= 0) fail("more than one size of -1", "Only one size can follow from the others");
      open = static_cast<std::int64_t>(d);
    } else if (sizes[d] < 0) {
      fail(fmt::format("a size of {}", sizes[d]), "Sizes are at least 0, or -1 for the one that follows from the others");
    } else {
      known = product_of_sizes(known, sizes[d]);
    }
  }
  const std::int64_t elements = shape.elements();
  if (open >= 0) {
    if (known == 0 || elements % known != 0)
      fail(fmt::format("shape {} of {} elements cannot become ({})", shape.text(), elements, fmt::join(given, ", ")),
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
  const Sizes sizes = complete(x.shape(), options.shape);
  const Shape wanted = shape_of(sizes);
  if (wanted == x.shape()) return {x};
  if (wanted.elements() != x.shape().elements() || nest(x.shape(), wanted)) return {nested_reshape(x, {.shape = sizes})};
  return {nested_reshape(nested_reshape(x, {.shape = {x.shape().elements()}}), {.shape = sizes})};
}

std::vector<Ref> squeeze_body(std::span<const Ref> operands, const SqueezeOptions& options) {
  const Ref& x = operands[0];
  const std::vector<bool> named = options.dim.among(x.shape().rank());
  Sizes sizes;
  for (std::size_t d = 0; d < named.size(); ++d)
    if (!named[d] || x.shape()[d] != 1) sizes.push_back(x.shape()[d]);
  return {reshape(x, {.shape = sizes})};
}

std::vector<Ref> unsqueeze_body(std::span<const Ref> operands, const UnsqueezeOptions& options) {
  Shape shape = operands[0].shape();
  shape.insert(static_cast<std::size_t>(resolve_dim(options.dim, shape.rank() + 1)), 1);
  return {reshape(operands[0], {.shape = Sizes(shape.begin(), shape.end())})};
}

std::vector<Ref> flatten_body(std::span<const Ref> operands, const FlattenOptions& options) {
  const Ref& x = operands[0];
  if (x.shape().rank() == 0) {
    for (std::int64_t dim : {options.start_dim, options.end_dim}) require_dim_of_scalar(dim);
    return {reshape(x, {.shape = {1}})};
  }
  const auto first = static_cast<std::size_t>(resolve_dim(options.start_dim, x.shape().rank())),
             last = static_cast<std::size_t>(resolve_dim(options.end_dim, x.shape().rank()));
  if (first > last) fail(fmt::format("dimensions from {} to {}", first, last), "start_dim comes before end_dim, or is the same");
  Sizes sizes;
  for (std::size_t d = 0; d < x.shape().rank(); ++d) {
    if (d > first && d <= last)
      sizes.back() *= x.shape()[d];
    else
      sizes.push_back(x.shape()[d]);
  }
  return {reshape(x, {.shape = sizes})};
}

std::vector<Ref> unflatten_body(std::span<const Ref> operands, const UnflattenOptions& options) {
  const Ref& x = operands[0];
  const auto along = static_cast<std::size_t>(resolve_dim(options.dim, x.shape().rank()));
  if (options.sizes.empty()) fail("no sizes to take a dimension apart into", "Give at least one");
  const Sizes parts = complete({x.shape()[along]}, options.sizes);
  const Shape apart = shape_of(parts);
  if (apart.elements() != x.shape()[along])
    fail(fmt::format("a dimension of {} entries cannot become {}", x.shape()[along], apart.text()), "The product of the sizes is the dimension's");
  Sizes sizes(x.shape().begin(), x.shape().end());
  const auto at = sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(along));
  sizes.insert(at, parts.begin(), parts.end());
  return {reshape(x, {.shape = sizes})};
}

std::vector<Ref> movedim_body(std::span<const Ref> operands, const MovedimOptions& options) {
  const Ref& x = operands[0];
  const std::size_t rank = x.shape().rank();
  if (options.source.size() != options.destination.size())
    fail(fmt::format("{} dimensions moved to {} places", options.source.size(), options.destination.size()), "Give one place for each");
  const std::vector<bool> moved = Dims(options.source).among(rank), taken = Dims(options.destination).among(rank);
  if (rank == 0) return {x};
  Sizes from(rank);
  for (std::size_t k = 0; k < options.source.size(); ++k)
    from[static_cast<std::size_t>(resolve_dim(options.destination[k], rank))] = resolve_dim(options.source[k], rank);
  std::size_t next = 0;
  for (std::size_t d = 0; d < rank; ++d) {
    if (taken[d]) continue;
    while (moved[next]) ++next;
    from[d] = static_cast<std::int64_t>(next++);
  }
  return {permute(x, {.dims = from})};
}

std::vector<Ref> narrow_body(std::span<const Ref> operands, const NarrowOptions& options) {
  const Ref& x = operands[0];
  const std::int64_t dim = resolve_dim(options.dim, x.shape().rank()), size = x.shape()[static_cast<std::size_t>(dim)], length = options.length;
  if (options.start < -size || options.start > size || length < 0 || length > size - (options.start < 0 ? options.start + size : options.start))
    fail(fmt::format("{} entries from {} on of a dimension of {}", length, options.start, size), "All of them must be there; slice cuts to what is");
  const std::int64_t start = options.start < 0 ? options.start + size : options.start;
  return {slice(x, {.dim = dim, .start = start, .end = start + length})};
}

std::vector<Ref> tile_body(std::span<const Ref> operands, const TileOptions& options) {
  Sizes repeats = options.dims;
  const std::size_t rank = operands[0].shape().rank();
  if (repeats.size() < rank) repeats.insert(repeats.begin(), rank - repeats.size(), 1);
  return {repeat(operands[0], {.repeats = repeats})};
}

std::vector<Ref> roll_body(std::span<const Ref> operands, const RollOptions& options) {
  const Ref& x = operands[0];
  if (options.shifts.size() != std::max<std::size_t>(options.dims.size(), 1))
    fail(fmt::format("{} shifts for {} dimensions", options.shifts.size(), options.dims.size()), "Give one for each, or one alone");
  if (options.dims.empty()) {
    const Ref row = reshape(x, {.shape = {x.shape().elements()}});
    return {reshape(roll(row, {.shifts = options.shifts, .dims = {0}}), {.shape = Sizes(x.shape().begin(), x.shape().end())})};
  }
  Sizes starts(x.shape().rank(), 0);
  for (std::size_t k = 0; k < options.dims.size(); ++k) {
    const auto along = static_cast<std::size_t>(resolve_dim(options.dims[k], x.shape().rank()));
    if (const std::int64_t size = x.shape()[along]; size > 0) starts[along] = (starts[along] - options.shifts[k] % size) % size;
  }
  return {wrap(x, {.starts = starts, .sizes = Sizes(x.shape().begin(), x.shape().end())})};
}

}  // namespace cotan::graph
