// Attention with several heads, and the encoder layer of transformers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "autograd/nn/drop_rate.h"
#include "autograd/nn/layer.h"
#include "autograd/nn/linear.h"
#include "autograd/nn/normalization.h"
#include "autograd/nn/operations.h"
#include "autograd/random.h"

namespace cotan::nn {

// Options of MultiheadAttention.
struct MultiheadAttentionOptions {
  double dropout = 0;                         // in training, the probability of an attention weight to become 0
  bool bias = true;                           // of the projections
  bool batch_first = false;                   // tensors are (batch, length, features) rather than (length, batch, features)
  DType dtype = f32;                          // of the parameters: f32 or f64
  Generator generator = default_generator();  // what initial values and dropout's masks are drawn from
};

// A Linear under the name that PyTorch gives it inside MultiheadAttention.
class NonDynamicallyQuantizableLinear : public Linear {
 public:
  // As Linear's.
  NonDynamicallyQuantizableLinear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options = {},
                                  std::source_location where = std::source_location::current())
      : Linear("NonDynamicallyQuantizableLinear", in_features, out_features, options, where) {}
};

// What a call of MultiheadAttention takes beside its inputs. A bool mask is true at what does not take part, as in PyTorch's layer; a floating one is added to
// the scores. A query that no key takes part for gets weights of 0.
struct AttentionOptions {
  Tensor key_padding_mask = {};      // (batch, keys), or (keys) without a batch
  Tensor attn_mask = {};             // (queries, keys) or (batch * heads, queries, keys)
  bool is_causal = false;            // query i takes keys up to i; not together with masks
  bool need_weights = false;         // PyTorch's default is true
  bool average_attn_weights = true;  // weights (batch, queries, keys), the mean over the heads, rather than (batch, heads, queries, keys)
};

// What MultiheadAttention gives.
struct AttentionResult {
  Tensor attn_output;          // of the query's shape
  Tensor attn_output_weights;  // undefined unless asked for
};

// Attention in num_heads subspaces: softmax(q k' / sqrt(head size)) v of projections of query, key and value, projected back (Vaswani and others 2017). The
// projections are rows of in_proj_weight (3 * embed_dim, embed_dim) and in_proj_bias, and the layer out_proj.
class MultiheadAttention : public Module {
 public:
  // Throws Error for sizes below 1, for heads that do not divide embed_dim, and for a dropout that is no probability.
  MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads, const MultiheadAttentionOptions& options = {},
                     std::source_location where = std::source_location::current());
  // query (L, N, E), key and value (S, N, E), or (N, L, E) and (N, S, E) with batch_first; all without N. Throws Error for other shapes.
  AttentionResult operator()(const Operand& query, const Operand& key, const Operand& value, const AttentionOptions& options = {}) const;

  // Sets the rate of dropout of the weights, from the next call on; compiled functions read it at each call. Throws Error for a p that is not from 0 to 1, for
  // a layer made without dropout, and inside a compiled function.
  void set_dropout(double p, std::source_location where = std::source_location::current()) const;

  const Variable in_proj_weight;  // (3 * embed_dim, embed_dim): of query, key and value
  const Variable in_proj_bias;    // (3 * embed_dim); undefined without bias
  const Linear out_proj;          // of what the heads give, side by side

 private:
  [[nodiscard]] AttentionResult attend(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& options) const;
  [[nodiscard]] std::vector<Tensor> projected(const Tensor& query, const Tensor& key, const Tensor& value) const;
  std::int64_t embed_dim_, num_heads_;
  MultiheadAttentionOptions options_;
  std::optional<DropRate> drop_;  // none: made without dropout
};

// Options of TransformerEncoderLayer.
struct TransformerEncoderLayerOptions {
  std::int64_t dim_feedforward = 2048;        // of the hidden layer
  double dropout = 0.1;                       // in training, everywhere
  std::string activation = "relu";            // of the hidden layer: "relu" or "gelu"
  double layer_norm_eps = 1e-5;               // of both norms
  bool batch_first = false;                   // x is (batch, length, features) rather than (length, batch, features)
  bool norm_first = false;                    // the norms before attention and feed-forward part rather than after the sums
  bool bias = true;                           // of linear layers and norms
  DType dtype = f32;                          // of the parameters: f32 or f64
  Generator generator = default_generator();  // what initial values and dropout's masks are drawn from
};

// What a call of TransformerEncoderLayer takes beside x: masks as in AttentionOptions.
struct EncoderMasks {
  Tensor src_mask = {};
  Tensor src_key_padding_mask = {};
  bool is_causal = false;
};

// Self-attention and a feed-forward part of two linear layers, each with a residual and a layer norm (Vaswani and others 2017).
class TransformerEncoderLayer : public Layer {
 public:
  // Throws Error as MultiheadAttention does, for a dim_feedforward below 1 and an activation that there is not.
  TransformerEncoderLayer(std::int64_t d_model, std::int64_t nhead, const TransformerEncoderLayerOptions& options = {},
                          std::source_location where = std::source_location::current());
  using Layer::operator();
  // Of the shape of x, (length, batch, d_model) or as options say, with masks or without.
  Tensor operator()(const Operand& x, const EncoderMasks& masks) const;
  // The same without masks.
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

  const MultiheadAttention self_attn;  // of x with itself
  const Linear linear1;                // into the hidden layer
  const Dropout dropout;               // of the hidden layer
  const Linear linear2;                // out of it
  const LayerNorm norm1;               // of the attention's part
  const LayerNorm norm2;               // of the feed-forward part
  const Dropout dropout1;              // of what attention adds
  const Dropout dropout2;              // of what the feed-forward part adds

 private:
  [[nodiscard]] Tensor encoded(const Tensor& x, const EncoderMasks& masks) const;
  bool norm_first_, gelu_;
};

}  // namespace cotan::nn
