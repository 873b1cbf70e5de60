#include "backends/onednn/version.h"

#include <fmt/format.h>

namespace cotan::onednn {
namespace {

using dnnl::algorithm;
using dnnl::normalization_flags;
using dnnl::prop_kind;

// Scratch is the caller's: the library's own would be one buffer for each thread, created where the primitive is and missing where it runs.
dnnl::primitive_attr caller_scratch() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::primitive_attr with_post_ops(const dnnl::post_ops& after) {
  dnnl::primitive_attr attributes = caller_scratch();
  attributes.set_post_ops(after);
  return attributes;
}

algorithm algorithm_of(PostOpKind kind) {
  switch (kind) {
    case PostOpKind::linear: return algorithm::eltwise_linear;
    case PostOpKind::leaky_relu: return algorithm::eltwise_relu;
    case PostOpKind::elu: return algorithm::eltwise_elu;
    case PostOpKind::tanh: return algorithm::eltwise_tanh;
    case PostOpKind::sigmoid: return algorithm::eltwise_logistic;
    case PostOpKind::sqrt: return algorithm::eltwise_sqrt;
    case PostOpKind::square: return algorithm::eltwise_square;
    case PostOpKind::abs: return algorithm::eltwise_abs;
    case PostOpKind::silu: return algorithm::eltwise_swish;
    case PostOpKind::add: return algorithm::binary_add;
    case PostOpKind::sub: return algorithm::binary_sub;
    case PostOpKind::mul: return algorithm::binary_mul;
    case PostOpKind::div: return algorithm::binary_div;
    case PostOpKind::accumulate: break;
  }
  return algorithm::undef;
}

#if DNNL_VERSION_MAJOR >= 3

dnnl::convolution_forward::primitive_desc convolution_forward(const Layout& s, const Layout& w, const Layout* b, const Layout& r, const Windows& at,
                                                              const dnnl::primitive_attr& attributes) {
  constexpr prop_kind kind = prop_kind::forward_training;
  constexpr algorithm way = algorithm::convolution_direct;
  if (b == nullptr) return {cpu_engine(), kind, way, s, w, r, at.stride, at.dilation, at.padding_before, at.padding_after, attributes};
  return {cpu_engine(), kind, way, s, w, *b, r, at.stride, at.dilation, at.padding_before, at.padding_after, attributes};
}

dnnl::softmax_forward::primitive_desc softmax_forward(const Layout& x, const Layout& y, int axis) {
  return {cpu_engine(), prop_kind::forward_training, algorithm::softmax_accurate, x, y, axis, caller_scratch()};
}

dnnl::pooling_forward::primitive_desc pooling_forward(prop_kind kind, algorithm way, const Layout& s, const Layout& r, const dnnl::memory::dims& kernel,
                                                      const Windows& at) {
  return {cpu_engine(), kind, way, s, r, at.stride, kernel, at.dilation, at.padding_before, at.padding_after, caller_scratch()};
}

dnnl::layer_normalization_forward::primitive_desc layer_norm_forward(const Layout& x, const Layout& statistics, float epsilon, normalization_flags flags) {
  return {cpu_engine(), prop_kind::forward_training, x, x, statistics, epsilon, flags, caller_scratch()};
}

dnnl::batch_normalization_forward::primitive_desc batch_norm_forward(const Layout& x, float epsilon, normalization_flags flags) {
  return {cpu_engine(), prop_kind::forward_training, x, x, epsilon, flags, caller_scratch()};
}

#else

dnnl::convolution_forward::primitive_desc convolution_forward(const Layout& s, const Layout& w, const Layout* b, const Layout& r, const Windows& at,
                                                              const dnnl::primitive_attr& attributes) {
  constexpr prop_kind kind = prop_kind::forward_training;
  constexpr algorithm way = algorithm::convolution_direct;
  if (b == nullptr) return {{kind, way, s, w, r, at.stride, at.dilation, at.padding_before, at.padding_after}, attributes, cpu_engine()};
  return {{kind, way, s, w, *b, r, at.stride, at.dilation, at.padding_before, at.padding_after}, attributes, cpu_engine()};
}

dnnl::softmax_v2_forward::primitive_desc softmax_forward(const Layout& x, const Layout& y, int axis) {
  return {{prop_kind::forward_training, algorithm::softmax_accurate, x, y, axis}, caller_scratch(), cpu_engine()};
}

dnnl::pooling_v2_forward::primitive_desc pooling_forward(prop_kind kind, algorithm way, const Layout& s, const Layout& r, const dnnl::memory::dims& kernel,
                                                         const Windows& at) {
  return {{kind, way, s, r, at.stride, kernel, at.dilation, at.padding_before, at.padding_after}, caller_scratch(), cpu_engine()};
}

dnnl::layer_normalization_forward::primitive_desc layer_norm_forward(const Layout& x, const Layout& statistics, float epsilon, normalization_flags flags) {
  return {{prop_kind::forward_training, x, statistics, epsilon, flags}, caller_scratch(), cpu_engine()};
}

dnnl::batch_normalization_forward::primitive_desc batch_norm_forward(const Layout& x, float epsilon, normalization_flags flags) {
  return {{prop_kind::forward_training, x, epsilon, flags}, caller_scratch(), cpu_engine()};
}

#endif

algorithm way_of_pooling(bool max) { return max ? algorithm::pooling_max : algorithm::pooling_avg_include_padding; }

normalization_flags flags_of(bool affine) { return affine ? normalization_flags::use_scale | normalization_flags::use_shift : normalization_flags::none; }

}  // namespace

const dnnl::engine& cpu_engine() {
  static const auto* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

std::string library_name() {
  const dnnl_version_t& version = *dnnl_version();
  return fmt::format("oneDNN {}.{}.{}", version.major, version.minor, version.patch);
}

void append_post_op(dnnl::post_ops& ops, const PostOp& op, const Layout* tensor) {
  const algorithm way = algorithm_of(op.kind);
  const float alpha = op.kind == PostOpKind::silu ? 1.0f : op.alpha;
  if (op.kind == PostOpKind::accumulate)
    ops.append_sum(1.0f);
  else if (tensor != nullptr)
    ops.append_binary(way, *tensor);
  else
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(way, alpha, op.beta);
#else
    ops.append_eltwise(1.0f, way, alpha, op.beta);
#endif
}

Descriptor describe_matmul(const Layout& a, const Layout& b, const Layout* bias, const Layout& c, const dnnl::post_ops& after) {
  const dnnl::primitive_attr attributes = with_post_ops(after);
#if DNNL_VERSION_MAJOR >= 3
  if (bias != nullptr) return dnnl::matmul::primitive_desc(cpu_engine(), a, b, *bias, c, attributes);
  return dnnl::matmul::primitive_desc(cpu_engine(), a, b, c, attributes);
#else
  const auto desc = bias != nullptr ? dnnl::matmul::desc(a, b, *bias, c) : dnnl::matmul::desc(a, b, c);
  return dnnl::matmul::primitive_desc(desc, attributes, cpu_engine());
#endif
}

Descriptor describe_scaled_update(const Layout& a, const Layout& b, const Layout& c) {
  dnnl::post_ops sum;
  sum.append_sum(1.0f);
  dnnl::primitive_attr attributes = with_post_ops(sum);
#if DNNL_VERSION_MAJOR >= 3
  attributes.set_scales_mask(DNNL_ARG_SRC, 0);
  return dnnl::matmul::primitive_desc(cpu_engine(), a, b, c, attributes);
#else
  attributes.set_output_scales(0, {DNNL_RUNTIME_F32_VAL});
  return dnnl::matmul::primitive_desc({a, b, c}, attributes, cpu_engine());
#endif
}

int scaled_update_number() {
#if DNNL_VERSION_MAJOR >= 3
  return DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC;
#else
  return DNNL_ARG_ATTR_OUTPUT_SCALES;
#endif
}

Descriptor describe_convolution(ConvolutionDirection direction, const Layout& source, const Layout& weights, const Layout* bias, const Layout& result,
                                const Windows& at, const dnnl::post_ops& after) {
  const auto forward = convolution_forward(source, weights, bias, result, at, with_post_ops(after));
  constexpr algorithm direct = algorithm::convolution_direct;
  switch (direction) {
    case ConvolutionDirection::forward: return forward;
#if DNNL_VERSION_MAJOR >= 3
    case ConvolutionDirection::backward_data:
      return dnnl::convolution_backward_data::primitive_desc(cpu_engine(), direct, source, weights, result, at.stride, at.dilation, at.padding_before,
                                                             at.padding_after, forward, caller_scratch());
    case ConvolutionDirection::backward_weights:
      return dnnl::convolution_backward_weights::primitive_desc(cpu_engine(), direct, source, weights, result, at.stride, at.dilation, at.padding_before,
                                                                at.padding_after, forward, caller_scratch());
#else
    case ConvolutionDirection::backward_data:
      return dnnl::convolution_backward_data::primitive_desc({direct, source, weights, result, at.stride, at.dilation, at.padding_before, at.padding_after},
                                                             caller_scratch(), cpu_engine(), forward);
    case ConvolutionDirection::backward_weights:
      return dnnl::convolution_backward_weights::primitive_desc({direct, source, weights, result, at.stride, at.dilation, at.padding_before, at.padding_after},
                                                                caller_scratch(), cpu_engine(), forward);
#endif
  }
  __builtin_unreachable();
}

ConvolutionLayouts layouts_of(const Descriptor& convolution, ConvolutionDirection direction) {
  const bool data = direction == ConvolutionDirection::backward_data, weights = direction == ConvolutionDirection::backward_weights;
  using dnnl::query;
  return {.source = convolution.query_md(data ? query::diff_src_md : query::src_md),
          .weights = convolution.query_md(weights ? query::diff_weights_md : query::weights_md),
          .result = convolution.query_md(data || weights ? query::diff_dst_md : query::dst_md)};
}

Descriptor describe_softmax_forward(const Layout& x, const Layout& y, int axis) { return softmax_forward(x, y, axis); }

Descriptor describe_softmax_backward(const Layout& x, const Layout& y, int axis) {
  const auto forward = softmax_forward(x, y, axis);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::softmax_backward::primitive_desc(cpu_engine(), algorithm::softmax_accurate, x, y, y, axis, forward, caller_scratch());
#else
  return dnnl::softmax_v2_backward::primitive_desc({algorithm::softmax_accurate, x, y, y, axis}, caller_scratch(), cpu_engine(), forward);
#endif
}

Descriptor describe_pooling_forward(bool max, bool training, const Layout& source, const Layout& result, const dnnl::memory::dims& kernel, const Windows& at) {
  return pooling_forward(training ? prop_kind::forward_training : prop_kind::forward_inference, way_of_pooling(max), source, result, kernel, at);
}

Descriptor describe_pooling_backward(bool max, const Layout& source, const Layout& result, const dnnl::memory::dims& kernel, const Windows& at) {
  const algorithm way = way_of_pooling(max);
  const auto forward = pooling_forward(prop_kind::forward_training, way, source, result, kernel, at);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::pooling_backward::primitive_desc(cpu_engine(), way, source, result, at.stride, kernel, at.dilation, at.padding_before, at.padding_after, forward,
                                                caller_scratch());
#else
  return dnnl::pooling_v2_backward::primitive_desc({way, source, result, at.stride, kernel, at.dilation, at.padding_before, at.padding_after}, caller_scratch(),
                                                   cpu_engine(), forward);
#endif
}

Descriptor describe_layer_norm_forward(const Layout& x, const Layout& statistics, float epsilon, bool affine) {
  return layer_norm_forward(x, statistics, epsilon, flags_of(affine));
}

Descriptor describe_layer_norm_backward(const Layout& x, const Layout& statistics, float epsilon, bool affine) {
  const auto forward = layer_norm_forward(x, statistics, epsilon, flags_of(affine));
  const prop_kind kind = affine ? prop_kind::backward : prop_kind::backward_data;
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::layer_normalization_backward::primitive_desc(cpu_engine(), kind, x, x, x, statistics, epsilon, flags_of(affine), forward, caller_scratch());
#else
  return dnnl::layer_normalization_backward::primitive_desc({kind, x, x, statistics, epsilon, flags_of(affine)}, caller_scratch(), cpu_engine(), forward);
#endif
}

Descriptor describe_batch_norm_forward(const Layout& x, float epsilon, bool affine) { return batch_norm_forward(x, epsilon, flags_of(affine)); }

Descriptor describe_batch_norm_backward(const Layout& x, float epsilon, bool affine) {
  const auto forward = batch_norm_forward(x, epsilon, flags_of(affine));
  const prop_kind kind = affine ? prop_kind::backward : prop_kind::backward_data;
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::batch_normalization_backward::primitive_desc(cpu_engine(), kind, x, x, x, epsilon, flags_of(affine), forward, caller_scratch());
#else
  return dnnl::batch_normalization_backward::primitive_desc({kind, x, x, epsilon, flags_of(affine)}, caller_scratch(), cpu_engine(), forward);
#endif
}

int inputs_of(const Descriptor& descriptor) {
  int inputs = 0;
  dnnl::error::wrap_c_api(dnnl_primitive_desc_query(descriptor.get(), dnnl_query_num_of_inputs_s32, 0, &inputs), "asking for the number of inputs");
  return inputs;
}

Descriptor describe_reorder(const Layout& from, const Layout& to) {
  return dnnl::reorder::primitive_desc(cpu_engine(), from, cpu_engine(), to, caller_scratch());
}

}  // namespace cotan::onednn
