// This file is compiled once for each instruction set: foreach_target.h includes it again and again.
#include "backends/loops/sum_runs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/loops/sum_runs.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cstring>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace cotan::loops::HWY_NAMESPACE {

template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

// Integers are widened with their sign.
template <class T>
HWY_INLINE Wide<T> widened(T v) {
  if constexpr (std::is_floating_point_v<T>)
    return static_cast<double>(v);
  else
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(v));
}

// coefficient * sum as an element.
template <class T>
HWY_INLINE T narrowed(Wide<T> sum, double coefficient) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(coefficient * sum);
  } else {
    return static_cast<T>(sum * static_cast<std::uint64_t>(static_cast<std::int64_t>(coefficient)));  // a whole number
  }
}

// The factors of a run, by type.
template <class T>
struct Factors {
  explicit Factors(const SumRun& r)
      : run(r), a(static_cast<const T*>(r.count > 0 ? r.factors[0] : nullptr)), b(static_cast<const T*>(r.count > 1 ? r.factors[1] : nullptr)) {}

  HWY_INLINE Wide<T> product(std::int64_t i) const {
    Wide<T> p = 1;
    for (int k = 0; k < run.count; ++k) p *= widened(static_cast<const T*>(run.factors[k])[i * run.steps[k]]);
    return p;
  }

  const SumRun& run;
  const T *a, *b;
};

// What adding changes nothing of, not even the sign of a zero.
template <class T>
HWY_INLINE Wide<T> nothing() {
  if constexpr (std::is_floating_point_v<T>)
    return -0.0;
  else
    return 0;
}

// Sums are formed in parts, point i going to part i % parts, whatever the vectors' length: the bits do not depend on the instruction set, and the parts' chains
// of additions hide each other's latency. How many parts there are depends on the number of points alone.
constexpr std::int64_t many_parts = parts_of(64), few_parts = parts_of(fewest_in_parts);

template <class T, std::int64_t parts>
HWY_INLINE Wide<T> joined(Wide<T>* part) {
  for (std::int64_t half = parts / 2; half >= 1; half /= 2)
    for (std::int64_t j = 0; j < half; ++j) part[j] += part[j + half];
  return part[0];
}

template <class T, std::int64_t parts, class Point>
HWY_INLINE Wide<T> sum_in_parts(std::int64_t n, const Point& point) {
  Wide<T> part[parts];
  for (std::int64_t j = 0; j < parts; ++j) part[j] = nothing<T>();
  std::int64_t i = 0;
  for (; i + parts <= n; i += parts)
    for (std::int64_t j = 0; j < parts; ++j) part[j] += point(i + j);
  for (std::int64_t j = 0; i < n; ++i, ++j) part[j] += point(i);
  return joined<T, parts>(part);
}

template <class T, class Point>
HWY_INLINE Wide<T> sum_of_points(std::int64_t n, const Point& point) {
  if (parts_of(n) == many_parts) return sum_in_parts<T, many_parts>(n, point);
  if (parts_of(n) == few_parts) return sum_in_parts<T, few_parts>(n, point);
  Wide<T> sum = point(0);
  for (std::int64_t i = 1; i < n; ++i) sum += point(i);
  return sum;
}

// Of one or more points.
template <class T>
Wide<T> sum_of_one(const T* a, std::int64_t step, std::int64_t n) {
  if (step == 1) return sum_of_points<T>(n, [&](std::int64_t i) { return widened(a[i]); });
  return sum_of_points<T>(n, [&](std::int64_t i) { return widened(a[i * step]); });
}

template <class T>
Wide<T> sum_of_two(const T* a, std::int64_t step_a, const T* b, std::int64_t step_b, std::int64_t n) {
  if (step_a == 1 && step_b == 1) return sum_of_points<T>(n, [&](std::int64_t i) { return widened(a[i]) * widened(b[i]); });
  return sum_of_points<T>(n, [&](std::int64_t i) { return widened(a[i * step_a]) * widened(b[i * step_b]); });
}

