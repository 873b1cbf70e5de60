// Whether there are numbers of a kind among many, at the speed of the cache. Compiled once for each instruction set, like the tile operations.
#pragma once

#include <cstddef>

namespace cotan::loops {

// Whether one of n numbers side by side is NaN.
[[nodiscard]] bool any_nan(const float* x, std::size_t n);
// Whether one of n numbers side by side is NaN or an infinity.
[[nodiscard]] bool any_not_finite(const float* x, std::size_t n);
// Whether one of n numbers side by side equals v.
[[nodiscard]] bool any_equal(const float* x, std::size_t n, float v);

}  // namespace cotan::loops
