#include "backends/onednn/version.h"

#include <fmt/format.h>

namespace cotan::onednn {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

// Scratch is the caller's: the library's own would be one buffer for each thread, created where the primitive is and missing where it runs.
dnnl::primitive_attr caller_scratch() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

#if DNNL_VERSION_MAJOR >= 3

dnnl::convolution_forward::primitive_desc convolution_forward(const Layout& s, const Layout& w, const Layout& r, const Windows& at) {
  return {cpu_engine(),    prop_kind::forward_training, algorithm::convolution_direct, s, w, r, at.stride, at.dilation, at.padding_before, at.padding_after,
          caller_scratch()};
}

dnnl::softmax_forward::primitive_desc softmax_forward(bool log, const Layout& x, const Layout& y, int axis) {
  return {cpu_engine(), prop_kind::forward_training, log ? algorithm::softmax_log : algorithm::softmax_accurate, x, y, axis, caller_scratch()};
}

#else

dnnl::convolution_forward::primitive_desc convolution_forward(const Layout& s, const Layout& w, const Layout& r, const Windows& at) {
  return {{prop_kind::forward_training, algorithm::convolution_direct, s, w, r, at.stride, at.dilation, at.padding_before, at.padding_after},
          caller_scratch(),
          cpu_engine()};
}

dnnl::softmax_v2_forward::primitive_desc softmax_forward(bool log, const Layout& x, const Layout& y, int axis) {
  return {{prop_kind::forward_training, log ? algorithm::softmax_log : algorithm::softmax_accurate, x, y, axis}, caller_scratch(), cpu_engine()};
}

#endif

}  // namespace

const dnnl::engine& cpu_engine() {
  static const auto* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

std::string library_name() {
  const dnnl_version_t& version = *dnnl_version();
  return fmt::format("oneDNN {}.{}.{}", version.major, version.minor, version.patch);
}

Descriptor describe_matmul(const Layout& a, const Layout& b, const Layout& c, bool accumulate) {
  dnnl::primitive_attr attributes = caller_scratch();
  if (accumulate) {
    dnnl::post_ops after;
    after.append_sum(1.0f);
    attributes.set_post_ops(after);
  }
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(cpu_engine(), a, b, c, attributes);
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), attributes, cpu_engine());
#endif
}

Descriptor describe_convolution(ConvolutionDirection direction, const Layout& source, const Layout& weights, const Layout& result, const Windows& at) {
  const auto forward = convolution_forward(source, weights, result, at);
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

Descriptor describe_softmax_forward(bool log, const Layout& x, const Layout& y, int axis) { return softmax_forward(log, x, y, axis); }

Descriptor describe_softmax_backward(bool log, const Layout& x, const Layout& y, int axis) {
  const auto forward = softmax_forward(log, x, y, axis);
  const algorithm kind = log ? algorithm::softmax_log : algorithm::softmax_accurate;
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::softmax_backward::primitive_desc(cpu_engine(), kind, x, y, y, axis, forward, caller_scratch());
#else
  return dnnl::softmax_v2_backward::primitive_desc({kind, x, y, y, axis}, caller_scratch(), cpu_engine(), forward);
#endif
}

Descriptor describe_reorder(const Layout& from, const Layout& to) {
  return dnnl::reorder::primitive_desc(cpu_engine(), from, cpu_engine(), to, caller_scratch());
}

}  // namespace cotan::onednn
