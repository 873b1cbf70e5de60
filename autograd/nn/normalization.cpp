#include "autograd/nn/normalization.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "autograd/nn/parameters.h"
#include "autograd/ops.h"
#include "autograd/recorder.h"
#include "ops/error.h"

namespace cotan::nn {
namespace {

// A parameter that starts with one number everywhere; undefined where there is to be none.
Variable constant_parameter(const Module& module, bool wanted, const char* name, const Shape& shape, double value, DType dtype, std::source_location where) {
  return wanted ? module.register_parameter(name, full(shape, value, dtype, where), where) : Variable();
}

Variable constant_buffer(const Module& module, bool wanted, const char* name, const Shape& shape, double value, DType dtype, std::source_location where) {
  return wanted ? module.register_buffer(name, full(shape, value, dtype, where), where) : Variable();
}

Shape normalized(const Sizes& sizes, std::source_location where) {
  const CallSite site("LayerNorm", where);
  if (sizes.empty()) fail("a normalized_shape of no dimensions", "Give the sizes of the last dimensions of the input");
  for (const std::int64_t size : sizes) static_cast<void>(positive("LayerNorm", "normalized_shape", size, where));
  return Shape(std::span<const std::int64_t>(sizes));
}

}  // namespace

LayerNorm::LayerNorm(const Sizes& normalized_shape, const LayerNormOptions& o, std::source_location where)
    : Layer("LayerNorm"),
      weight(constant_parameter(*this, o.elementwise_affine, "weight", normalized(normalized_shape, where), 1, o.dtype, where)),
      bias(constant_parameter(*this, o.elementwise_affine && o.bias, "bias", normalized(normalized_shape, where), 0, o.dtype, where)),
      normalized_shape_(normalized_shape),
      eps_(o.eps) {
  set_detail(fmt::format("({}), eps={}, elementwise_affine={}", fmt::join(normalized_shape, ", "), o.eps, o.elementwise_affine));
}

LayerNorm::LayerNorm(std::int64_t normalized_size, const LayerNormOptions& options, std::source_location where)
    : LayerNorm(Sizes{normalized_size}, options, where) {}

Tensor LayerNorm::forward(const Tensor& x) const {
  return layer_norm(x, operand_of(weight), operand_of(bias), {.normalized_shape = normalized_shape_, .eps = eps_});
}

namespace {

// The number of channels, once it is known to be one of these groups.
std::int64_t grouped(std::int64_t groups, std::int64_t channels, std::source_location where) {
  const CallSite site("GroupNorm", where);
  if (positive("GroupNorm", "num_channels", channels, where) % positive("GroupNorm", "num_groups", groups, where) != 0)
    fail(fmt::format("{} groups of {} channels", groups, channels), "The number of channels is divisible by the number of groups");
  return channels;
}

}  // namespace

GroupNorm::GroupNorm(std::int64_t num_groups, std::int64_t num_channels, const GroupNormOptions& o, std::source_location where)
    : Layer("GroupNorm"),
      weight(constant_parameter(*this, o.affine, "weight", {grouped(num_groups, num_channels, where)}, 1, o.dtype, where)),
      bias(constant_parameter(*this, o.affine, "bias", {num_channels}, 0, o.dtype, where)),
      num_groups_(num_groups),
      eps_(o.eps) {
  set_detail(fmt::format("{}, {}, eps={}, affine={}", num_groups, num_channels, o.eps, o.affine));
}

Tensor GroupNorm::forward(const Tensor& x) const { return group_norm(x, operand_of(weight), operand_of(bias), {.num_groups = num_groups_, .eps = eps_}); }

BatchNorm::BatchNorm(const char* kind, std::vector<std::size_t> ranks, std::int64_t num_features, const BatchNormOptions& o, std::source_location where)
    : Layer(kind),
      weight(constant_parameter(*this, o.affine, "weight", {positive(kind, "num_features", num_features, where)}, 1, o.dtype, where)),
      bias(constant_parameter(*this, o.affine, "bias", {num_features}, 0, o.dtype, where)),
      running_mean(constant_buffer(*this, o.track_running_stats, "running_mean", {num_features}, 0, o.dtype, where)),
      running_var(constant_buffer(*this, o.track_running_stats, "running_var", {num_features}, 1, o.dtype, where)),
      num_batches_tracked(constant_buffer(*this, o.track_running_stats, "num_batches_tracked", {}, 0, i64, where)),
      ranks_(std::move(ranks)),
      num_features_(num_features),
      options_(o) {
  if (o.momentum) momentum_ = std::make_shared<std::atomic<double>>(*o.momentum);
  describe();
}

void BatchNorm::describe() const {
  set_detail(fmt::format("{}, eps={}, momentum={}, affine={}, track_running_stats={}", num_features_, options_.eps,
                         momentum_ ? fmt::format("{}", momentum_->load()) : "none", options_.affine, options_.track_running_stats));
}

std::optional<double> BatchNorm::momentum() const { return momentum_ ? std::optional(momentum_->load()) : std::nullopt; }

void BatchNorm::set_momentum(double momentum, std::source_location where) const {
  const CallSite site("set_momentum", where);
  require_not_recording("a change of batch norm's momentum", "Change it before the call");
  if (!momentum_) fail("a momentum for statistics that are means over all batches", "Make the layer with a momentum");
  if (!std::isfinite(momentum)) fail(fmt::format("a momentum of {}", momentum), "Give a finite number, from 0 to 1 as a rule");
  *momentum_ = momentum;
  describe();
}

std::optional<Tensor> BatchNorm::share_of_batch() const {
  if (!momentum_) return std::nullopt;
  return Tensor::wrap(owned_number([m = momentum_] { return m->load(); }, options_.dtype), CallSite::current_line());
}

Tensor BatchNorm::forward(const Tensor& x) const {
  if (std::find(ranks_.begin(), ranks_.end(), x.shape().rank()) == ranks_.end())
    fail(fmt::format("x of shape {}", x.shape().text()), fmt::format("Give an x of {} dimensions, (N, C, ...)", fmt::join(ranks_, " or ")));
  if (!is_training() && options_.track_running_stats)
    return batch_norm(x, running_mean, running_var, operand_of(weight), operand_of(bias), {.eps = options_.eps});
  const auto [y, mean, variance] = batch_norm_training(x, operand_of(weight), operand_of(bias), {.eps = options_.eps});
  if (!options_.track_running_stats) return y;
  // The running variance estimates the variance of all inputs, not of the batch, hence n - 1.
  const auto n = static_cast<double>(x.numel() / x.shape()[1]);
  const Tensor count = num_batches_tracked.value() + 1;
  num_batches_tracked.assign(count);
  const auto move_on = [&, momentum = share_of_batch()](const Variable& running, const Tensor& batch) {
    if (momentum)
      running.assign(running + *momentum * (batch - running));
    else
      running.assign(running + (batch - running) / cast(count, options_.dtype));
  };
  const NoGrad no_gradients_of_statistics;
  move_on(running_mean, mean);
  move_on(running_var, variance * (n / (n - 1)));
  return y;
}

}  // namespace cotan::nn
