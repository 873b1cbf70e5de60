// Convolutions by plain loops, for the few numbers that the library's kernels by way of matrix products get wrong: they write the padding's zeros into a buffer
// and multiply with them, and 0 times infinity is NaN where nothing should be added.
#pragma once

#include <span>

#include "backends/onednn/primitive.h"

namespace cotan::onednn {

// Whether the factor that meets padding (of a forward convolution the weights, of a gradient by the weights the cotangent) holds NaN or an infinity.
[[nodiscard]] bool meets_padding_not_finite(const ConvolutionProblem& problem, std::span<const void* const> inputs);

// A forward convolution, perhaps with a bias, or a gradient by the weights. It takes a nanosecond for each multiply-add and more.
void convolve_directly(const ConvolutionProblem& problem, std::span<const void* const> inputs, std::span<void* const> outputs);

}  // namespace cotan::onednn
