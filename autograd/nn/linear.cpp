#include "autograd/nn/linear.h"

#include <fmt/format.h>

#include "autograd/nn/detail_text.h"
#include "autograd/nn/parameters.h"
#include "autograd/ops.h"
#include "ops/error.h"
#include "ops/sizes.h"

namespace cotan::nn {

Linear::Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& o, std::source_location where)
    : Linear("Linear", in_features, out_features, o, where) {}

Linear::Linear(const char* kind, std::int64_t in_features, std::int64_t out_features, const LinearOptions& o, std::source_location where)
    : Layer(kind),
      weight(uniform_parameter(*this, "weight", {positive(kind, "out_features", out_features, where), positive(kind, "in_features", in_features, where)},
                               in_features, {o.dtype, o.generator, where})),
      bias(o.bias ? uniform_parameter(*this, "bias", {out_features}, in_features, {o.dtype, o.generator, where}) : Variable()) {
  set_detail(fmt::format("in_features={}, out_features={}, bias={}", in_features, out_features, shown(o.bias)));
}

Tensor Linear::forward(const Tensor& x) const { return linear(x, weight, operand_of(bias)); }

namespace {

constexpr const char* conv_names[] = {"Conv1d", "Conv2d", "Conv3d"};

// The sizes of the weight, once they are known to make sense.
template <std::size_t N>
Shape weight_shape(std::int64_t in_channels, std::int64_t out_channels, const ConvOptions<N>& o, std::source_location where) {
  const CallSite site(conv_names[N - 1], where);
  if (o.kernel_size == Spatial<N>(0)) fail("no kernel_size", "Name it: {.kernel_size = 3}");
  for (const auto& [what, size] : {std::pair("in_channels", in_channels), {"out_channels", out_channels}, {"groups", o.groups}})
    static_cast<void>(positive(conv_names[N - 1], what, size, where));
  if (in_channels % o.groups != 0 || out_channels % o.groups != 0)
    fail(fmt::format("{} groups of {} input and {} output channels", o.groups, in_channels, out_channels), "Both numbers of channels are divisible by groups");
  Shape shape{out_channels, in_channels / o.groups};
  for (const std::int64_t size : o.kernel_size.values) shape.push_back(positive(conv_names[N - 1], "kernel_size", size, where));
  return shape;
}

template <std::size_t N>
std::int64_t fan_in_of(std::int64_t in_channels, const ConvOptions<N>& o) {
  std::int64_t fan = in_channels / o.groups;
  for (const std::int64_t size : o.kernel_size.values) fan = product_of_sizes(fan, size);
  return fan;
}

}  // namespace

template <std::size_t N>
Conv<N>::Conv(std::int64_t in_channels, std::int64_t out_channels, const ConvOptions<N>& o, std::source_location where)
    : Layer(conv_names[N - 1]),
      weight(uniform_parameter(*this, "weight", weight_shape(in_channels, out_channels, o, where), fan_in_of(in_channels, o), {o.dtype, o.generator, where})),
      bias(o.bias ? uniform_parameter(*this, "bias", {out_channels}, fan_in_of(in_channels, o), {o.dtype, o.generator, where}) : Variable()),
      options_(o) {
  std::string detail = fmt::format("{}, {}, kernel_size={}, stride={}", in_channels, out_channels, tuple_of(o.kernel_size), tuple_of(o.stride));
  if (o.padding.word() || o.padding.sizes() != Spatial<N>(0)) detail += fmt::format(", padding={}", o.padding.word().value_or(tuple_of(o.padding.sizes())));
  if (o.dilation != Spatial<N>(1)) detail += fmt::format(", dilation={}", tuple_of(o.dilation));
  if (o.groups != 1) detail += fmt::format(", groups={}", o.groups);
  if (!o.bias) detail += ", bias=False";
  set_detail(std::move(detail));
}

template <std::size_t N>
Tensor Conv<N>::forward(const Tensor& x) const {
  const auto& o = options_;
  const OptionalOperand b = operand_of(bias);
  if constexpr (N == 1)
    return conv1d(x, weight, b, {.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups});
  else if constexpr (N == 2)
    return conv2d(x, weight, b, {.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups});
  else
    return conv3d(x, weight, b, {.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups});
}

template class Conv<1>;
template class Conv<2>;
template class Conv<3>;

namespace {

// Standard normal rows, the row of the padding zeros.
Tensor embedding_rows(std::int64_t count, std::int64_t dim, const EmbeddingOptions& o, std::source_location where) {
  const CallSite site("Embedding", where);
  const Shape shape{positive("Embedding", "num_embeddings", count, where), positive("Embedding", "embedding_dim", dim, where)};
  const Tensor rows = normal(shape, {.dtype = o.dtype}, o.generator);
  if (!o.padding_idx) return rows;
  if (*o.padding_idx < -count || *o.padding_idx >= count)
    fail(fmt::format("padding_idx {} of {} rows", *o.padding_idx, count), "Give the index of a row, or a negative one that counts from the end");
  const std::int64_t row = *o.padding_idx < 0 ? *o.padding_idx + count : *o.padding_idx;
  return cotan::where(reshape(arange(count), {count, 1}) == row, 0, rows);
}

}  // namespace

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingOptions& o, std::source_location where)
    : Layer("Embedding"), weight(register_parameter("weight", embedding_rows(num_embeddings, embedding_dim, o, where), where)), padding_idx_(o.padding_idx) {
  std::string detail = fmt::format("{}, {}", num_embeddings, embedding_dim);
  if (o.padding_idx) detail += fmt::format(", padding_idx={}", *o.padding_idx < 0 ? *o.padding_idx + num_embeddings : *o.padding_idx);
  set_detail(std::move(detail));
}

Tensor Embedding::forward(const Tensor& indices) const { return embedding(indices, weight, {.padding_idx = padding_idx_}); }

}  // namespace cotan::nn
