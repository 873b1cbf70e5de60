// bfloat16: the upper half of a float. Eight bits of exponent as float has, so the same range; eight significant bits, so two to three decimal digits.
//
// A type to store numbers in, not to compute with: it converts from other numbers explicitly, rounding once, and to float by itself, exactly.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

namespace cotan {

// A number of 16 bits: sign, eight bits of exponent, seven of fraction. bfloat16{} is 0.
class bfloat16 {
 public:
  constexpr bfloat16() = default;
  // The nearest bfloat16, of two equally near ones the even one; what is too large becomes infinite. NaN stays NaN, quiet and with its sign.
  explicit constexpr bfloat16(float v) : bits_(rounded(std::bit_cast<std::uint32_t>(v))) {}
  // As above, of the double itself: it is not rounded to float first.
  explicit constexpr bfloat16(double v) : bits_(rounded(odd_float(v))) {}
  // As above, of the integer itself.
  template <std::integral T>
  explicit constexpr bfloat16(T v) : bfloat16(odd_double(v)) {}

  // The float that it is the upper half of.
  constexpr operator float() const { return std::bit_cast<float>(std::uint32_t{bits_} << 16); }  // NOLINT: implicit, since it loses nothing

  // The number of these bits, and back.
  [[nodiscard]] static constexpr bfloat16 from_bits(std::uint16_t bits) {
    bfloat16 b;
    b.bits_ = bits;
    return b;
  }
  [[nodiscard]] constexpr std::uint16_t bits() const { return bits_; }

 private:
  static constexpr std::uint16_t rounded(std::uint32_t f) {
    const std::uint32_t quiet = (f >> 16) | 0x40U;
    const std::uint32_t nearest = (f + 0x7FFFU + ((f >> 16) & 1U)) >> 16;
    return static_cast<std::uint16_t>((f & 0x7FFFFFFFU) > 0x7F800000U ? quiet : nearest);
  }

  // The bits of a float that rounds to bfloat16 as v does: where v lies between two floats, the one of odd bits. Boldo and Melquiond, "Emulation of FMA and
  // correctly rounded sums: proved algorithms using rounding to odd", IEEE Transactions on Computers 57 (2008).
  static constexpr std::uint32_t odd_float(double v) {
    const auto nearest = static_cast<float>(v);
    const auto back = static_cast<double>(nearest);
    auto bits = std::bit_cast<std::uint32_t>(nearest);
    if (back == v || v != v || (bits & 1U) != 0) return bits;
    const bool below = v < 0 ? back > v : back < v;  // in magnitude
    return below ? bits + 1 : bits - 1;
  }

  // The same from an integer to double. Integers of more than 53 bits keep whether anything stands below those.
  template <std::integral T>
  static constexpr double odd_double(T v) {
    if constexpr (sizeof(T) < 8) {
      return static_cast<double>(v);
    } else {
      const bool negative = v < 0;
      auto magnitude = negative ? std::uint64_t{0} - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
      if (magnitude >> 53 != 0) magnitude = (magnitude & ~std::uint64_t{0x7FF}) | ((magnitude & 0x7FF) != 0 ? 0x800U : 0U);
      const auto d = static_cast<double>(magnitude);
      return negative ? -d : d;
    }
  }

  std::uint16_t bits_ = 0;
};

static_assert(sizeof(bfloat16) == 2);

}  // namespace cotan
