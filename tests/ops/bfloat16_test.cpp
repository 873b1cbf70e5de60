// bfloat16: every pattern, every tie between two neighbours, and what is next to a tie.
#include "ops/bfloat16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/formula.h"

namespace cotan {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

TEST(Bfloat16, IsTheUpperHalfOfAFloat) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const bfloat16 b = bfloat16::from_bits(static_cast<std::uint16_t>(bits));
    const float f = b;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(f), bits << 16);
    const bfloat16 from_float(f), from_double(static_cast<double>(f));
    ASSERT_EQ(from_float.bits(), std::isnan(f) ? bits | 0x40 : bits);
    ASSERT_EQ(from_double.bits(), from_float.bits());
    ASSERT_TRUE(std::isnan(f) || round_to(bf16, static_cast<double>(f)) == static_cast<double>(f));
  }
}

// Between each two neighbours, infinity being the one after the greatest number.
TEST(Bfloat16, RoundsToTheNearestAndTiesToEven) {
  for (std::uint32_t k = 0; k < 0x7F80; ++k) {
    const auto low = bfloat16::from_bits(static_cast<std::uint16_t>(k));
    const int exponent = std::max(static_cast<int>(k >> 7), 1) - 127;
    const double tie = static_cast<double>(low) + std::ldexp(1.0, exponent - 8);  // half a step of 2^(exponent - 7)
    const std::uint32_t even = k % 2 == 0 ? k : k + 1;
    for (const double sign : {1.0, -1.0}) {
      const std::uint32_t s = sign < 0 ? 0x8000 : 0;
      auto rounded = [&](auto v) { return bfloat16(v).bits(); };
      ASSERT_EQ(rounded(sign * tie), even | s) << tie;
      ASSERT_EQ(rounded(sign * std::nextafter(tie, 0.0)), k | s) << tie;
      ASSERT_EQ(rounded(sign * std::nextafter(tie, inf)), (k + 1) | s) << tie;
      const auto f = static_cast<float>(tie);  // exact
      ASSERT_EQ(static_cast<double>(f), tie);
      ASSERT_EQ(rounded(static_cast<float>(sign) * f), even | s) << tie;
      ASSERT_EQ(rounded(static_cast<float>(sign) * std::nextafter(f, 0.0F)), k | s) << tie;
      ASSERT_EQ(rounded(static_cast<float>(sign) * std::nextafter(f, static_cast<float>(inf))), (k + 1) | s) << tie;
    }
  }
}

TEST(Bfloat16, RoundsDoublesOutsideTheRangeOfFloat) {
  EXPECT_EQ(static_cast<float>(bfloat16(1e300)), inf);
  EXPECT_EQ(static_cast<float>(bfloat16(-1e300)), -inf);
  EXPECT_EQ(bfloat16(1e-300).bits(), 0);
  EXPECT_EQ(bfloat16(-1e-300).bits(), 0x8000);
  EXPECT_EQ(bfloat16(0x1p-134).bits(), 0) << "half of the least one: even";
  EXPECT_EQ(bfloat16(0x1.0000000000001p-134).bits(), 1);
}

TEST(Bfloat16, RoundsIntegersOnce) {
  EXPECT_EQ(static_cast<float>(bfloat16(257)), 256);
  EXPECT_EQ(static_cast<float>(bfloat16(259)), 260);
  EXPECT_EQ(static_cast<float>(bfloat16(std::uint8_t{255})), 255);
  const std::int64_t tie = (std::int64_t{1} << 62) + (std::int64_t{1} << 54);  // halfway to the next number
  EXPECT_EQ(static_cast<float>(bfloat16(tie)), 0x1p62F);
  EXPECT_EQ(static_cast<float>(bfloat16(tie + 1)), 0x1.02p62F);
  EXPECT_EQ(static_cast<float>(bfloat16(-tie)), -0x1p62F);
  EXPECT_EQ(static_cast<float>(bfloat16(-tie - 1)), -0x1.02p62F);
  EXPECT_EQ(static_cast<float>(bfloat16(std::numeric_limits<std::int64_t>::min())), -0x1p63F);
  EXPECT_EQ(static_cast<float>(bfloat16(std::numeric_limits<std::uint64_t>::max())), 0x1p64F);
}

static_assert(static_cast<float>(bfloat16(1.5)) == 1.5F && bfloat16().bits() == 0);

}  // namespace
}  // namespace cotan