// The sum of a run's products; there is at least one point.
template <class T>
Wide<T> sum_of(const SumRun& r) {
  const Factors<T> f(r);
  switch (r.count) {
    case 0: return static_cast<Wide<T>>(r.points);
    case 1: return sum_of_one(f.a, r.steps[0], r.points);
    case 2: return sum_of_two(f.a, r.steps[0], f.b, r.steps[1], r.points);
    default: break;
  }
  Wide<T> sum = nothing<T>();
  for (std::int64_t i = 0; i < r.points; ++i) sum += f.product(i);
  return sum;
}

template <class T>
void accumulate(const SumRun& r) {
  auto* to = static_cast<Wide<T>*>(r.to);
  if (r.step == 0) {
    *to += sum_of<T>(r);
    return;
  }
  const Factors<T> f(r);
  const std::int64_t n = r.points;
  if (r.count == 1 && r.step == 1 && r.steps[0] == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] += widened(f.a[i]);
  } else if (r.count == 2 && r.step == 1 && r.steps[0] == 1 && r.steps[1] == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] += widened(f.a[i]) * widened(f.b[i]);
  } else if (r.count == 2 && r.step == 1 && (r.steps[0] == 0 || r.steps[1] == 0) && r.steps[0] + r.steps[1] == 1) {
    const Wide<T> once = widened(r.steps[0] == 0 ? *f.a : *f.b);
    const T* each = r.steps[0] == 0 ? f.b : f.a;
    for (std::int64_t i = 0; i < n; ++i) to[i] += once * widened(each[i]);
  } else if (r.count == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i * r.step] += widened(f.a[i * r.steps[0]]);
  } else if (r.count == 2) {
    for (std::int64_t i = 0; i < n; ++i) to[i * r.step] += widened(f.a[i * r.steps[0]]) * widened(f.b[i * r.steps[1]]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * r.step] += f.product(i);
  }
}

template <class T>
void direct(const SumRun& r) {
  auto* to = static_cast<T*>(r.to);
  if (r.step == 0) {
    *to = static_cast<T>(static_cast<double>(*to) + r.coefficient * sum_of<T>(r));
    return;
  }
  const Factors<T> f(r);
  auto add = [&](std::int64_t i, double v) { to[i * r.step] = static_cast<T>(static_cast<double>(to[i * r.step]) + r.coefficient * v); };
  if (r.count == 1)
    for (std::int64_t i = 0; i < r.points; ++i) add(i, widened(f.a[i * r.steps[0]]));
  else if (r.count == 2)
    for (std::int64_t i = 0; i < r.points; ++i) add(i, widened(f.a[i * r.steps[0]]) * widened(f.b[i * r.steps[1]]));
  else
    for (std::int64_t i = 0; i < r.points; ++i) add(i, f.product(i));
}

template <class T>
void assign(const SumRun& r) {
  auto* to = static_cast<T*>(r.to);
  const Factors<T> f(r);
  const std::int64_t n = r.points, step = r.step;
  if (r.count == 1 && r.coefficient == 1) {
    const std::int64_t from = r.steps[0];
    if (step == 1 && from == 1)
      std::memcpy(to, f.a, static_cast<std::size_t>(n) * sizeof(T));
    else if (step == 1 && from == 0)
      for (std::int64_t i = 0; i < n; ++i) to[i] = *f.a;
    else
      for (std::int64_t i = 0; i < n; ++i) to[i * step] = f.a[i * from];
  } else if (r.count == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i * step] = narrowed<T>(widened(f.a[i * r.steps[0]]), r.coefficient);
  } else if (r.count == 2 && step == 1 && r.steps[0] == 1 && r.steps[1] == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = narrowed<T>(widened(f.a[i]) * widened(f.b[i]), r.coefficient);
  } else if (r.count == 2) {
    for (std::int64_t i = 0; i < n; ++i) to[i * step] = narrowed<T>(widened(f.a[i * r.steps[0]]) * widened(f.b[i * r.steps[1]]), r.coefficient);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * step] = narrowed<T>(f.product(i), r.coefficient);
  }
}

