#include "backends/reference/kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ops/formula.h"

namespace cotan::reference {
namespace {

// What max (or min) of no point at all is.
double least(DType dtype, bool max) {
  switch (dtype) {
    case DType::i32:
    case DType::i64:
    case DType::u8:
    case DType::u32: return round_to(dtype, max ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity());
    case DType::boolean: return max ? 0 : 1;
    default: return max ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
}

bool beats(double challenger, double best, bool max) {
  if (std::isnan(best)) return false;
  return std::isnan(challenger) || (max ? challenger > best : challenger < best);
}

// Calls f(offset of a line's first entry, step between its entries) for each line along an axis.
template <class F>
void for_each_line(const Shape& shape, int axis, F&& f) {
  const auto d = static_cast<std::size_t>(axis);
  if (shape.elements() == 0) return;
  const Shape strides = dense_strides(shape);
  Shape others = shape;
  others[d] = 1;
  std::vector<std::int64_t> point(shape.rank(), 0);
  do {
    f(std::inner_product(point.begin(), point.end(), strides.begin(), std::int64_t{0}), strides[d]);
  } while (next_point(point, others));
}

}  // namespace

Array run_reduce(const ReduceSpec& spec, const ResultType& type, const Array& x) {
  const bool max = seeks_largest(spec.reduction), positions = gives_positions(spec.reduction);
  const auto outputs = static_cast<std::size_t>(spec.outputs), reduced = spec.domain.size() - outputs;
  const Shape shape(std::span<const std::int64_t>(spec.domain).first(outputs));
  std::vector<double> best(static_cast<std::size_t>(shape.elements()), least(x.dtype, max));
  std::vector<char> any(best.size(), 0);
  Array where = Array::zeros(DType::i32, positions ? type.shape : Shape{});

  const IndexReader reader({});
  const bool empty = std::find(spec.domain.begin(), spec.domain.end(), 0) != spec.domain.end();
  std::vector<std::int64_t> point(spec.domain.size(), 0);
  if (!empty) do {
      const auto at = reader.position(spec.access, x.shape, point);
      if (!at) continue;
      const double v = x.values[static_cast<std::size_t>(*at)];
      std::size_t to = 0;
      for (std::size_t d = 0; d < outputs; ++d) to = to * static_cast<std::size_t>(spec.domain[d]) + static_cast<std::size_t>(point[d]);
      if (any[to] != 0 && !beats(v, best[to], max)) continue;
      any[to] = 1;
      best[to] = v;
      if (positions)
        for (std::size_t r = 0; r < reduced; ++r) where.values[to * reduced + r] = static_cast<double>(point[outputs + r]);
    } while (next_point(point, spec.domain));
  if (positions) return where;
  return {type.dtype, type.shape, std::move(best)};
}

Array run_scan(const ScanSpec& spec, const Array& a, const Array& b) {
  Array out = Array::zeros(b.dtype, b.shape);
  for_each_line(b.shape, spec.axis, [&](std::int64_t first, std::int64_t step) {
    const std::int64_t n = b.shape[static_cast<std::size_t>(spec.axis)];
    double s = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(first + (spec.reverse ? n - 1 - i : i) * step);
      if (is_floating(b.dtype))
        s = i == 0 ? b.values[at] : a.values[at] * s + b.values[at];
      else
        s = apply_atom(Atom::add, b.dtype, apply_atom(Atom::mul, b.dtype, a.values[at], s, 0), b.values[at], 0);
      out.values[at] = s;
    }
  });
  return out;
}

Array run_order(const OrderSpec& spec, const Array& x) {
  Array out = Array::zeros(DType::i32, x.shape);
  for_each_line(x.shape, spec.axis, [&](std::int64_t first, std::int64_t step) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(x.shape[static_cast<std::size_t>(spec.axis)]));
    std::iota(order.begin(), order.end(), 0);
    auto value = [&](std::int64_t i) { return x.values[static_cast<std::size_t>(first + i * step)]; };
    auto less = [](double u, double v) { return u < v || (std::isnan(v) && !std::isnan(u)); };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t i, std::int64_t j) { return spec.descending ? less(value(j), value(i)) : less(value(i), value(j)); });
    for (std::size_t i = 0; i < order.size(); ++i)
      out.values[static_cast<std::size_t>(first + static_cast<std::int64_t>(i) * step)] = static_cast<double>(order[i]);
  });
  return out;
}

void run_check(const CheckSpec& spec, const Array& x) {
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double v = x.values[i];
    if (v >= 0 && v < static_cast<double>(spec.below)) continue;
    const auto [problem, remedy] = spec.error_of(whole_number(v), static_cast<std::int64_t>(i));
    fail(problem, remedy);
  }
}

}  // namespace cotan::reference
