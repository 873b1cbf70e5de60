// Checks of one elementwise operation as a formula: its value against an oracle, its derivatives against differences, its conventions at kinks.
//
// Everything under test is an argument, so that tests of the tests can plant a fault in any part.
#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "tests/support/close.h"
#include "tests/support/elementwise_points.h"

namespace cotan::testing {

using ScalarFunction = std::function<double(std::span<const double>)>;

// An operation to be checked: a row of the table, or one with a planted fault.
struct ElementwiseCase {
  std::string name;
  FormulaRef formula;
  ScalarFunction oracle;
  std::vector<FormulaRef> derivatives;  // by each operand; null: structurally zero
  std::vector<ElementwiseRow::Kink> kinks;
};

[[nodiscard]] inline ElementwiseCase case_of(const ElementwiseRow& row, std::span<const DType> types, const std::vector<double>& parameters) {
  ElementwiseCase c;
  c.name = row.name;
  c.formula = formula_of(row, types, parameters);
  c.oracle = [oracle = oracle_of(row), parameters](std::span<const double> p) { return oracle(p, parameters); };
  for (std::size_t k = 0; k < types.size(); ++k) c.derivatives.push_back(derivative(c.formula, static_cast<int>(k)));
  c.kinks = row.kinks(parameters);
  return c;
}
[[nodiscard]] inline ElementwiseCase case_of(const ElementwiseRow& row, std::span<const DType> types) { return case_of(row, types, standard_parameters(row)); }

[[nodiscard]] inline double value_of(const FormulaRef& f, std::span<const double> p) {
  std::vector<double> scratch;
  return evaluate(*f, p, scratch, false);
}

// A derivative's formula at a point: its operands are the operation's and then the operation's value.
[[nodiscard]] inline double derivative_at(const FormulaRef& d, const FormulaRef& f, std::span<const double> p) {
  if (!d) return 0;
  Point with_value(p.begin(), p.end());
  with_value.push_back(value_of(f, p));
  return value_of(d, with_value);
}

// Fourth-order central difference of f by operand k: good to about 1e-11 of the function's size, and to 1e-9 of it where it varies over lengths of 0.05.
[[nodiscard]] inline double central_difference(const ScalarFunction& f, std::span<const double> p, std::size_t k, double h = 2e-4) {
  auto at = [&](double step) {
    Point moved(p.begin(), p.end());
    moved[k] += step;
    return f(moved);
  };
  return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
}

// A difference between formula and oracle that is right, and why.
struct AllowedDifference {
  std::string_view row;
  bool (*at)(std::span<const double>);
  std::string_view reason;
};

// The value at each point equals the oracle's within `ulp` numbers of the result's type. Where the row states kinks the sign of a zero is free: which of two
// equal operands is returned is no part of the convention.
[[nodiscard]] inline Failures check_value(const ElementwiseCase& c, const std::vector<Point>& points, double ulp,
                                          std::span<const AllowedDifference> allowed = {}) {
  Failures failures;
  for (const Point& p : points) {
    const double got = value_of(c.formula, p), wanted = round_to(c.formula->dtype(), c.oracle(p));
    const double apart = c.formula->dtype() == DType::f32 ? ulp_distance(static_cast<float>(got), static_cast<float>(wanted)) : ulp_distance(got, wanted);
    const bool zero_signs = got != 0 || wanted != 0 || !c.kinks.empty() || same_number(got, wanted, true);
    if (apart <= ulp && zero_signs) continue;
    bool excused = false;
    for (const AllowedDifference& a : allowed) excused |= a.row == c.name && a.at(p);
    if (!excused) failures.push_back(fmt::format("{}({}) = {}, the oracle says {}", c.name, list_text(p), got, wanted));
  }
  return failures;
}

// The derivatives equal central differences of the oracle at points that are not beside a kink.
[[nodiscard]] inline Failures check_derivatives(const ElementwiseCase& c, const std::vector<Point>& points, double tolerance = 1e-8) {
  Failures failures;
  if (!is_floating(c.formula->dtype())) {
    for (const FormulaRef& d : c.derivatives)
      if (d) failures.push_back(fmt::format("{} is {} and has a derivative", c.name, name_of(c.formula->dtype())));
    return failures;
  }
  for (const Point& p : points) {
    if (near_kink(c.kinks, p, 3e-3)) continue;
    for (std::size_t k = 0; k < p.size(); ++k) {
      if (!is_floating(c.formula->operands[k])) {
        if (c.derivatives[k]) failures.push_back(fmt::format("{} has a derivative by operand {}, which is not floating", c.name, k));
        continue;
      }
      const double got = derivative_at(c.derivatives[k], c.formula, p), wanted = central_difference(c.oracle, p, k);
      const double scale = std::max({1.0, std::abs(wanted), std::abs(c.oracle(p))});
      if (!close(got, wanted, tolerance, scale))
        failures.push_back(fmt::format("d {}({}) by operand {} = {}, differences say {}", c.name, list_text(p), k, got, wanted));
    }
  }
  return failures;
}

// What the row states about kinks and ties holds, and each stated derivative lies between the one-sided ones.
[[nodiscard]] inline Failures check_kinks(const ElementwiseCase& c) {
  Failures failures;
  for (const ElementwiseRow::Kink& kink : c.kinks) {
    const std::size_t n = c.formula->operands.size();
    for (double at : kink.tie ? std::vector<double>{0, 1, -1, 2.5} : std::vector<double>{kink.at}) {
      const Point p(n, at);
      for (std::size_t k = 0; k < kink.derivatives.size(); ++k) {
        const double got = derivative_at(c.derivatives[k], c.formula, p), wanted = kink.derivatives[k];
        if (!same_number(got, wanted)) failures.push_back(fmt::format("d {}({}) by operand {} = {}, the row states {}", c.name, list_text(p), k, got, wanted));
        auto slope = [&](double h) {
          Point moved = p;
          moved[k] += h;
          return (c.oracle(moved) - c.oracle(p)) / h;
        };
        const double left = slope(-1e-6), right = slope(1e-6);
        if (wanted < std::min(left, right) - 1e-5 || wanted > std::max(left, right) + 1e-5)
          failures.push_back(fmt::format("{} states {} at {}, outside the slopes {} and {} beside it", c.name, wanted, at, left, right));
      }
    }
  }
  return failures;
}

// A stated derivative equals the one derived from the atoms within `ulp` units in the last place of the largest derivative over the points. (Units of each
// value itself would be too much to ask: y * (1 - y) loses relative accuracy where it is small, as does the derived form elsewhere.)
[[nodiscard]] inline Failures check_stated(const ElementwiseCase& c, const FormulaRef& stated, const FormulaRef& derived, std::size_t k,
                                           const std::vector<Point>& points, double ulp = 8) {
  double scale = 0;
  for (const Point& p : points) scale = std::max(scale, std::abs(derivative_at(derived, c.formula, p)));
  Failures failures;
  for (const Point& p : points) {
    const double a = derivative_at(stated, c.formula, p), b = derivative_at(derived, c.formula, p);
    if (!close(a, b, ulp * 0x1p-52, scale)) failures.push_back(fmt::format("d {}({}) by operand {}: stated {}, derived {}", c.name, list_text(p), k, a, b));
  }
  return failures;
}

}  // namespace cotan::testing
