// This file is compiled once for each instruction set: foreach_target.h includes it again and again.
#include "backends/loops/nan_scan.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/loops/nan_scan.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace cotan::loops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Whether one of n numbers is found: by the vector's test or, at the end, by the number's. It looks at the answer once in a while only.
template <class Vector, class Number>
HWY_INLINE bool any(const float* x, std::size_t n, Vector in_vector, Number in_number) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d), step = 4 * lanes;
  std::size_t i = 0;
  while (i + step <= n) {
    const std::size_t end = i + HWY_MIN((n - i) / step * step, 64 * step);
    auto found = in_vector(d, hn::LoadU(d, x + i));
    for (; i < end; i += step) {
      const auto a = hn::Or(in_vector(d, hn::LoadU(d, x + i)), in_vector(d, hn::LoadU(d, x + i + lanes)));
      const auto b = hn::Or(in_vector(d, hn::LoadU(d, x + i + 2 * lanes)), in_vector(d, hn::LoadU(d, x + i + 3 * lanes)));
      found = hn::Or(found, hn::Or(a, b));
    }
    if (!hn::AllFalse(d, found)) return true;
  }
  for (; i < n; ++i)
    if (in_number(x[i])) return true;
  return false;
}

bool any_nan(const float* x, std::size_t n) {
  return any(
      x, n, [](auto, auto v) HWY_ATTR { return hn::IsNaN(v); }, [](float v) HWY_ATTR { return v != v; });
}

bool any_not_finite(const float* x, std::size_t n) {
  return any(
      x, n, [](auto, auto v) HWY_ATTR { return hn::IsNaN(hn::Sub(v, v)); }, [](float v) HWY_ATTR { return v - v != 0; });
}

bool any_equal(const float* x, std::size_t n, float wanted) {
  return any(
      x, n, [wanted](auto d, auto v) HWY_ATTR { return hn::Eq(v, hn::Set(d, wanted)); }, [wanted](float v) HWY_ATTR { return v == wanted; });
}

}  // namespace cotan::loops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cotan::loops {

HWY_EXPORT(any_nan);
HWY_EXPORT(any_not_finite);
HWY_EXPORT(any_equal);

bool any_nan(const float* x, std::size_t n) { return HWY_DYNAMIC_DISPATCH(any_nan)(x, n); }
bool any_not_finite(const float* x, std::size_t n) { return HWY_DYNAMIC_DISPATCH(any_not_finite)(x, n); }
bool any_equal(const float* x, std::size_t n, float v) { return HWY_DYNAMIC_DISPATCH(any_equal)(x, n, v); }

}  // namespace cotan::loops
#endif
