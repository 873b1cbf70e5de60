// Poolings of dense planes, forward and backward.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "backends/onednn/program.h"

namespace cotan::onednn {
namespace {

using Dims = dnnl::memory::dims;
using Direction = PoolingDirection;

// The library's kernels work on blocks of so many channels. Planes are all alike here, so they are counted as images of one block each where that divides;
// channels that lie innermost are such blocks already.
constexpr std::int64_t block = 16;

Made refuse_form(const PoolingProblem& problem) {
  const std::size_t spatial = problem.input.rank();
  if (spatial < 1 || spatial > 3) return refuse(Refusal::malformed, fmt::format("a pooling over {} dimensions; 1 to 3 are possible", spatial));
  for (const auto& [name, sizes] : {std::pair("kernel size", &problem.kernel),
                                    {"output size", &problem.output},
                                    {"stride", &problem.stride},
                                    {"dilation", &problem.dilation},
                                    {"padding", &problem.padding}})
    if (sizes->rank() != spatial) return refuse(Refusal::malformed, fmt::format("{} entries for the {} where {} are due", sizes->rank(), name, spatial));
  for (std::size_t i = 0; i < spatial; ++i)
    if (problem.padding[i] < 0) return refuse(Refusal::malformed, fmt::format("a padding of {}", problem.padding[i]));
  return refuse_far_windows(problem.output, problem.stride, problem.kernel, problem.dilation, problem.padding);
}

Dims dims_of(const PoolingProblem& problem, const Shape& spatial) {
  const bool blocks = problem.planes % block == 0;
  Dims dims{blocks ? problem.planes / block : 1, blocks ? block : problem.planes};
  if (problem.channels > 1) dims = {problem.planes, problem.channels};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  return dims;
}

Layout layout_of(const PoolingProblem& problem, const Shape& spatial) {
  using Tag = dnnl::memory::format_tag;
  using Tags = std::array<Tag, 3>;
  const Tags tags = problem.channels == 1    ? Tags{Tag::ncw, Tag::nchw, Tag::ncdhw}
                    : problem.channels == 16 ? Tags{Tag::nCw16c, Tag::nChw16c, Tag::nCdhw16c}
                    : problem.channels == 8  ? Tags{Tag::nCw8c, Tag::nChw8c, Tag::nCdhw8c}
                                             : Tags{Tag::nwc, Tag::nhwc, Tag::ndhwc};
  return {dims_of(problem, spatial), dnnl::memory::data_type::f32, tags[spatial.rank() - 1]};
}

Windows windows_of(const PoolingProblem& problem) {
  Windows windows;
  for (std::size_t i = 0; i < problem.input.rank(); ++i) {
    windows.stride.push_back(problem.stride[i]);
    windows.dilation.push_back(problem.dilation[i] - 1);
    windows.padding_before.push_back(problem.padding[i]);
    // Entries after the last window are no concern of the library's as long as they are fewer than a stride.
    const std::int64_t after =
        (problem.output[i] - 1) * problem.stride[i] + (problem.kernel[i] - 1) * problem.dilation[i] + 1 - problem.input[i] - problem.padding[i];
    windows.padding_after.push_back(after < 0 && -after < problem.stride[i] ? 0 : after);
  }
  return windows;
}

}  // namespace

Made Primitive::make(const PoolingProblem& problem) {
  const Shape planes{problem.planes, problem.channels};
  Made refused = refuse_common(problem.dtype, {planes, problem.input, problem.kernel, problem.output, problem.stride, problem.dilation});
  if (refused.refusal == Refusal::none) refused = refuse_form(problem);
  if (refused.refusal != Refusal::none) return refused;
  return make_held([&]() -> Made {
    const Layout source = layout_of(problem, problem.input), result = layout_of(problem, problem.output);
    const Dims kernel(problem.kernel.begin(), problem.kernel.end());
    const Windows windows = windows_of(problem);
    const bool backward = problem.direction == Direction::backward, training = problem.direction == Direction::training;
    const Descriptor descriptor = backward ? describe_pooling_backward(problem.max, source, result, kernel, windows)
                                           : describe_pooling_forward(problem.max, training, source, result, kernel, windows);
    // What is not compiled for the sizes at hand is slower than loops: 20 times for a maximum over 224 x 224,
    // forward. 2.6 has no compiled kernel for one dimension, nor for planes of one row.
    if (std::string_view(descriptor.impl_info_str()).find("jit") == std::string_view::npos) return refuse_reference(descriptor, "this pooling");
    const Layout workspace = descriptor.query_md(dnnl::query::workspace_md);
    const bool with_workspace = problem.max && (backward || training);
    auto program = std::make_unique<Program>();
    std::vector<Program::Argument> arguments{{backward ? DNNL_ARG_DIFF_DST : DNNL_ARG_SRC, backward ? result : source, {Place::In::input, 0}},
                                             {backward ? DNNL_ARG_DIFF_SRC : DNNL_ARG_DST, backward ? source : result, {Place::In::output, 0}}};
    if (with_workspace) {
      arguments.push_back({DNNL_ARG_WORKSPACE, workspace, {backward ? Place::In::input : Place::In::output, 1}});
      program->set_workspace_bytes(workspace.get_size());
    }
    program->append(descriptor, std::move(arguments));
    // The library averages: the sum over the number of taps, those on the padding included.
    const double factor = problem.max ? problem.factor : problem.factor * static_cast<double>(problem.kernel.elements());
    if (!(std::abs(factor - 1) <= 1e-12))  // a NaN too
      program->scale_first_output(static_cast<float>(factor),
                                  static_cast<std::size_t>(problem.planes * problem.channels * (backward ? problem.input : problem.output).elements()));
    program->set_implementation(descriptor.impl_info_str());
    program->set_exact_at_nonfinite(!problem.max);
    return {.primitive = std::make_shared<const Primitive>(std::move(program)), .refusal = Refusal::none, .reason = {}};
  });
}

}  // namespace cotan::onednn
