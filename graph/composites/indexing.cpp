// Entries at positions that tensors hold, and conditions.
#include <fmt/format.h>

#include "graph/composites/bodies.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

void require_integers(const Ref& x, std::string_view what) {
  if (kind_of(x.dtype()) != DTypeKind::integer) fail(fmt::format("{} of type {}", what, name_of(x.dtype())), "They are integers: cast them to i32");
}

// Positions of which negative ones counted from the end of a dimension; what is out of range stays as it is.
Ref from_the_front(const Ref& positions, std::int64_t size) {
  require_integers(positions, "indices");
  if (positions.dtype() == DType::u8 || positions.dtype() == DType::u32) return positions;
  const auto s = static_cast<double>(size);
  return formula({positions}, [s](std::span<const Ex> in) {
    using namespace formula_language;
    return cotan::where(in[0] < 0 && in[0] >= -s, in[0] + s, in[0]);
  });
}

Ref added(const Ref& x, const Ref& more) {
  if (x.dtype() != more.dtype())
    fail(fmt::format("tensors of types {} and {}", name_of(x.dtype()), name_of(more.dtype())), casts_to_write(x.dtype(), more.dtype()));
  if (x.dtype() == DType::boolean) fail("sums of bool", "Cast to i32 first");
  return add(x, more);
}

}  // namespace

std::vector<Ref> take_along_dim_body(std::span<const Ref> operands, const TakeAlongDimOptions& options) {
  const Ref &x = operands[0], &indices = operands[1];
  if (!options.dim) return {gather(reshape(x, {.shape = {x.shape().elements()}}), reshape(indices, {.shape = {indices.shape().elements()}}), {.dim = 0})};
  if (indices.shape().rank() != x.shape().rank())
    fail(fmt::format("indices of {} dimensions for x of {}", indices.shape().rank(), x.shape().rank()), "Both have the same number of dimensions");
  const auto along = static_cast<std::size_t>(resolve_dim(*options.dim, x.shape().rank()));
  Shape from = x.shape(), at = indices.shape();
  from[along] = at[along] = 1;
  from = at = broadcast_shapes(from, at);
  from[along] = x.shape()[along];
  at[along] = indices.shape()[along];
  const std::int64_t size = x.shape()[along];
  return {gather(broadcast(x, from), broadcast(from_the_front(indices, size), at), {.dim = static_cast<std::int64_t>(along)})};
}

std::vector<Ref> embedding_body(std::span<const Ref> operands, const EmbeddingOptions& options) {
  const Ref &x = operands[0], &weight = operands[1];
  const Ref rows = rows_at(weight, x);
  if (!options.padding_idx) return {rows};
  const std::int64_t given = *options.padding_idx, count = weight.shape()[0];
  if (given < -count || given >= count) fail(fmt::format("padding_idx {} of {} rows", given, count), "It names a row of weight");
  const Ref padding = unsqueeze(eq(cast(x, DType::i32), fill(static_cast<double>(given < 0 ? given + count : given), DType::i32, {})), {.dim = -1});
  return {where(padding, stop_gradient(rows), rows)};
}

std::vector<Ref> scatter_add_body(std::span<const Ref> operands, const ScatterAddOptions& options) {
  const Ref &x = operands[0], &index = operands[1], &src = operands[2];
  return {added(x, scatter_sum(src, index, {.dim = options.dim, .size = Sizes(x.shape().begin(), x.shape().end())}))};
}

std::vector<Ref> index_add_body(std::span<const Ref> operands, const IndexAddOptions& options) {
  const Ref &x = operands[0], &index = operands[1], &source = operands[2];
  const auto along = static_cast<std::size_t>(resolve_dim(options.dim, x.shape().rank()));
  Shape fitting = x.shape();
  if (source.shape().rank() == fitting.rank()) fitting[along] = source.shape()[along];
  if (source.shape() != fitting)
    fail(fmt::format("source of shape {} for x of shape {}", source.shape().text(), x.shape().text()), "Only the sizes along dim may differ");
  const Ref sums = index_sum(source, index, {.dim = options.dim, .size = x.shape()[along]});
  if (options.alpha == 1) return {added(x, sums)};
  if (!is_floating(x.dtype()) && round_to(x.dtype(), options.alpha) != options.alpha)
    fail(fmt::format("alpha {} beside tensors of {}", options.alpha, name_of(x.dtype())), "Cast them to f32 first, or give a whole number");
  return {added(x, mul(sums, fill(options.alpha, sums.dtype(), {})))};
}

std::vector<Ref> one_hot_body(std::span<const Ref> operands, const OneHotOptions& options) {
  require_integers(operands[0], "classes");
  if (options.num_classes < 1) fail(fmt::format("{} classes", options.num_classes), "Give num_classes: shapes do not depend on values");
  const Ref classes = check(operands[0], options.num_classes, "class");
  const Ref all = iota(DType::i32, {options.num_classes}, 0);
  return {cast(eq(unsqueeze(cast(classes, DType::i32), {.dim = -1}), all), DType::i32)};
}

std::vector<Ref> masked_fill_body(std::span<const Ref> operands, const MaskedFillOptions&) {
  const Ref &x = operands[0], &mask = operands[1], &value = operands[2];
  if (mask.dtype() != DType::boolean) fail(fmt::format("a mask of type {}", name_of(mask.dtype())), "A mask is bool: compare, or cast it");
  if (value.shape().rank() != 0)
    fail(fmt::format("a value of shape {}", value.shape().text()), "Give a number or a scalar; where takes a tensor for each branch");
  if (value.dtype() != x.dtype())
    fail(fmt::format("a value of {} for x of {}", name_of(value.dtype()), name_of(x.dtype())), casts_to_write(x.dtype(), value.dtype()));
  return {where(mask, value, x)};
}

}  // namespace cotan::graph
