// Where a convolution's tensors lie: a recognised sum over given views as the library's problem.
#pragma once

#include <array>
#include <string>
#include <variant>

#include "backends/onednn/claims.h"

namespace cotan::onednn {

// The order of a convolution's tensors in strides and base offsets.
enum ConvolutionTensor : std::size_t { source, weights, result };

// A convolution in terms of the library, and where its tensors start, in elements after each view's first.
struct Located {
  ConvolutionProblem problem;
  std::array<std::int64_t, 3> base{};
};

// The problem, or what about the views it cannot say.
[[nodiscard]] std::variant<Located, std::string> locate(const ConvolutionForm& form, const SumSpec& spec, const SumViews& views);

}  // namespace cotan::onednn
