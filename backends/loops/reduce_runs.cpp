// This file is compiled once for each instruction set: foreach_target.h includes it again and again.
#include "backends/loops/reduce_runs.h"

#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/loops/reduce_runs.cpp"
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

// Whether v takes b's place: NaN beats everything but an earlier NaN, and of equals the earlier stays.
template <class T, bool max>
HWY_INLINE bool beats(T v, T b) {
  return (max ? v > b : v < b) || (v != v && b == b);
}

template <bool max, class V>
HWY_INLINE auto exceeds(V v, V b) {
  return max ? hn::Gt(v, b) : hn::Lt(v, b);
}

// The first of n numbers side by side that equals v, which is among them; NaN equals NaN.
template <class T>
HWY_INLINE std::int64_t first_equal(const T* x, std::int64_t n, T v) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto wanted = hn::Set(d, v);
  const bool nan = v != v;
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto at = hn::LoadU(d, x + i);
    const auto same = nan ? hn::IsNaN(at) : hn::Eq(at, wanted);
    if (!hn::AllFalse(d, same)) break;
  }
  while (i < n && !(nan ? x[i] != x[i] : x[i] == v)) ++i;
  return i;
}

// Where the extreme of n >= 1 floating numbers side by side stands: the first of equals, or the first NaN.
template <class T, bool max>
HWY_INLINE std::int64_t place_of_extreme(const T* x, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto nothing = hn::Set(d, x[0]);
  auto a = nothing, b = nothing, c = nothing, e = nothing;
  auto nan = hn::IsNaN(nothing);  // Ne is false for NaN on some targets
  auto see = [&](auto& best, const T* from) HWY_ATTR {
    const auto v = hn::LoadU(d, from);
    nan = hn::Or(nan, hn::IsNaN(v));
    best = hn::IfThenElse(exceeds<max>(v, best), v, best);
  };
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    see(a, x + i);
    see(b, x + i + lanes);
    see(c, x + i + 2 * lanes);
    see(e, x + i + 3 * lanes);
  }
  for (; i + lanes <= n; i += lanes) see(a, x + i);
  a = hn::IfThenElse(exceeds<max>(b, a), b, a);
  c = hn::IfThenElse(exceeds<max>(e, c), e, c);
  a = hn::IfThenElse(exceeds<max>(c, a), c, a);
  if (!hn::AllFalse(d, nan)) return first_equal(x, n, std::numeric_limits<T>::quiet_NaN());
  T best = hn::GetLane(max ? hn::MaxOfLanes(d, a) : hn::MinOfLanes(d, a));
  for (; i < n; ++i) best = beats<T, max>(x[i], best) ? x[i] : best;
  return first_equal(x, n, best);
}

template <class T, bool max>
void block(const ReduceRun& r) {
  const auto* x = static_cast<const T*>(r.x);
  auto* best = static_cast<T*>(r.best);
  if (r.positions == nullptr) {
    std::int64_t i = 0;
    if constexpr (std::is_floating_point_v<T>) {
      const hn::ScalableTag<T> d;
      const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
      for (; r.step == 1 && i + lanes <= r.n; i += lanes) {
        const auto v = hn::LoadU(d, x + i), b = hn::LoadU(d, best + i);
        const auto take = hn::Or(exceeds<max>(v, b), hn::And(hn::IsNaN(v), hn::Eq(b, b)));
        hn::StoreU(hn::IfThenElse(take, v, b), d, best + i);
      }
    }
    for (; i < r.n; ++i) best[i] = beats<T, max>(x[i * r.step], best[i]) ? x[i * r.step] : best[i];
    return;
  }
  for (std::int64_t i = 0; i < r.n; ++i) {
    const T v = x[i * r.step];
    const bool take = r.positions[i] < 0 || beats<T, max>(v, best[i]);
    best[i] = take ? v : best[i];
    r.positions[i] = take ? r.position : r.positions[i];
  }
}

template <class T, bool max>
void single(const ReduceRun& r) {
  const auto* x = static_cast<const T*>(r.x);
  T best = *static_cast<T*>(r.best);
  if constexpr (std::is_floating_point_v<T>) {
    if (r.step == 1 && r.n >= 16) {
      const std::int64_t at = place_of_extreme<T, max>(x, r.n);
      if ((r.positions != nullptr && *r.positions < 0) || beats<T, max>(x[at], best)) {
        *static_cast<T*>(r.best) = x[at];
        if (r.positions != nullptr) *r.positions = static_cast<std::int32_t>(r.position + at * r.position_step);
      }
      return;
    }
  }
  if (r.positions == nullptr) {
    for (std::int64_t i = 0; i < r.n; ++i) best = beats<T, max>(x[i * r.step], best) ? x[i * r.step] : best;
  } else {
    std::int64_t taken = -1;
    std::int64_t i = 0;
    if (*r.positions < 0) {
      best = x[0];
      taken = 0;
      i = 1;
    }
    for (; i < r.n; ++i) {
      if (!beats<T, max>(x[i * r.step], best)) continue;
      best = x[i * r.step];
      taken = i;
    }
    if (taken >= 0) *r.positions = static_cast<std::int32_t>(r.position + taken * r.position_step);
  }
  *static_cast<T*>(r.best) = best;
}

ReduceRunFunction find_reduce(DType dtype, Reduction reduction, bool along) {
  const bool max = seeks_largest(reduction);
  return computed_or_null<ReduceRunFunction>(dtype, [&](auto zero) {
    using T = decltype(zero);
    return along ? (max ? block<T, true> : block<T, false>) : (max ? single<T, true> : single<T, false>);
  });
}

}  // namespace cotan::loops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cotan::loops {

HWY_EXPORT(find_reduce);

ReduceRunFunction reduce_run(DType dtype, Reduction reduction, bool along) { return HWY_DYNAMIC_DISPATCH(find_reduce)(dtype, reduction, along); }

}  // namespace cotan::loops
#endif
