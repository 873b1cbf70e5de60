// Layers with a weight: affine maps, convolutions, embeddings.
//
// Parameters are named, shaped and initialised as PyTorch's: weights and biases uniform in [-1 / sqrt(fan_in), 1 / sqrt(fan_in)), where fan_in is how many
// inputs one output sums; embeddings standard normal. They are drawn when the layer is made.
#pragma once

#include <cstdint>
#include <optional>

#include "autograd/nn/layer.h"
#include "autograd/random.h"
#include "ops/options.h"

namespace cotan::nn {

// Options of the layer Linear.
struct LinearOptions {
  bool bias = true;                           // whether a bias is added
  DType dtype = f32;                          // of the parameters: f32 or f64
  Generator generator = default_generator();  // what the initial values are drawn from
};

// x (..., in_features) times the transpose of weight (out_features, in_features), plus bias (out_features).
class Linear : public Layer {
 public:
  // Throws Error for sizes below 1.
  Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options = {}, std::source_location where = std::source_location::current());
  // (..., out_features).
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

  const Variable weight;  // (out_features, in_features)
  const Variable bias;    // (out_features); undefined without one

 protected:
  // One that prints as `kind`.
  Linear(const char* kind, std::int64_t in_features, std::int64_t out_features, const LinearOptions& options, std::source_location where);
};

// Options of a convolution over N spatial dimensions.
template <std::size_t N>
struct ConvOptions {
  Spatial<N> kernel_size = 0;                 // must be given
  Spatial<N> stride = 1;                      // from one window to the next
  Padding<N> padding = 0;                     // zeros on both sides, or "same" or "valid"
  Spatial<N> dilation = 1;                    // from one entry of the window to the next
  std::int64_t groups = 1;                    // of channels that do not see each other
  bool bias = true;                           // whether a bias is added
  DType dtype = f32;                          // of the parameters: f32 or f64
  Generator generator = default_generator();  // what the initial values are drawn from
};

// Cross-correlation over N spatial dimensions of x (batch, in_channels, spatial...) or (in_channels, spatial...) with weight (out_channels, in_channels /
// groups, kernel_size...), plus bias (out_channels).
template <std::size_t N>
class Conv : public Layer {
 public:
  // Throws Error for sizes below 1, a missing kernel_size, and groups that do not divide the channels.
  Conv(std::int64_t in_channels, std::int64_t out_channels, const ConvOptions<N>& options, std::source_location where = std::source_location::current());
  // (batch, out_channels, spatial...).
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

  const Variable weight;  // (out_channels, in_channels / groups, kernel_size...)
  const Variable bias;    // (out_channels); undefined without one

 private:
  ConvOptions<N> options_;
};
// Over one dimension, x (N, C, W).
using Conv1d = Conv<1>;
// Over two dimensions, x (N, C, H, W).
using Conv2d = Conv<2>;
// Over three dimensions, x (N, C, D, H, W).
using Conv3d = Conv<3>;
extern template class Conv<1>;
extern template class Conv<2>;
extern template class Conv<3>;

// Options of the layer Embedding.
struct EmbeddingOptions {
  std::optional<std::int64_t> padding_idx = {};  // a row that starts as zeros and gets no gradient; negative ones count from the end
  DType dtype = f32;                             // of the weight: f32 or f64
  Generator generator = default_generator();     // what the initial values are drawn from
};

// Rows of weight (num_embeddings, embedding_dim) by their indices.
class Embedding : public Layer {
 public:
  // Throws Error for sizes below 1 and for a padding_idx that is no row.
  Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingOptions& options = {},
            std::source_location where = std::source_location::current());
  // (..., embedding_dim) for indices (...). An index out of range is an Error of the evaluation.
  [[nodiscard]] Tensor forward(const Tensor& indices) const override;

  const Variable weight;  // (num_embeddings, embedding_dim)

 private:
  std::optional<std::int64_t> padding_idx_;
};

}  // namespace cotan::nn
