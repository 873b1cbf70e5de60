#include "autograd/nn/attention.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "autograd/evaluate.h"
#include "autograd/nn/init.h"
#include "autograd/nn/parameters.h"
#include "autograd/ops.h"
#include "ops/error.h"

namespace cotan::nn {
namespace {

// The size of the features, once the options are known to make sense.
std::int64_t checked(std::int64_t embed_dim, std::int64_t num_heads, std::source_location where) {
  const CallSite site("MultiheadAttention", where);
  if (positive("MultiheadAttention", "embed_dim", embed_dim, where) % positive("MultiheadAttention", "num_heads", num_heads, where) != 0)
    fail(fmt::format("{} heads for features of size {}", num_heads, embed_dim), "embed_dim is divisible by num_heads");
  return embed_dim;
}

// Glorot's uniform numbers for three stacked projections.
Variable projections(const Module& module, std::int64_t dim, const MultiheadAttentionOptions& o, std::source_location where) {
  const CallSite site("MultiheadAttention", where);
  const double bound = std::sqrt(6.0 / static_cast<double>(4 * dim));
  return module.register_parameter("in_proj_weight", uniform({3 * dim, dim}, {.low = -bound, .high = bound, .dtype = o.dtype}, o.generator));
}

// A mask as PyTorch's layer takes it (true: does not take part) as the operation takes it: bool (true: takes part), or added.
Tensor allowed(const Tensor& mask) { return mask.dtype() == DType::boolean ? logical_not(mask) : mask; }

// A bool mask as numbers to add.
Tensor added(const Tensor& mask, DType dtype) {
  if (mask.dtype() != DType::boolean) return mask;
  return where(mask, zeros({}, dtype), full({}, -std::numeric_limits<double>::infinity(), dtype));
}

// Both masks as one, or the one that there is; undefined for none.
Tensor joined(const Tensor& a, const Tensor& b, DType dtype) {
  if (!a.defined() || !b.defined()) return a.defined() ? a : b;
  if (a.dtype() == DType::boolean && b.dtype() == DType::boolean) return logical_and(a, b);
  return added(a, dtype) + added(b, dtype);
}

}  // namespace

MultiheadAttention::MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads, const MultiheadAttentionOptions& o, std::source_location where)
    : Module(std::string("MultiheadAttention")),
      in_proj_weight(projections(*this, checked(embed_dim, num_heads, where), o, where)),
      in_proj_bias(o.bias ? register_parameter("in_proj_bias", zeros({3 * embed_dim}, o.dtype), where) : Variable()),
      out_proj(register_module(
          "out_proj", NonDynamicallyQuantizableLinear(embed_dim, embed_dim, {.bias = o.bias, .dtype = o.dtype, .generator = o.generator}, where), where)),
      embed_dim_(embed_dim),
      num_heads_(num_heads),
      options_(o),
      drop_(owned_rate("MultiheadAttention", o.dropout, o.generator, where)) {
  if (o.bias) init::zeros_(out_proj.bias, where);
  evaluate({}, where);
}

void MultiheadAttention::set_dropout(double p, std::source_location where) const { set_owned_rate(drop_, p, where); }

// The three projections, by one product where they read the same tensor.
std::vector<Tensor> MultiheadAttention::projected(const Tensor& query, const Tensor& key, const Tensor& value) const {
  const OptionalOperand bias = operand_of(in_proj_bias);
  if (query.state() == key.state() && key.state() == value.state()) return chunk(linear(query, in_proj_weight, bias), {.chunks = 3, .dim = -1});
  const std::vector<Tensor> weights = chunk(in_proj_weight, {.chunks = 3});
  if (bias.is_absent()) return {linear(query, weights[0]), linear(key, weights[1]), linear(value, weights[2])};
  const std::vector<Tensor> biases = chunk(in_proj_bias, {.chunks = 3});
  return {linear(query, weights[0], biases[0]), linear(key, weights[1], biases[1]), linear(value, weights[2], biases[2])};
}

// With batch first.
AttentionResult MultiheadAttention::attend(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& o) const {
  const std::int64_t batch = query.shape()[0], queries = query.shape()[1], keys = key.shape()[1], size = embed_dim_ / num_heads_;
  std::vector<Tensor> heads = projected(query, key, value);
  for (Tensor& h : heads) h = transpose(reshape(h, {batch, h.shape()[1], num_heads_, size}), {.dim0 = 1, .dim1 = 2});

  Tensor mask, padding;
  if (o.attn_mask.defined()) {
    mask = allowed(o.attn_mask);
    if (mask.shape().rank() == 3) mask = reshape(mask, {batch, num_heads_, queries, keys});
  }
  if (o.key_padding_mask.defined()) padding = reshape(allowed(o.key_padding_mask), {batch, 1, 1, keys});
  const Tensor both = joined(mask, padding, query.dtype());
  const OptionalOperand both_or_none = both.defined() ? OptionalOperand(both) : OptionalOperand(none);

  AttentionResult result;
  const bool drops = drop_ && is_training();
  Tensor weights;
  if (drops || o.need_weights) {
    // The weights are the attention of the identity: the operation gives them with its own treatment of masks.
    const Tensor identity = cast(reshape(arange(keys), {keys, 1}) == arange(keys), query.dtype());
    weights = scaled_dot_product_attention(heads[0], heads[1], broadcast_to(identity, BroadcastToOptions{.size = {batch, num_heads_, keys, keys}}),
                                           both_or_none, {.is_causal = o.is_causal});
    if (drops) weights = (*drop_)(weights);
    if (o.need_weights) result.attn_output_weights = o.average_attn_weights ? mean(weights, {.dim = 1}) : weights;
  }
  const Tensor attended =
      drops ? matmul(weights, heads[2]) : scaled_dot_product_attention(heads[0], heads[1], heads[2], both_or_none, {.is_causal = o.is_causal});
  result.attn_output = out_proj(reshape(transpose(attended, {.dim0 = 1, .dim1 = 2}), {batch, queries, embed_dim_}));
  return result;
}

