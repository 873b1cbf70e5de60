// The one place that knows which oneDNN it is compiled against: 2.x makes a primitive's descriptor from an operation descriptor, 3.x from the arguments
// themselves, and the two name softmax differently. Everything else in this folder uses only what both have in common.
//
// Every function returns a descriptor from which the primitive, its implementation's name and its memory layouts are read, or throws dnnl::error. Call them
// with the library held to one thread (one_thread.h): the number of threads is fixed here.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <string>

#include "backends/onednn/primitive.h"

namespace cotan::onednn {

using Descriptor = dnnl::primitive_desc_base;
using Layout = dnnl::memory::desc;

// The CPU engine, shared by all and never destroyed: primitives held by static objects may outlive any order of destruction.
[[nodiscard]] const dnnl::engine& cpu_engine();

// Appends one step; `tensor` is the layout of what it reads, if it reads anything.
void append_post_op(dnnl::post_ops& ops, const PostOp& op, const Layout* tensor);

// c = a * b over layouts of equal rank, plus a bias if there is one, then the post-operations.
[[nodiscard]] Descriptor describe_matmul(const Layout& a, const Layout& b, const Layout* bias, const Layout& c, const dnnl::post_ops& after);

// c += number * (a * b), the number being read at run time: one float, the argument named below.
[[nodiscard]] Descriptor describe_scaled_update(const Layout& a, const Layout& b, const Layout& c);
[[nodiscard]] int scaled_update_number();

// Window parameters as oneDNN counts them: dilation 0 is a dense kernel.
struct Windows {
  dnnl::memory::dims stride, dilation, padding_before, padding_after;
};

// One direction of a convolution. `source`, `weights`, `result` are the layouts of the tensors or, for the direction's output and its cotangent, of their
// cotangents. Only the forward direction may have a bias and post-operations.
[[nodiscard]] Descriptor describe_convolution(ConvolutionDirection direction, const Layout& source, const Layout& weights, const Layout* bias,
                                              const Layout& result, const Windows& windows, const dnnl::post_ops& after);

// The layouts that a convolution's descriptor settled on.
struct ConvolutionLayouts {
  Layout source, weights, result;
};
[[nodiscard]] ConvolutionLayouts layouts_of(const Descriptor& convolution, ConvolutionDirection direction);

// y = softmax(x) along `axis`.
[[nodiscard]] Descriptor describe_softmax_forward(const Layout& x, const Layout& y, int axis);

// The cotangent of x, laid out like x, from y and its cotangent.
[[nodiscard]] Descriptor describe_softmax_backward(const Layout& x, const Layout& y, int axis);

// A pooling over windows of these sizes, all layouts plain: forward (`training`: it makes a workspace if it is a maximum), or the gradient, which reads it.
[[nodiscard]] Descriptor describe_pooling_forward(bool max, bool training, const Layout& source, const Layout& result, const dnnl::memory::dims& kernel,
                                                  const Windows& at);
[[nodiscard]] Descriptor describe_pooling_backward(bool max, const Layout& source, const Layout& result, const dnnl::memory::dims& kernel, const Windows& at);

// Norms over x, whose result and cotangents are laid out like it; `affine`: with a scale and a shift. `statistics` is the layout of mean and variance.
[[nodiscard]] Descriptor describe_layer_norm_forward(const Layout& x, const Layout& statistics, float epsilon, bool affine);
[[nodiscard]] Descriptor describe_layer_norm_backward(const Layout& x, const Layout& statistics, float epsilon, bool affine);
[[nodiscard]] Descriptor describe_batch_norm_forward(const Layout& x, float epsilon, bool affine);
[[nodiscard]] Descriptor describe_batch_norm_backward(const Layout& x, float epsilon, bool affine);
// How many inputs a primitive expects. Whether the gradient of a norm wants the shift, which it does not read, differs between versions and kinds of norm.
[[nodiscard]] int inputs_of(const Descriptor& descriptor);

// A copy from one layout to another.
[[nodiscard]] Descriptor describe_reorder(const Layout& from, const Layout& to);

}  // namespace cotan::onednn
