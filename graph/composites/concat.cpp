// Tensors put together and taken apart along a dimension.
//
// A sum node adds products of its factors at one point, so it cannot choose between tensors: each tensor is placed among zeros (a sum of one factor), and a map
// adds the placed copies. The gradient is a slice of the cotangent, a view. Neighbours are joined four at a time, so that many tensors are not each as large as
// the result.
#include <fmt/format.h>

#include <algorithm>

#include "graph/composites/bodies.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

// x with zeros before and after it along a dimension.
Ref placed(const Ref& x, std::size_t along, std::int64_t before, std::int64_t after) {
  Sizes pad(2 * (x.shape().rank() - along), 0);
  pad[pad.size() - 2] = before;
  pad[pad.size() - 1] = after;
  return pad_zeros(x, {.pad = pad});
}

// A few tensors joined by one map.
Ref joined(std::span<const Ref> tensors, std::size_t along) {
  if (tensors.size() == 1) return tensors[0];
  std::int64_t total = 0, before = 0;
  for (const Ref& x : tensors) total += x.shape()[along];
  std::vector<Ref> copies;
  for (const Ref& x : tensors) {
    const std::int64_t size = x.shape()[along];
    copies.push_back(placed(x, along, before, total - before - size));
    before += size;
  }
  const bool conditions = tensors[0].dtype() == DType::boolean;
  return formula(copies, [&](std::span<const Ex> x) {
    using namespace formula_language;
    Ex all = x[0];
    for (std::size_t k = 1; k < x.size(); ++k) all = conditions ? all || x[k] : all + x[k];
    return all;
  });
}

Ref join(std::vector<Ref> tensors, std::size_t along) {
  constexpr std::size_t at_once = 4;
  while (tensors.size() > 1) {
    std::vector<Ref> fewer;
    for (std::size_t k = 0; k < tensors.size(); k += at_once)
      fewer.push_back(joined(std::span<const Ref>(tensors).subspan(k, std::min(at_once, tensors.size() - k)), along));
    tensors = std::move(fewer);
  }
  return tensors[0];
}

// Fails where there is no tensor, or where types or sizes other than that of dimension `along` differ (any size, for along = rank).
void require_alike(std::span<const Ref> tensors, std::size_t along, std::string_view name) {
  const Ref& first = tensors[0];
  for (std::size_t k = 1; k < tensors.size(); ++k) {
    const Ref& x = tensors[k];
    if (x.dtype() != first.dtype())
      fail(fmt::format("tensors of types {} and {}", name_of(first.dtype()), name_of(x.dtype())), casts_to_write(first.dtype(), x.dtype()));
    bool alike = x.shape().rank() == first.shape().rank();
    for (std::size_t d = 0; alike && d < x.shape().rank(); ++d) alike = d == along || x.shape()[d] == first.shape()[d];
    if (!alike)
      fail(fmt::format("tensor {} of shape {} beside one of shape {}", k, x.shape().text(), first.shape().text()),
           name == "stack" ? "Stacked tensors have one shape" : "Only the sizes along dim may differ");
  }
}

// The parts of those sizes along a dimension.
std::vector<Ref> parts(const Ref& x, std::int64_t dim, const Sizes& sizes) {
  std::vector<Ref> all;
  std::int64_t start = 0;
  for (std::int64_t size : sizes) {
    all.push_back(slice(x, {.dim = dim, .start = start, .end = start + size}));
    start += size;
  }
  return all;
}

// The sizes of parts of one size; one empty part of nothing, as in PyTorch.
Sizes even_sizes(std::int64_t total, std::int64_t size) {
  Sizes sizes;
  for (std::int64_t left = total; left > 0; left -= size) sizes.push_back(std::min(left, size));
  if (sizes.empty()) sizes.push_back(0);
  return sizes;
}

}  // namespace

std::vector<Ref> concat_body(std::span<const Ref> operands, const ConcatOptions& options) {
  if (operands.empty()) fail("concat of no tensors", "Give at least one");
  const auto along = static_cast<std::size_t>(resolve_dim(options.dim, operands[0].shape().rank()));
  require_alike(operands, along, "concat");
  return {join({operands.begin(), operands.end()}, along)};
}

std::vector<Ref> stack_body(std::span<const Ref> operands, const StackOptions& options) {
  if (operands.empty()) fail("stack of no tensors", "Give at least one");
  const std::size_t rank = operands[0].shape().rank();
  const std::int64_t along = resolve_dim(options.dim, rank + 1);
  require_alike(operands, rank, "stack");
  std::vector<Ref> slices;
  for (const Ref& x : operands) slices.push_back(unsqueeze(x, {.dim = along}));
  return {join(std::move(slices), static_cast<std::size_t>(along))};
}

std::vector<Ref> split_body(std::span<const Ref> operands, const SplitOptions& options) {
  const Ref& x = operands[0];
  const Sizes& given = options.split_size_or_sections;
  const std::int64_t dim = resolve_dim(options.dim, x.shape().rank()), total = x.shape()[static_cast<std::size_t>(dim)];
  if (given.empty()) fail("no sizes to split into", "Give the size of each part, or the sizes of all");
  if (given.size() == 1) {
    if (given[0] < 0 || (given[0] == 0 && total > 0)) fail(fmt::format("parts of {} entries", given[0]), "The size of a part is at least 1");
    return parts(x, dim, even_sizes(total, std::max<std::int64_t>(given[0], 1)));
  }
  std::int64_t left = total;
  for (std::int64_t size : given) {
    if (size < 0 || size > left) left = -1;
    if (left < 0) break;
    left -= size;
  }
  if (left != 0)
    fail(fmt::format("sections ({}) of a dimension of {} entries", fmt::join(given, ", "), total), "Sections are at least 0 and add up to the dimension");
  return parts(x, dim, given);
}

// An empty dimension is cut into as many chunks as a program asks for.
constexpr std::int64_t most_empty_chunks = 65536;

std::vector<Ref> chunk_body(std::span<const Ref> operands, const ChunkOptions& options) {
  const Ref& x = operands[0];
  const std::int64_t dim = resolve_dim(options.dim, x.shape().rank()), total = x.shape()[static_cast<std::size_t>(dim)];
  if (options.chunks < 1) fail(fmt::format("{} chunks", options.chunks), "There is at least one");
  if (total == 0 && options.chunks > most_empty_chunks) fail(fmt::format("{} chunks of an empty dimension", options.chunks), "Ask for fewer");
  if (total == 0) return parts(x, dim, Sizes(static_cast<std::size_t>(options.chunks), 0));  // as many as asked for, as in PyTorch
  return parts(x, dim, even_sizes(total, 1 + (total - 1) / options.chunks));
}

std::vector<Ref> unbind_body(std::span<const Ref> operands, const UnbindOptions& options) {
  const Ref& x = operands[0];
  const std::int64_t dim = resolve_dim(options.dim, x.shape().rank());
  std::vector<Ref> slices;
  for (std::int64_t i = 0; i < x.shape()[static_cast<std::size_t>(dim)]; ++i) slices.push_back(select(x, {.dim = dim, .index = i}));
  return slices;
}

}  // namespace cotan::graph
