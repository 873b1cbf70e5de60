// This file is compiled once for each instruction set: foreach_target.h includes it again and again.
#include "backends/loops/reduce_runs.h"

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

// Whether v takes b's place: NaN beats everything but an earlier NaN, and of equals the earlier stays.
template <class T, bool max>
HWY_INLINE bool beats(T v, T b) {
  return (max ? v > b : v < b) || (v != v && b == b);
}

template <class T, bool max>
void block(const ReduceRun& r) {
  const auto* x = static_cast<const T*>(r.x);
  auto* best = static_cast<T*>(r.best);
  if (r.positions == nullptr) {
    if (r.step == 1)
      for (std::int64_t i = 0; i < r.n; ++i) best[i] = beats<T, max>(x[i], best[i]) ? x[i] : best[i];
    else
      for (std::int64_t i = 0; i < r.n; ++i) best[i] = beats<T, max>(x[i * r.step], best[i]) ? x[i * r.step] : best[i];
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
  const bool max = reduction == Reduction::max || reduction == Reduction::argmax;
  switch (dtype) {
#define DTYPE(name, type, kind)                                                                                                                               \
  case DType::name:                                                                                                                                           \
    if constexpr (is_computed(DType::name)) return along ? (max ? block<type, true> : block<type, false>) : (max ? single<type, true> : single<type, false>); \
    break;
    COTAN_DTYPES(DTYPE)
#undef DTYPE
  }
  return nullptr;
}

}  // namespace cotan::loops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cotan::loops {

HWY_EXPORT(find_reduce);

ReduceRunFunction reduce_run(DType dtype, Reduction reduction, bool along) { return HWY_DYNAMIC_DISPATCH(find_reduce)(dtype, reduction, along); }

}  // namespace cotan::loops
#endif
