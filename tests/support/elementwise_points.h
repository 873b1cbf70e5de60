// At which points elementwise rows are tried: random ones from each operand's range, and the edges of floating point.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "ops/elementwise.h"
#include "ops/error.h"
#include "tests/support/elementwise_oracles.h"
#include "tests/support/random.h"

namespace cotan::testing {

using Point = std::vector<double>;

// Types of operands that the row takes, `floating` where it takes that and bool elsewhere; nothing where no such combination is recorded.
[[nodiscard]] inline std::optional<std::vector<DType>> signature_of(const ElementwiseRow& row, DType floating = DType::f64) {
  const std::size_t n = row.operands.size();
  for (std::size_t booleans = 0; booleans < (std::size_t{1} << n); ++booleans) {
    std::vector<DType> types;
    for (std::size_t k = 0; k < n; ++k) types.push_back((booleans >> k & 1) != 0 ? DType::boolean : floating);
    try {
      static_cast<void>(formula_of(row, types, standard_parameters(row)));
      return types;
    } catch (const Error&) {
      // not these types: try the next
    }
  }
  return std::nullopt;
}

// 0, 1 and everything that formulas trip over.
[[nodiscard]] inline std::vector<double> edge_values(DType dtype) {
  if (dtype == DType::boolean) return {0, 1};
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  if (dtype == DType::f32) return {0.0, -0.0, 1, -1, 0.5, -2, 3, 0x1p-149, -0x1p-149, 0x1p-130, 0x1p120, -0x1p120, 0x1.fffffep127, inf, -inf, nan};
  return {0.0, -0.0, 1, -1, 0.5, -2, 3, 5e-324, -5e-324, 1e-310, 1e300, -1e300, std::numeric_limits<double>::max(), inf, -inf, nan};
}

// Every combination of the operands' edges: ties and opposite infinities are among them.
[[nodiscard]] inline std::vector<Point> edge_points(std::span<const DType> types) {
  std::vector<Point> points{{}};
  for (DType t : types) {
    std::vector<Point> longer;
    for (const Point& p : points)
      for (double v : edge_values(t)) {
        longer.push_back(p);
        longer.back().push_back(v);
      }
    points = std::move(longer);
  }
  return points;
}

// `count` random points of the row's ranges.
[[nodiscard]] inline std::vector<Point> sample_points(const ElementwiseRow& row, std::span<const DType> types, std::size_t count = 96) {
  Random random(row.name, 1);
  std::vector<Point> points;
  for (std::size_t i = 0; i < count; ++i) {
    Point p;
    for (std::size_t k = 0; k < types.size(); ++k) {
      const double v = random.uniform(row.samples[k].low, row.samples[k].high);
      p.push_back(types[k] == DType::boolean ? std::round(v) : round_to(types[k], v));
    }
    points.push_back(std::move(p));
  }
  return points;
}

// 0, 1, -1 for each operand as far as they lie inside its range: where formulas written by branches tend to break.
[[nodiscard]] inline std::vector<Point> special_points(const ElementwiseRow& row, std::span<const DType> types) {
  std::vector<Point> points{{}};
  for (std::size_t k = 0; k < types.size(); ++k) {
    std::vector<Point> longer;
    for (const Point& p : points)
      for (double v : {0.0, 1.0, -1.0, 0.75})
        if (v >= row.samples[k].low && v <= row.samples[k].high && (types[k] != DType::boolean || v == 0 || v == 1)) {
          longer.push_back(p);
          longer.back().push_back(v);
        }
    points = std::move(longer);
  }
  return points;
}

// True within `distance` of a kink or a tie that the row states.
[[nodiscard]] inline bool near_kink(const std::vector<ElementwiseRow::Kink>& kinks, std::span<const double> p, double distance) {
  for (const ElementwiseRow::Kink& k : kinks) {
    if (k.tie && std::abs(p[p.size() - 2] - p[p.size() - 1]) <= distance) return true;
    if (!k.tie && std::abs(p[0] - k.at) <= distance) return true;
  }
  return false;
}

}  // namespace cotan::testing
