#include "backends/loops/large_angle.h"

#include <bit>
#include <cmath>

#include "backends/loops/polynomials.h"

namespace cotan::loops {

QuarterTurns large_angle(float angle) {
  if (!std::isfinite(angle)) return {angle - angle, 0, 0};
  const std::uint32_t word = std::bit_cast<std::uint32_t>(angle) & 0x7FFFFFFFU;
  const auto mantissa = static_cast<__uint128_t>((word & 0x007FFFFFU) | 0x00800000U);
  const std::uint32_t exponent = (word >> 23) - 150;  // |angle| = mantissa * 2^exponent; at least -15, modulo 2^32

  // Quarter turns are |angle| * 2 / pi. Digits of 2 / pi that weigh 4 or more, times the mantissa, make whole turns: the 96 digits behind them count. The table
  // begins with 32 zeros, so the digit of weight 2 at exponent 0 is its 31st.
  const std::uint32_t first = exponent + 30;
  const std::uint32_t at = first / 32, shift = first % 32;
  __uint128_t digits = 0;
  for (std::uint32_t k = 0; k < 4; ++k) digits = digits << 32 | two_over_pi_digits[at + k];
  digits = digits << shift >> 32;  // 96 of them

  // In units of 2^-94 quarter turns; what is above bit 96 is whole turns.
  const __uint128_t product = (mantissa * digits) << 32;
  std::int32_t quarters = static_cast<std::int32_t>(product >> 126);
  const auto fraction = static_cast<std::int64_t>(static_cast<std::uint64_t>(product >> 62));  // in 2^-64 quarter turns, from -1/2 to 1/2
  if (fraction < 0) ++quarters;
  const double radians = static_cast<double>(fraction) * (angle < 0 ? -0x1.921fb54442d18p-64 : 0x1.921fb54442d18p-64);  // pi / 2 * 2^-64
  const auto rest = static_cast<float>(radians);
  return {rest, static_cast<float>(radians - rest), (angle < 0 ? -quarters : quarters) & 3};
}

}  // namespace cotan::loops
