#include "autograd/nn/normalization.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "autograd/nn/detail_text.h"
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
  set_detail(fmt::format("{}, eps={}, elementwise_affine={}, bias={}", tuple_of(normalized_shape), shown(o.eps), shown(o.elementwise_affine), shown(o.elementwise_affine && o.bias)));
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
  set_detail(fmt::format("{}, {}, eps={}, affine={}, bias={}", num_groups, num_channels, shown(o.eps), shown(o.affine), shown(o.affine)));
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
  set_detail(fmt::format("{}, eps={}, momentum={}, affine={}, bias={}, track_running_stats={}", num_features_, shown(options_.eps), shown(momentum()),
                         shown(options_.affine), shown(options_.affine), shown(options_.track_running_stats)));
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

InstanceNorm::InstanceNorm(const char* kind, std::size_t spatial, std::int64_t num_features, const InstanceNormOptions& o, std::source_location where)
    : Layer(kind),
      weight(constant_parameter(*this, o.affine, "weight", {positive(kind, "num_features", num_features, where)}, 1, o.dtype, where)),
      bias(constant_parameter(*this, o.affine, "bias", {num_features}, 0, o.dtype, where)),
      running_mean(constant_buffer(*this, o.track_running_stats, "running_mean", {num_features}, 0, o.dtype, where)),
      running_var(constant_buffer(*this, o.track_running_stats, "running_var", {num_features}, 1, o.dtype, where)),
      num_batches_tracked(constant_buffer(*this, o.track_running_stats, "num_batches_tracked", {}, 0, i64, where)),
      spatial_(spatial),
      options_(o) {
  set_detail(fmt::format("{}, eps={}, momentum={}, affine={}, bias={}, track_running_stats={}", num_features, shown(o.eps), shown(o.momentum), shown(o.affine),
                         shown(o.affine), shown(o.track_running_stats)));
}

Tensor InstanceNorm::forward(const Tensor& given) const {
  const std::size_t rank = given.shape().rank();
  if (rank != spatial_ + 1 && rank != spatial_ + 2)
    fail(fmt::format("x of shape {}", given.shape().text()),
         fmt::format("Give an x of {} dimensions, (N, C, ...), or of {} without a batch", spatial_ + 2, spatial_ + 1));
  const bool batched = rank == spatial_ + 2, own_statistics = is_training() || !options_.track_running_stats;
  const Tensor x = batched ? given : unsqueeze(given, 0);
  const Tensor y = own_statistics
                       ? instance_norm(x, none, none, operand_of(weight), operand_of(bias), {.eps = options_.eps})
                       : instance_norm(x, running_mean, running_var, operand_of(weight), operand_of(bias), {.use_input_stats = false, .eps = options_.eps});
  if (own_statistics && options_.track_running_stats && options_.momentum) move_on(x);
  return batched ? y : squeeze(y, 0);
}

// The running statistics, by the mean over the samples of each channel's own ones.
void InstanceNorm::move_on(const Tensor& x) const {
  const NoGrad no_gradients_of_statistics;
  std::vector<std::int64_t> spatial;
  for (std::size_t d = 2; d < x.shape().rank(); ++d) spatial.push_back(static_cast<std::int64_t>(d));
  const auto [variance, average] = var_mean(x, {.dim = Dims(spatial)});
  const double share = *options_.momentum;
  running_mean.assign(running_mean + share * (mean(average, {.dim = 0}) - running_mean));
  running_var.assign(running_var + share * (mean(variance, {.dim = 0}) - running_var));
}

}  // namespace cotan::nn
