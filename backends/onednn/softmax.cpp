// softmax, forward and backward.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>

#include "backends/loops/nan_scan.h"
#include "backends/onednn/program.h"

namespace cotan::onednn {
namespace {

// The first fault in shape, axis or strides.
Made refuse_form(const SoftmaxProblem& problem) {
  const std::size_t rank = problem.shape.rank();
  if (problem.axis >= rank) return refuse(Refusal::malformed, fmt::format("axis {} of a tensor of {} dimensions", problem.axis, rank));
  for (const auto& [name, strides] : {std::pair("x", &problem.x_strides), {"y", &problem.y_strides}}) {
    if (strides->rank() != rank) return refuse(Refusal::malformed, fmt::format("{} has {} strides where {} are due", name, strides->rank(), rank));
    for (std::size_t i = 0; i < rank; ++i) {
      if ((*strides)[i] < 0) return refuse(Refusal::layout, fmt::format("{} has a negative stride ({})", name, (*strides)[i]));
      if ((*strides)[i] == 0 && problem.shape[i] > 1) return refuse(Refusal::layout, fmt::format("{} repeats its elements (stride 0)", name));
    }
  }
  return {};
}

// The library's layout. Dimensions of size 1 get the stride of a dense tensor: theirs says nothing, yet decides which implementation is found.
Layout layout_of(const Shape& shape, const Shape& strides) {
  dnnl::memory::dims sizes(shape.begin(), shape.end()), steps(strides.begin(), strides.end());
  for (std::size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 1) steps[i] = i + 1 < sizes.size() ? sizes[i + 1] * steps[i + 1] : 1;
  }
  return {sizes, dnnl::memory::data_type::f32, steps};
}

// Calls visit(offset) for every combination of entries of the dimensions from `from` on, but for that of the axis.
template <class Visit>
void each_row(const SoftmaxProblem& problem, std::size_t from, std::int64_t at, const Visit& visit) {
  if (from == problem.shape.rank()) return visit(at);
  const std::int64_t entries = from == problem.axis ? 1 : problem.shape[from];
  for (std::int64_t i = 0; i < entries; ++i) each_row(problem, from + 1, at + i * problem.y_strides[from], visit);
}

// The library writes NaN where x is NaN or +infinity, and 0 or NaN in the rest of the row: its sum is NaN, so all of the row is.
void spread_nan(const SoftmaxProblem& problem, float* y) {
  const bool dense = problem.y_strides == dense_strides(problem.shape);
  if (dense && !loops::any_nan(y, static_cast<std::size_t>(problem.shape.elements()))) return;
  const std::int64_t entries = problem.shape[problem.axis], stride = problem.y_strides[problem.axis];
  each_row(problem, 0, 0, [&](std::int64_t at) {
    bool found = false;
    for (std::int64_t i = 0; i < entries; ++i) found |= std::isnan(y[at + i * stride]);
    for (std::int64_t i = 0; found && i < entries; ++i) y[at + i * stride] = std::numeric_limits<float>::quiet_NaN();
  });
}

}  // namespace

Made Primitive::make(const SoftmaxProblem& problem) {
  if (Made refused = refuse_common(problem.dtype, {problem.shape}); refused.refusal != Refusal::none) return refused;
  if (Made refused = refuse_form(problem); refused.refusal != Refusal::none) return refused;
  return make_held([&]() -> Made {
    const Layout x = layout_of(problem.shape, problem.x_strides), y = layout_of(problem.shape, problem.y_strides);
    const int axis = static_cast<int>(problem.axis);
    const bool forward = problem.direction == SoftmaxDirection::forward;
    const Descriptor descriptor = forward ? describe_softmax_forward(x, y, axis) : describe_softmax_backward(x, y, axis);
    if (is_reference(descriptor)) return refuse_reference(descriptor, "a softmax of this shape, axis and direction");
    auto program = std::make_unique<Program>();
    if (forward) {
      program->append(descriptor, {{DNNL_ARG_SRC, x, {Place::In::input, 0}}, {DNNL_ARG_DST, y, {Place::In::output}}});
      program->set_afterwards(
          [problem](std::span<const void* const>, std::span<void* const> outputs) { spread_nan(problem, static_cast<float*>(outputs[0])); });
    } else {
      program->append(descriptor,
                      {{DNNL_ARG_DST, y, {Place::In::input, 0}}, {DNNL_ARG_DIFF_DST, y, {Place::In::input, 1}}, {DNNL_ARG_DIFF_SRC, x, {Place::In::output}}});
    }
    program->set_implementation(descriptor.impl_info_str());
    return {.primitive = std::make_shared<const Primitive>(std::move(program)), .refusal = Refusal::none, .reason = {}};
  });
}

}  // namespace cotan::onednn
