// Every atom as a scalar function of its C++ type: what the loops compute where they do not use vectors.
//
// The values agree with apply_atom(): integers wrap as two's complement, the remainder by the integer zero is zero, conversions saturate. Floats are computed
// in their own type; library functions are within an ULP or two of the float64 value.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "ops/formula.h"

namespace cotan::loops::scalar {

enum class Takes { number, floating, boolean, any };

template <Atom atom>
inline constexpr int arity = 0;
template <Atom atom>
inline constexpr Takes takes = Takes::any;
template <Atom atom>
inline constexpr bool is_test = false;  // gives a boolean
#define COTAN_TEST_same false
#define COTAN_TEST_boolean true
#define ATOM(name, arity_, operands, result, ...)             \
  template <>                                                 \
  inline constexpr int arity<Atom::name> = arity_;            \
  template <>                                                 \
  inline constexpr Takes takes<Atom::name> = Takes::operands; \
  template <>                                                 \
  inline constexpr bool is_test<Atom::name> = COTAN_TEST_##result;
#include "ops/atoms.def"
#undef ATOM
#undef COTAN_TEST_same
#undef COTAN_TEST_boolean

// Whether the atom takes operands of type T.
template <Atom atom, class T>
inline constexpr bool allowed = is_computed(dtype_of<T>()) &&
                                (takes<atom> == Takes::any || (takes<atom> == Takes::boolean && std::is_same_v<T, bool>) ||
                                 (takes<atom> == Takes::floating && std::is_floating_point_v<T>) || (takes<atom> == Takes::number && !std::is_same_v<T, bool>));

template <Atom atom, class T>
using Result = std::conditional_t<is_test<atom>, bool, T>;

// Zero of its sign where the thread's mode takes the number for zero: for what looks at a number's bits, as the standard library's functions do.
template <class T>
[[nodiscard]] inline T as_seen(T v) {
  return v == T{0} ? std::copysign(T{0}, v) : v;
}

// To one type from another: rounded to nearest, truncated and clamped where it does not fit, NaN to the integer zero; to bool: not zero.
template <class To, class From>
[[nodiscard]] inline To convert(From v) {
  if constexpr (std::is_same_v<To, From>) {
    return v;
  } else if constexpr (std::is_same_v<From, bfloat16>) {
    return convert<To>(static_cast<float>(v));
  } else if constexpr (std::is_same_v<To, bool>) {
    return v != From{0};
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    if constexpr (std::is_floating_point_v<From>) v = as_seen(v);
    return bfloat16(v);
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(v);
  } else {
    using Limits = std::numeric_limits<To>;
    if constexpr (std::is_floating_point_v<From>) {
      // Both bounds plus one step are exact in float, so the comparisons decide what fits.
      if (!(v > static_cast<From>(Limits::min()))) return v != v ? To{0} : Limits::min();
      if (v >= static_cast<From>(static_cast<double>(Limits::max()) + 1)) return Limits::max();
      return static_cast<To>(v);
    } else {
      const auto wide = static_cast<std::int64_t>(v);
      return wide < Limits::min() ? Limits::min() : wide > Limits::max() ? Limits::max() : static_cast<To>(wide);
    }
  }
}

// The atom's value on a (and b).
template <Atom atom, class T>
[[nodiscard]] inline Result<atom, T> value(T a, T b) {
  if constexpr (atom == Atom::lt) {
    return a < b;
  } else if constexpr (atom == Atom::le) {
    return a <= b;
  } else if constexpr (atom == Atom::eq) {
    return a == b;
  } else if constexpr (atom == Atom::and_) {
    return a && b;
  } else if constexpr (atom == Atom::or_) {
    return a || b;
  } else if constexpr (atom == Atom::xor_) {
    return a != b;
  } else if constexpr (atom == Atom::max) {
    return a > b || a != a ? a : b;
  } else if constexpr (atom == Atom::min) {
    return a < b || a != a ? a : b;
  } else if constexpr (std::is_integral_v<T>) {
    // In 64 unsigned bits nothing overflows in C++'s sense, and the low bits are those of the wrapped result.
    const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
    if constexpr (atom == Atom::neg) {
      return static_cast<T>(0 - x);
    } else if constexpr (atom == Atom::add) {
      return static_cast<T>(x + y);
    } else if constexpr (atom == Atom::mul) {
      return static_cast<T>(x * y);
    } else {
      static_assert(atom == Atom::rem);
      // Of the least i64 by -1 the processor traps.
      const auto divisor = static_cast<std::int64_t>(b);
      return divisor == 0 || divisor == -1 ? T{0} : static_cast<T>(static_cast<std::int64_t>(a) % divisor);
    }
  } else {
    if constexpr (atom == Atom::neg) return -a;
    if constexpr (atom == Atom::add) return a + b;
    if constexpr (atom == Atom::mul) return a * b;
    if constexpr (atom == Atom::div) return a / b;
    if constexpr (atom == Atom::sqrt) return std::sqrt(a);
    a = as_seen(a);
    b = as_seen(b);
    if constexpr (atom == Atom::rem) return std::fmod(a, b);
    if constexpr (atom == Atom::pow) return std::pow(a, b);
    if constexpr (atom == Atom::atan2) return std::atan2(a, b);
    if constexpr (atom == Atom::floor) return std::floor(a);
    if constexpr (atom == Atom::round) return std::nearbyint(a);
    if constexpr (atom == Atom::exp) return std::exp(a);
    if constexpr (atom == Atom::expm1) return std::expm1(a);
    if constexpr (atom == Atom::log) return std::log(a);
    if constexpr (atom == Atom::log1p) return std::log1p(a);
    if constexpr (atom == Atom::cbrt) return std::cbrt(a);
    if constexpr (atom == Atom::sin) return std::sin(a);
    if constexpr (atom == Atom::cos) return std::cos(a);
    if constexpr (atom == Atom::asin) return std::asin(a);
    if constexpr (atom == Atom::tanh) return std::tanh(a);
    if constexpr (atom == Atom::erf) return std::erf(a);
    if constexpr (atom == Atom::erfc) return std::erfc(a);
  }
}

}  // namespace cotan::loops::scalar
