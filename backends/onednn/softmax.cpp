// softmax and log_softmax, forward and backward.
#include <fmt/format.h>

#include <utility>

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

}  // namespace

Made Primitive::make(const SoftmaxProblem& problem) {
  if (Made refused = refuse_common(problem.dtype, {problem.shape}); refused.refusal != Refusal::none) return refused;
  if (Made refused = refuse_form(problem); refused.refusal != Refusal::none) return refused;
  return make_held([&]() -> Made {
    const Layout x = layout_of(problem.shape, problem.x_strides), y = layout_of(problem.shape, problem.y_strides);
    const int axis = static_cast<int>(problem.axis);
    const bool forward = problem.direction == SoftmaxDirection::forward;
    const Descriptor descriptor = forward ? describe_softmax_forward(problem.log, x, y, axis) : describe_softmax_backward(problem.log, x, y, axis);
    if (is_reference(descriptor)) return refuse_reference(descriptor, "a softmax of this shape, axis and direction");
    auto program = std::make_unique<Program>();
    if (forward) {
      program->append(descriptor, {{DNNL_ARG_SRC, x, {Place::In::input, 0}}, {DNNL_ARG_DST, y, {Place::In::output}}});
    } else {
      program->append(descriptor,
                      {{DNNL_ARG_DST, y, {Place::In::input, 0}}, {DNNL_ARG_DIFF_DST, y, {Place::In::input, 1}}, {DNNL_ARG_DIFF_SRC, x, {Place::In::output}}});
    }
    program->set_implementation(descriptor.impl_info_str());
    program->set_exact_at_nonfinite(!forward && !problem.log);
    return {.primitive = std::make_shared<const Primitive>(std::move(program)), .refusal = Refusal::none, .reason = {}};
  });
}

}  // namespace cotan::onednn