AttentionResult MultiheadAttention::operator()(const Operand& query, const Operand& key, const Operand& value, const AttentionOptions& o) const {
  return run(query.line(), [&] {
    Tensor inputs[] = {as_tensor(query), as_tensor(key), as_tensor(value)};
    const std::size_t rank = inputs[0].shape().rank();
    for (Tensor& x : inputs) {
      if ((rank != 2 && rank != 3) || x.shape().rank() != rank || x.shape().back() != embed_dim_)
        fail(fmt::format("inputs of shapes {}, {} and {}", inputs[0].shape().text(), inputs[1].shape().text(), inputs[2].shape().text()),
             fmt::format("Give query, key and value of three dimensions, or of two without a batch, the last of size {}", embed_dim_));
    }
    const bool self = inputs[0].state() == inputs[1].state() && inputs[1].state() == inputs[2].state();
    const auto to_batch_first = [&](const Tensor& x) {
      if (rank == 2) return unsqueeze(x, {.dim = 0});
      return options_.batch_first ? x : transpose(x, {.dim0 = 0, .dim1 = 1});
    };
    inputs[0] = to_batch_first(inputs[0]);
    inputs[1] = self ? inputs[0] : to_batch_first(inputs[1]);
    inputs[2] = self ? inputs[0] : to_batch_first(inputs[2]);
    AttentionResult result = attend(inputs[0], inputs[1], inputs[2], o);
    if (rank == 2) {
      result.attn_output = squeeze(result.attn_output, {.dim = 0});
      if (result.attn_output_weights.defined()) result.attn_output_weights = squeeze(result.attn_output_weights, {.dim = 0});
    } else if (!options_.batch_first) {
      result.attn_output = transpose(result.attn_output, {.dim0 = 0, .dim1 = 1});
    }
    return result;
  });
}

namespace {

// Whether the activation is gelu rather than relu.
bool is_gelu(const std::string& activation, std::source_location where) {
  const CallSite site("TransformerEncoderLayer", where);
  if (activation != "gelu" && activation != "relu") fail(fmt::format("activation '{}'", activation), "Give relu or gelu");
  return activation == "gelu";
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(std::int64_t d_model, std::int64_t nhead, const TransformerEncoderLayerOptions& o, std::source_location where)
    : Layer("TransformerEncoderLayer"),
      self_attn(register_module(
          "self_attn",
          MultiheadAttention(d_model, nhead, {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first, .dtype = o.dtype, .generator = o.generator},
                             where),
          where)),
      linear1(register_module("linear1", Linear(d_model, o.dim_feedforward, {.bias = o.bias, .dtype = o.dtype, .generator = o.generator}, where), where)),
      dropout(register_module("dropout", Dropout({.p = o.dropout, .generator = o.generator}, where), where)),
      linear2(register_module("linear2", Linear(o.dim_feedforward, d_model, {.bias = o.bias, .dtype = o.dtype, .generator = o.generator}, where), where)),
      norm1(register_module("norm1", LayerNorm(d_model, {.eps = o.layer_norm_eps, .bias = o.bias, .dtype = o.dtype}, where), where)),
      norm2(register_module("norm2", LayerNorm(d_model, {.eps = o.layer_norm_eps, .bias = o.bias, .dtype = o.dtype}, where), where)),
      dropout1(register_module("dropout1", Dropout({.p = o.dropout, .generator = o.generator}, where), where)),
      dropout2(register_module("dropout2", Dropout({.p = o.dropout, .generator = o.generator}, where), where)),
      norm_first_(o.norm_first),
      gelu_(is_gelu(o.activation, where)) {}

Tensor TransformerEncoderLayer::encoded(const Tensor& x, const EncoderMasks& masks) const {
  const auto attention = [&](const Tensor& v) {
    return dropout1(
        self_attn(v, v, v, {.key_padding_mask = masks.src_key_padding_mask, .attn_mask = masks.src_mask, .is_causal = masks.is_causal}).attn_output);
  };
  const auto feed_forward = [&](const Tensor& v) {
    const Tensor hidden = linear1(v);
    return dropout2(linear2(dropout(gelu_ ? gelu(hidden) : relu(hidden))));
  };
  if (norm_first_) {
    const Tensor y = x + attention(norm1(x));
    return y + feed_forward(norm2(y));
  }
  const Tensor y = norm1(x + attention(x));
  return norm2(y + feed_forward(y));
}

Tensor TransformerEncoderLayer::forward(const Tensor& x) const { return encoded(x, {}); }

Tensor TransformerEncoderLayer::operator()(const Operand& x, const EncoderMasks& masks) const {
  return run(x.line(), [&] { return encoded(as_tensor(x), masks); });
}

}  // namespace cotan::nn
