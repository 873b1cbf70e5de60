// Sorting: an order, and gathers through it.
#include <fmt/format.h>

#include "graph/composites/bodies.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

// out[.., i, ..] = x[.., positions[.., i, ..], ..] along the axis; the positions are an order's, so in range.
Ref taken(const Ref& x, const Ref& positions, int axis) {
  SumSpec s;
  s.domain.assign(positions.shape().begin(), positions.shape().end());
  for (std::size_t d = 0; d < x.shape().rank(); ++d) s.output.push_back(index_of(static_cast<int>(d)));
  Access from = s.output;
  from[static_cast<std::size_t>(axis)] = entry_of(0, s.output);
  s.factors = {std::move(from)};
  const Ref factors[] = {x}, tables[] = {positions};
  return sum(std::move(s), positions.shape(), factors, tables);
}

int axis_of(const Ref& x, std::int64_t dim) { return static_cast<int>(resolve_dim(dim, x.shape().rank())); }

}  // namespace

std::vector<Ref> argsort_body(std::span<const Ref> operands, const ArgsortOptions& options) {
  return {order(operands[0], axis_of(operands[0], options.dim), options.descending)};
}

std::vector<Ref> sort_body(std::span<const Ref> operands, const SortOptions& options) {
  const int axis = axis_of(operands[0], options.dim);
  const Ref positions = order(operands[0], axis, options.descending);
  return {taken(operands[0], positions, axis), positions};
}

std::vector<Ref> topk_body(std::span<const Ref> operands, const TopkOptions& options) {
  const Ref& x = operands[0];
  const int axis = axis_of(x, options.dim);
  const std::int64_t size = x.shape()[static_cast<std::size_t>(axis)];
  if (options.k < 0 || options.k > size)
    fail(fmt::format("k {} of {} entries in dimension {} of {}", options.k, size, axis, x.shape().text()), "Ask for at most as many as there are");
  const Ref positions = slice(order(x, axis, options.largest), {.dim = axis, .end = options.k});
  return {taken(x, positions, axis), positions};
}

std::vector<Ref> kthvalue_body(std::span<const Ref> operands, const KthvalueOptions& options) {
  const Ref& x = operands[0];
  const int axis = axis_of(x, options.dim);
  const std::int64_t size = x.shape()[static_cast<std::size_t>(axis)];
  if (options.k < 1 || options.k > size)
    fail(fmt::format("k {} of {} entries in dimension {} of {}", options.k, size, axis, x.shape().text()), "k counts from 1 to the number of entries");
  const Ref positions = slice(order(x, axis, false), {.dim = axis, .start = options.k - 1, .end = options.k});
  const Ref values = taken(x, positions, axis);
  if (options.keepdim) return {values, positions};
  Sizes sizes(x.shape().begin(), x.shape().end());
  sizes.erase(sizes.begin() + axis);
  return {nested_reshape(values, {.shape = sizes}), nested_reshape(positions, {.shape = sizes})};
}

}  // namespace cotan::graph