template <class T>
void finish(const SumFinish& f) {
  const auto* from = static_cast<const Wide<T>*>(f.wide);
  auto* to = static_cast<T*>(f.to);
  if (f.step == 1)
    for (std::int64_t i = 0; i < f.count; ++i) to[i] = narrowed<T>(from[i], f.coefficient);
  else
    for (std::int64_t i = 0; i < f.count; ++i) to[i * f.step] = narrowed<T>(from[i], f.coefficient);
}

template <class T>
SumRunFunction run_of(RunForm form) {
  switch (form) {
    case RunForm::assign: return assign<T>;
    case RunForm::accumulate: return accumulate<T>;
    case RunForm::direct:
      if constexpr (std::is_floating_point_v<T>) return direct<T>;
      break;
  }
  return nullptr;
}

// The sum of the products of one row of at most two factors; there is at least one point.
template <class T>
HWY_INLINE Wide<T> sum_of_row(int count, const T* a, std::int64_t step_a, const T* b, std::int64_t step_b, std::int64_t n) {
  return count == 1 ? sum_of_one(a, step_a, n) : sum_of_two(a, step_a, b, step_b, n);
}

// Calls visit(row, row of the first factor, row of the second one or null).
template <class T, class Rows, class Visit>
HWY_INLINE void for_each_row(const Rows& r, const Visit& visit) {
  const auto *a = static_cast<const T*>(r.factors[0]), *b = static_cast<const T*>(r.factors[1]);
  for (std::int64_t row = 0; row < r.rows; ++row) visit(row, a + row * r.row_steps[0], r.count > 1 ? b + row * r.row_steps[1] : nullptr);
}

template <class T>
void rows(const SumRows& r) {
  auto* to = static_cast<T*>(r.to);
  for_each_row<T>(r, [&](std::int64_t row, const T* a, const T* b) {
    to[row * r.to_step] = narrowed<T>(sum_of_row(r.count, a, r.steps[0], b, r.steps[1], r.points), r.coefficient);
  });
}

template <class T, std::int64_t parts>
void add_to_parts(const SumParts& s) {
  const auto* from = static_cast<const T*>(s.from);
  auto* part = static_cast<Wide<T>*>(s.part);
  std::int64_t i = 0;
  for (std::int64_t j = s.first % parts; j != 0 && i < s.points; j = (j + 1) % parts, ++i) part[j] += widened(from[i]);
  for (; i + parts <= s.points; i += parts)
    for (std::int64_t j = 0; j < parts; ++j) part[j] += widened(from[i + j]);
  for (std::int64_t j = 0; i < s.points; ++i, ++j) part[j] += widened(from[i]);
}

template <class T>
void add_parts(const SumParts& s) {
  if (s.parts == many_parts) return add_to_parts<T, many_parts>(s);
  if (s.parts == few_parts) return add_to_parts<T, few_parts>(s);
  add_to_parts<T, 1>(s);
}

template <class T, std::int64_t parts>
void join_rows(const SumJoin& s) {
  auto* part = static_cast<Wide<T>*>(s.part);
  for (std::int64_t r = 0; r < s.rows; ++r) static_cast<T*>(s.to)[r] = narrowed<T>(joined<T, parts>(part + r * parts), s.coefficient);
}

template <class T>
void join(const SumJoin& s) {
  if (s.parts == many_parts) return join_rows<T, many_parts>(s);
  if (s.parts == few_parts) return join_rows<T, few_parts>(s);
  join_rows<T, 1>(s);
}

// to[i] += point(0, i), then point(1, i), ...: four rows for each time that the accumulators are read and written.
template <class T, class Point>
HWY_INLINE void add_rows(Wide<T>* HWY_RESTRICT to, std::int64_t rows, std::int64_t points, const Point& point) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4)
    for (std::int64_t i = 0; i < points; ++i) to[i] = (((to[i] + point(r, i)) + point(r + 1, i)) + point(r + 2, i)) + point(r + 3, i);
  for (; r < rows; ++r)
    for (std::int64_t i = 0; i < points; ++i) to[i] += point(r, i);
}

