// Poolings of dense planes, forward and backward.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "backends/loops/nan_scan.h"
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

std::int64_t windows_in(const PoolingProblem& problem) { return problem.planes * problem.channels * problem.output.elements(); }

// The entry of a window that is its maximum, and its number among the taps: the first NaN, or the first of the greatest.
struct Largest {
  float value = -std::numeric_limits<float>::infinity();
  std::int64_t tap = -1;

  void meet(float v, std::int64_t which) {
    if (tap < 0 || v > value || (std::isnan(v) && !std::isnan(value))) value = v, tap = which;
  }
};

// The largest entry of the window at this position of a plane whose elements of one channel start at `plane`.
Largest largest_in(const PoolingProblem& problem, const float* plane, std::int64_t position) {
  const std::size_t spatial = problem.input.rank();
  Shape first(problem.input);  // the window's first entry, which may lie in the padding
  for (std::size_t d = spatial; d-- > 0;) {
    first[d] = position % problem.output[d] * problem.stride[d] - problem.padding[d];
    position /= problem.output[d];
  }
  Largest largest;
  for (std::int64_t tap = 0; tap < problem.kernel.elements(); ++tap) {
    std::int64_t rest = tap, offset = 0, step = problem.channels;
    bool inside = true;
    for (std::size_t d = spatial; d-- > 0; rest /= problem.kernel[d], step *= problem.input[d]) {
      const std::int64_t at = first[d] + rest % problem.kernel[d] * problem.dilation[d];
      inside &= at >= 0 && at < problem.input[d];
      offset += at * step;
    }
    if (inside) largest.meet(plane[offset], tap);
  }
  return largest;
}

// The library passes over NaN, and begins with the lowest finite number, which stays where a window holds nothing greater. Where the source or the result
// shows such a thing, all is computed again.
void find_again(const PoolingProblem& problem, const float* source, float* result, std::size_t tap_bytes, void* workspace) {
  const std::int64_t windows = windows_in(problem), plane_in = problem.channels * problem.input.elements(), positions = problem.output.elements();
  if (!loops::any_nan(source, static_cast<std::size_t>(problem.planes * plane_in)) &&
      !loops::any_equal(result, static_cast<std::size_t>(windows), std::numeric_limits<float>::lowest()))
    return;
  for (std::int64_t w = 0; w < windows; ++w) {
    const std::int64_t channel = w % problem.channels, at = w / problem.channels;
    const Largest largest = largest_in(problem, source + at / positions * plane_in + channel, at % positions);
    result[w] = largest.value;
    const std::int64_t tap = std::max<std::int64_t>(largest.tap, 0);
    if (tap_bytes == 1) static_cast<std::uint8_t*>(workspace)[w] = static_cast<std::uint8_t>(tap);
    if (tap_bytes == sizeof(std::int32_t)) static_cast<std::int32_t*>(workspace)[w] = static_cast<std::int32_t>(tap);
  }
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
    if (problem.max && !backward) {
      const std::size_t tap_bytes = training ? workspace.get_size() / static_cast<std::size_t>(windows_in(problem)) : 0;
      program->set_afterwards([problem, tap_bytes](std::span<const void* const> inputs, std::span<void* const> outputs) {
        find_again(problem, static_cast<const float*>(inputs[0]), static_cast<float*>(outputs[0]), tap_bytes, tap_bytes > 0 ? outputs[1] : nullptr);
      });
    }
    return {.primitive = std::make_shared<const Primitive>(std::move(program)), .refusal = Refusal::none, .reason = {}};
  });
}

}  // namespace cotan::onednn
