// Layers that normalise: over the batch, the features of a sample, or groups of channels.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "autograd/nn/layer.h"
#include "ops/options.h"

namespace cotan::nn {

// Options of the layer LayerNorm.
struct LayerNormOptions {
  double eps = 1e-5;               // added to the variance
  bool elementwise_affine = true;  // weight and bias are parameters, ones and zeros at first
  bool bias = true;                // false: a weight alone
  DType dtype = f32;               // of the parameters: f32 or f64
};

// (x - mean) / sqrt(variance + eps) * weight + bias over the last dimensions of x (Ba, Kiros and Hinton 2016).
class LayerNorm : public Layer {
 public:
  // Over the last dimensions, of these sizes. Throws Error for none and for sizes below 1.
  explicit LayerNorm(const Sizes& normalized_shape, const LayerNormOptions& options = {}, std::source_location where = std::source_location::current());
  // Over the last dimension.
  explicit LayerNorm(std::int64_t normalized_size, const LayerNormOptions& options = {}, std::source_location where = std::source_location::current());
  // Of the shape of x.
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

  const Variable weight;  // undefined where not affine
  const Variable bias;    // undefined without one

 private:
  Sizes normalized_shape_;
  double eps_;
};

// Options of the layer GroupNorm.
struct GroupNormOptions {
  double eps = 1e-5;   // added to the variance
  bool affine = true;  // weight and bias are parameters, ones and zeros at first
  DType dtype = f32;   // of the parameters: f32 or f64
};

// (x - mean) / sqrt(variance + eps) * weight + bias over groups of channels of each sample of x (N, C, ...) (Wu and He 2018).
class GroupNorm : public Layer {
 public:
  // Throws Error for numbers below 1 and for groups that do not divide the channels.
  GroupNorm(std::int64_t num_groups, std::int64_t num_channels, const GroupNormOptions& options = {},
            std::source_location where = std::source_location::current());
  // Of the shape of x.
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

  const Variable weight;  // (C); undefined where not affine
  const Variable bias;    // (C); undefined where not affine

 private:
  std::int64_t num_groups_;
  double eps_;
};

// Options of the batch norms.
struct BatchNormOptions {
  double eps = 1e-5;                     // added to the variance
  std::optional<double> momentum = 0.1;  // the new batch's share in the running statistics; none: the mean over all batches
  bool affine = true;                    // weight and bias are parameters, ones and zeros at first
  bool track_running_stats = true;       // false: no buffers, and the batch's statistics in evaluation mode as well
  DType dtype = f32;                     // of parameters and buffers: f32 or f64
};

// (x - mean) / sqrt(variance + eps) * weight + bias for each channel of x (N, C, ...) (Ioffe and Szegedy 2015). In training mode mean and variance are the
// batch's, and the buffers running_mean, running_var (with the unbiased variance) and num_batches_tracked move on: their next values are assigned, so they
// change with the next evaluation. In evaluation mode the running statistics are used.
class BatchNorm : public Layer {
 public:
  // Of the shape of x. Throws Error for an x of another rank, and in training for a single value a channel.
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

  // The new batch's share in the running statistics; none: they are means over all batches.
  [[nodiscard]] std::optional<double> momentum() const;
  // Sets it, from the next call on; compiled functions read it at each call. Throws Error where there was none, for an infinity or NaN, and
  // inside a compiled function.
  void set_momentum(double momentum, std::source_location where = std::source_location::current()) const;

  const Variable weight;               // (C); undefined where not affine
  const Variable bias;                 // (C); undefined where not affine
  const Variable running_mean;         // (C); undefined where not tracked
  const Variable running_var;          // (C), unbiased; undefined where not tracked
  const Variable num_batches_tracked;  // i64; undefined where not tracked

 protected:
  // For inputs of these ranks.
  BatchNorm(const char* kind, std::vector<std::size_t> ranks, std::int64_t num_features, const BatchNormOptions& options, std::source_location where);