template <class T>
void columns(const SumColumns& c) {
  auto* to = static_cast<Wide<T>*>(c.to);
  const auto *a = static_cast<const T*>(c.factors[0]), *b = static_cast<const T*>(c.factors[1]);
  const std::int64_t row_a = c.row_steps[0], row_b = c.row_steps[1], step_a = c.steps[0], step_b = c.steps[1];
  if (!c.along) {
    for_each_row<T>(c, [&](std::int64_t, const T* x, const T* y) { *to += sum_of_row(c.count, x, step_a, y, step_b, c.points); });
  } else if (c.count == 1 && step_a == 1) {
    add_rows<T>(to, c.rows, c.points, [&](std::int64_t r, std::int64_t i) { return widened(a[r * row_a + i]); });
  } else if (c.count == 1) {
    add_rows<T>(to, c.rows, c.points, [&](std::int64_t r, std::int64_t i) { return widened(a[r * row_a + i * step_a]); });
  } else if (step_a == 1 && step_b == 1) {
    add_rows<T>(to, c.rows, c.points, [&](std::int64_t r, std::int64_t i) { return widened(a[r * row_a + i]) * widened(b[r * row_b + i]); });
  } else if (step_a == 0 && step_b == 1) {
    add_rows<T>(to, c.rows, c.points, [&](std::int64_t r, std::int64_t i) { return widened(a[r * row_a]) * widened(b[r * row_b + i]); });
  } else if (step_a == 1 && step_b == 0) {
    add_rows<T>(to, c.rows, c.points, [&](std::int64_t r, std::int64_t i) { return widened(a[r * row_a + i]) * widened(b[r * row_b]); });
  } else {
    add_rows<T>(to, c.rows, c.points, [&](std::int64_t r, std::int64_t i) { return widened(a[r * row_a + i * step_a]) * widened(b[r * row_b + i * step_b]); });
  }
}

// What is for storage only is moved as the bits that it is.
template <>
SumRunFunction run_of<bfloat16>(RunForm form) {
  return form == RunForm::assign ? assign<std::uint16_t> : nullptr;
}

SumRunFunction find_run(DType dtype, RunForm form) {
  return visit_dtype(dtype, [&](auto zero) { return run_of<decltype(zero)>(form); });
}
SumRowsFunction find_rows(DType dtype) {
  return computed_or_null<SumRowsFunction>(dtype, [](auto zero) { return rows<decltype(zero)>; });
}
SumColumnsFunction find_columns(DType dtype) {
  return computed_or_null<SumColumnsFunction>(dtype, [](auto zero) { return columns<decltype(zero)>; });
}
SumPartsFunction find_parts(DType dtype) {
  return computed_or_null<SumPartsFunction>(dtype, [](auto zero) { return add_parts<decltype(zero)>; });
}
SumJoinFunction find_join(DType dtype) {
  return computed_or_null<SumJoinFunction>(dtype, [](auto zero) { return join<decltype(zero)>; });
}
SumFinishFunction find_finish(DType dtype) {
  return computed_or_null<SumFinishFunction>(dtype, [](auto zero) { return finish<decltype(zero)>; });
}

}  // namespace cotan::loops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cotan::loops {

HWY_EXPORT(find_run);
HWY_EXPORT(find_rows);
HWY_EXPORT(find_columns);
HWY_EXPORT(find_parts);
HWY_EXPORT(find_join);
HWY_EXPORT(find_finish);

SumRunFunction sum_run(DType dtype, RunForm form) { return HWY_DYNAMIC_DISPATCH(find_run)(dtype, form); }
SumRowsFunction sum_rows(DType dtype) { return HWY_DYNAMIC_DISPATCH(find_rows)(dtype); }
SumColumnsFunction sum_columns(DType dtype) { return HWY_DYNAMIC_DISPATCH(find_columns)(dtype); }
SumPartsFunction sum_parts(DType dtype) { return HWY_DYNAMIC_DISPATCH(find_parts)(dtype); }
SumJoinFunction sum_join(DType dtype) { return HWY_DYNAMIC_DISPATCH(find_join)(dtype); }
SumFinishFunction sum_finish(DType dtype) { return HWY_DYNAMIC_DISPATCH(find_finish)(dtype); }

}  // namespace cotan::loops
#endif
