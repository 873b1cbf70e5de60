// How far apart two numbers are.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "tests/support/failures.h"

namespace cotan::testing {

// The number of floating-point numbers (of type T) between a and b. Both NaN: 0; one NaN: infinite. 0 and -0 are one number.
template <class T>
[[nodiscard]] double ulp_distance(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b) ? 0 : std::numeric_limits<double>::infinity();
  auto rank = [](T v) {
    const auto bits = std::bit_cast<Bits>(v);
    return bits < 0 ? std::numeric_limits<Bits>::min() - bits : bits;
  };
  const Bits ra = rank(a), rb = rank(b), low = std::min(ra, rb), high = std::max(ra, rb);
  return static_cast<double>(static_cast<std::make_unsigned_t<Bits>>(high) - static_cast<std::make_unsigned_t<Bits>>(low));
}

// Equal, infinities and NaN included; `signed_zero`: 0 and -0 differ.
[[nodiscard]] inline bool same_number(double a, double b, bool signed_zero = false) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b && (!signed_zero || std::signbit(a) == std::signbit(b));
}

// |a - b| <= tolerance * max(scale, |a|, |b|); infinities and NaN must agree.
[[nodiscard]] inline bool close(double a, double b, double tolerance, double scale = 1) {
  if (!std::isfinite(a) || !std::isfinite(b)) return same_number(a, b);
  return std::abs(a - b) <= tolerance * std::max({scale, std::abs(a), std::abs(b)});
}

// Where two lists of numbers differ by more than the tolerance, relative to the largest number of `expected` (at least 1e-300).
[[nodiscard]] inline Failures differences(std::string_view what, std::span<const double> got, std::span<const double> expected, double tolerance) {
  if (got.size() != expected.size()) return {fmt::format("{}: {} numbers, expected {}", what, got.size(), expected.size())};
  double scale = 1e-300;
  for (double v : expected)
    if (std::isfinite(v)) scale = std::max(scale, std::abs(v));
  Failures failures;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!close(got[i], expected[i], tolerance, scale)) failures.push_back(fmt::format("{}: at {} got {}, expected {}", what, i, got[i], expected[i]));
  return failures;
}

[[nodiscard]] inline double inner_product(std::span<const double> a, std::span<const double> b) {
  double s = 0;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) s += a[i] * b[i];
  return s;
}

}  // namespace cotan::testing
