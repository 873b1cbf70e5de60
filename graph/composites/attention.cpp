// Attention. A row that sees nothing has no largest score and would become NaN on its way to 0: its scores are left as they are, and its weights set to 0.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/composites/bodies.h"
#include "graph/composites/random.h"
#include "graph/composites/requirements.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

using namespace formula_language;

constexpr double inf = std::numeric_limits<double>::infinity();

void require_matrices(const Ref& x, std::string_view what) {
  require_floating(x, what);
  if (x.shape().rank() < 2) fail(fmt::format("{} of shape {}", what, x.shape().text()), "Its last two dimensions are positions and entries");
}

// x (..., H, rows, entries) with the heads in groups: (..., H / size, size, rows, entries).
Ref in_groups(const Ref& x, std::int64_t size) {
  const Shape& s = x.shape();
  const std::size_t head = s.rank() - 3;
  Sizes sizes(s.begin(), s.end());
  sizes[head] /= size;
  sizes.insert(sizes.begin() + static_cast<std::ptrdiff_t>(head) + 1, size);
  return nested_reshape(x, {.shape = sizes});
}

// Back to (..., H, rows, entries).
Ref without_groups(const Ref& x) {
  const Shape& s = x.shape();
  const std::size_t head = s.rank() - 4;
  Sizes sizes(s.begin(), s.end());
  sizes[head] *= sizes[head + 1];
  sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(head) + 1);
  return nested_reshape(x, {.shape = sizes});
}

// How many heads of the query share one of the key and value; 1 unless asked for.
std::int64_t group_size(const Ref& query, const Ref& key, const Ref& value) {
  for (const Ref* x : {&query, &key, &value})
    if (x->shape().rank() < 3)
      fail(fmt::format("enable_gqa for tensors without heads, such as {}", x->shape().text()), "Give (..., heads, positions, entries)");
  auto heads = [](const Ref& x) { return x.shape()[x.shape().rank() - 3]; };
  if (heads(key) != heads(value) || heads(key) == 0 || heads(query) % heads(key) != 0)
    fail(fmt::format("{} heads of the query for {} of the key and {} of the value", heads(query), heads(key), heads(value)),
         "Key and value have as many, and the query a multiple of that");
  return heads(query) / heads(key);
}

// softmax(scale * scores) where true entries of the mask take part.
Ref weights_of_visible(const Ref& scores, double scale, const Ref& mask) {
  const Ref seen = any(mask, {.dim = -1, .keepdim = true});
  const Ref masked = formula({mask, seen, scores}, [&](std::span<const Ex> in) { return cotan::where(in[0] || !in[1], scale * in[2], -inf); });
  return formula({seen, softmax(masked)}, [](std::span<const Ex> in) { return cotan::where(in[0], in[1], 0); });
}

// softmax(scale * scores + mask); a row of which all entries are -inf sees nothing.
Ref weights_of_added(const Ref& scores, double scale, const Ref& mask) {
  const Ref most = max(mask, {.dim = -1, .keepdim = true});  // -inf for a row that sees nothing
  const Ref masked =
      formula({most, mask, scores}, [&](std::span<const Ex> in) { return scale * in[2] + cotan::where(formula_language::eq(in[0], -inf), 0, in[1]); });
  return formula({most, softmax(masked)}, [](std::span<const Ex> in) { return cotan::where(formula_language::eq(in[0], -inf), 0, in[1]); });
}

Ref weights_of_masked(const Ref& scores, double scale, Ref mask) {
  const Shape& shape = scores.shape();
  if (mask.dtype() != DType::boolean && mask.dtype() != scores.dtype())
    fail(fmt::format("an attn_mask of type {} for a query of type {}", name_of(mask.dtype()), name_of(scores.dtype())),
         fmt::format("A mask is bool, or of the query's type and added: {}", casts_to_write(scores.dtype(), mask.dtype())));
  require_broadcasts(mask, "an attn_mask", shape, "scores");
  if (shape.back() == 0) return softmax(scores);  // no weights
  if (mask.shape().rank() < 2) mask = broadcast(mask, {shape[shape.rank() - 2], shape.back()});
  return mask.dtype() == DType::boolean ? weights_of_visible(scores, scale, mask) : weights_of_added(scores, scale, mask);
}

// Row i sees the columns up to i, so none sees nothing.
Ref causal_weights(const Ref& scores, double scale) {
  const Shape& s = scores.shape();
  const Shape square{s[s.rank() - 2], s.back()};
  return softmax(formula({iota(DType::i32, square, 0), iota(DType::i32, square, 1), scores},
                         [&](std::span<const Ex> in) { return cotan::where(in[1] <= in[0], scale * in[2], -inf); }));
}

}  // namespace

Ref attention(std::span<const Ref> operands, const ScaledDotProductAttentionOptions& options, const std::function<Ref(const Ref&)>& of_weights) {
  Ref query = operands[0], key = operands[1], value = operands[2];
  const Ref& mask = operands[3];
  require_matrices(query, "a query");
  require_matrices(key, "a key");
  require_matrices(value, "a value");
  const std::int64_t entries = query.shape().back(), keys = key.shape()[key.shape().rank() - 2];
  if (key.shape().back() != entries)
    fail(fmt::format("a key of shape {} for a query of shape {}", key.shape().text(), query.shape().text()), "Their last dimensions are equal");
  if (value.shape()[value.shape().rank() - 2] != keys)
    fail(fmt::format("a value of shape {} for a key of shape {}", value.shape().text(), key.shape().text()), "Their last dimensions but one are equal");
  if (options.is_causal && mask) fail("both is_causal and an attn_mask", "Give one of them: a mask can be causal");
  std::int64_t group = options.enable_gqa ? group_size(query, key, value) : 1;
  if (group == 0) {  // no heads of the query, so none of the others is seen
    key = slice(key, {.dim = -3, .end = 0});
    value = slice(value, {.dim = -3, .end = 0});
    group = 1;
  }
  if (group > 1) {
    query = in_groups(query, group);
    key = in_groups(key, 1);
    value = in_groups(value, 1);
  }
  Ref scores = matmul(query, transpose(key));
  if (group > 1) scores = without_groups(scores);

  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(entries, 1))));
  Ref weights = mask                ? weights_of_masked(scores, scale, mask)
                : options.is_causal ? causal_weights(scores, scale)
                                    : softmax(formula({scores}, [&](std::span<const Ex> in) { return scale * in[0]; }));
  weights = of_weights(weights);
  if (group <= 1) return matmul(weights, value);  // 0: of no heads
  return without_groups(matmul(in_groups(weights, group), value));
}

std::vector<Ref> scaled_dot_product_attention_body(std::span<const Ref> operands, const ScaledDotProductAttentionOptions& options) {
  if (options.dropout_p != 0)
    fail(fmt::format("dropout_p {} without random numbers", options.dropout_p), "Give 0 in a graph: the function of tensors draws, by a generator");
  return {attention(operands, options, [](const Ref& weights) { return weights; })};
}

}  // namespace cotan::graph