 private:
  void describe() const;
  [[nodiscard]] std::optional<Tensor> share_of_batch() const;

  std::vector<std::size_t> ranks_;
  std::int64_t num_features_;
  BatchNormOptions options_;
  std::shared_ptr<std::atomic<double>> momentum_;  // one for all copies of the handle; null: none
};

// Of (N, C) or (N, C, W).
class BatchNorm1d : public BatchNorm {
 public:
  // Throws Error for a number below 1.
  explicit BatchNorm1d(std::int64_t num_features, const BatchNormOptions& options = {}, std::source_location where = std::source_location::current())
      : BatchNorm("BatchNorm1d", {2, 3}, num_features, options, where) {}
};

// Of (N, C, H, W).
class BatchNorm2d : public BatchNorm {
 public:
  // Throws Error for a number below 1.
  explicit BatchNorm2d(std::int64_t num_features, const BatchNormOptions& options = {}, std::source_location where = std::source_location::current())
      : BatchNorm("BatchNorm2d", {4}, num_features, options, where) {}
};

// Options of the instance norms.
struct InstanceNormOptions {
  double eps = 1e-5;                     // added to the variance
  std::optional<double> momentum = 0.1;  // the new batch's share in the running statistics; none: they stay as they are
  bool affine = false;                   // weight and bias are parameters, ones and zeros at first
  bool track_running_stats = false;      // true: buffers, and in evaluation mode their statistics
  DType dtype = f32;                     // of parameters and buffers: f32 or f64
};

// (x - mean) / sqrt(variance + eps) * weight + bias for each channel of each sample of x (N, C, L, ...), or (C, L, ...) without a batch (Ulyanov, Vedaldi and
// Lempitsky 2016). Mean and variance are those of the channel's entries. With track_running_stats the buffers running_mean and running_var (with the unbiased
// variance) move on in training mode, by the mean over the samples, with the next evaluation; in evaluation mode they are used. num_batches_tracked belongs to
// the state and stays 0, as in PyTorch.
class InstanceNorm : public Layer {
 public:
  // Of the shape of x. Throws Error for an x of another rank, and for a single value a channel where its own statistics are used.
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

  const Variable weight;               // (C); undefined where not affine
  const Variable bias;                 // (C); undefined where not affine
  const Variable running_mean;         // (C); undefined where not tracked
  const Variable running_var;          // (C), unbiased; undefined where not tracked
  const Variable num_batches_tracked;  // i64; undefined where not tracked

 protected:
  // For inputs of that many spatial dimensions.
  InstanceNorm(const char* kind, std::size_t spatial, std::int64_t num_features, const InstanceNormOptions& options, std::source_location where);

 private:
  void move_on(const Tensor& x) const;

  std::size_t spatial_;
  InstanceNormOptions options_;
};

// Of (N, C, L) or (C, L).
class InstanceNorm1d : public InstanceNorm {
 public:
  // Throws Error for a number below 1.
  explicit InstanceNorm1d(std::int64_t num_features, const InstanceNormOptions& options = {}, std::source_location where = std::source_location::current())
      : InstanceNorm("InstanceNorm1d", 1, num_features, options, where) {}
};

// Of (N, C, H, W) or (C, H, W).
class InstanceNorm2d : public InstanceNorm {
 public:
  // Throws Error for a number below 1.
  explicit InstanceNorm2d(std::int64_t num_features, const InstanceNormOptions& options = {}, std::source_location where = std::source_location::current())
      : InstanceNorm("InstanceNorm2d", 2, num_features, options, where) {}
};

// Of (N, C, D, H, W) or (C, D, H, W).
class InstanceNorm3d : public InstanceNorm {
 public:
  // Throws Error for a number below 1.
  explicit InstanceNorm3d(std::int64_t num_features, const InstanceNormOptions& options = {}, std::source_location where = std::source_location::current())
      : InstanceNorm("InstanceNorm3d", 3, num_features, options, where) {}
};

}  // namespace cotan::nn
