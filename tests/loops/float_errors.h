// The float32 functions beside the standard library's in float64: points that matter, and how far results are off.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "ops/formula.h"

namespace cotan::loops_test {

// The bound on each function's error, in ULPs: a little more than the largest that was measured, of which docs/performance.md has a table.
struct FloatFunction {
  Atom atom;
  double bound;
};

inline constexpr FloatFunction unary_functions[] = {
    {Atom::exp, 0.95}, {Atom::expm1, 1.35}, {Atom::log, 0.9}, {Atom::log1p, 1.45}, {Atom::sin, 1.05}, {Atom::cos, 1.05},
    {Atom::asin, 1.2}, {Atom::tanh, 1.4},   {Atom::erf, 1.1}, {Atom::erfc, 2.65},  {Atom::cbrt, 0.6},
};
inline constexpr FloatFunction binary_functions[] = {{Atom::atan2, 1.5}, {Atom::pow, 1.0}};

inline double wanted(Atom atom, float a, float b = 0) {
  const double x = a, y = b;
  switch (atom) {
    case Atom::exp: return std::exp(x);
    case Atom::expm1: return std::expm1(x);
    case Atom::log: return std::log(x);
    case Atom::log1p: return std::log1p(x);
    case Atom::sin: return std::sin(x);
    case Atom::cos: return std::cos(x);
    case Atom::asin: return std::asin(x);
    case Atom::tanh: return std::tanh(x);
    case Atom::erf: return std::erf(x);
    case Atom::erfc: return std::erfc(x);
    case Atom::cbrt: return std::cbrt(x);
    case Atom::atan2: return std::atan2(x, y);
    case Atom::pow: return std::pow(x, y);
    default: return std::numeric_limits<double>::signaling_NaN();
  }
}

// The distance in units in the last place of a float of that size; infinite where one is NaN, infinite for good or a zero of the other sign and the other not.
inline double ulps_off(float got, double want) {
  constexpr double never = std::numeric_limits<double>::infinity(), beyond = 0x1p128;
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got) ? 0 : never;
  if (std::isinf(want) || want == 0) return got == want && std::signbit(got) == std::signbit(want) ? 0 : never;
  if (std::signbit(got) != std::signbit(want)) return never;
  // An infinite result stands for the number after the largest: a value just below may round to it.
  const double value = std::isinf(got) ? std::copysign(beyond, got) : got;
  const double capped = std::abs(want) > beyond ? std::copysign(beyond, want) : want;
  if (capped != want && !std::isinf(got)) return never;
  const auto exponent = std::max<std::uint64_t>((std::bit_cast<std::uint64_t>(capped) >> 52) & 0x7FF, 1023 - 126);
  const double ulp = std::bit_cast<double>((exponent - 23) << 52);
  return std::abs(value - capped) / ulp;
}

// Zeros, subnormals, the ends of the format, infinities, NaN; every power of two and its neighbours; the places where a function changes its way of computing.
inline std::vector<float> edges() {
  std::vector<float> magnitudes;
  auto around = [&](double at, std::uint32_t reach) {
    const std::uint32_t middle = std::bit_cast<std::uint32_t>(static_cast<float>(at));
    for (std::uint32_t word = middle > reach ? middle - reach : 0; word <= middle + reach; ++word) magnitudes.push_back(std::bit_cast<float>(word));
  };
  around(0, 40);
  for (std::uint32_t exponent = 1; exponent <= 255; ++exponent) around(std::bit_cast<float>(exponent << 23), 12);  // 2^128 is infinity; NaNs are behind it
  for (double at : {0.25, 0.5, 0.625, 1.0, 2.0, 4.0, 10.0, 10.1, 16.0, 18.0, 20.0, 32768.0, 0.70710678118654752, 1.41421356237309505, 0.29289321881345248})
    around(at, 60);
  for (double at : {88.72283905206835, 87.33654475055310, 103.97207708399179, 89.0, 104.0, 9.194, 10.0542}) around(at, 60);
  for (int k = 1; k <= 300; ++k) around(k * 0.34657359027997264, 6);               // halves of log(2): where multiples of it change
  for (int k = 1; k <= 400; ++k) around(k * 0.78539816339744831, 6);               // quarters of pi
  for (int k = 1; k < 126; k += 2) around(std::ldexp(1.5707963267948966, k), 20);  // large angles near quarter turns
  std::vector<float> all;
  for (float m : magnitudes) {
    all.push_back(m);
    all.push_back(-m);
  }
  return all;
}

}  // namespace cotan::loops_test
