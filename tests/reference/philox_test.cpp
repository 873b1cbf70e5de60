#include "ops/philox.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/error.h"

namespace cotan::philox {
namespace {

// The known answers that accompany the paper.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(block(Key{0, 0}, Counter{0, 0, 0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(block(Key{ones, ones}, Counter{ones, ones, ones, ones}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(block(Key{0xa4093822, 0x299f31d0}, Counter{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, WideKeysAndCountersAreLowHalfFirst) {
  EXPECT_EQ(block(0x299f31d0a4093822ull, 0x85a308d3243f6a88ull), block(Key{0xa4093822, 0x299f31d0}, Counter{0x243f6a88, 0x85a308d3, 0, 0}));
}

TEST(Philox, ElementsWalkThroughTheWords) {
  const std::uint64_t key = 77, counter = 0xfffffffffffffffeull;
  for (std::int64_t i = 0; i < 16; ++i) {
    const Block narrow = block(key, counter + static_cast<std::uint64_t>(i / 4));
    EXPECT_EQ(uniform(key, counter, i, DType::f32), std::floor(narrow[static_cast<std::size_t>(i % 4)] / 256.0) / 16777216.0);
    const Block wide = block(key, counter + static_cast<std::uint64_t>(i / 2));
    const auto w = static_cast<std::size_t>(2 * (i % 2));
    EXPECT_EQ(uniform(key, counter, i, DType::f64), wide[w] * 0x1p-32 + std::floor(wide[w + 1] / 2048.0) * 0x1p-53);
  }
}

TEST(Philox, NumbersLieInTheUnitIntervalAndFillIt) {
  for (DType dtype : {DType::f32, DType::f64}) {
    double sum = 0, squares = 0, low = 1, high = 0;
    const int n = 20000;
    for (int i = 0; i < n; ++i) {
      const double u = uniform(1, 2, i, dtype);
      ASSERT_GE(u, 0);
      ASSERT_LT(u, 1);
      ASSERT_TRUE(dtype == DType::f64 || u == static_cast<double>(static_cast<float>(u)));
      sum += u;
      squares += u * u;
      low = std::min(low, u);
      high = std::max(high, u);
    }
    EXPECT_NEAR(sum / n, 0.5, 0.01);
    EXPECT_NEAR(squares / n, 1.0 / 3, 0.01);
    EXPECT_LT(low, 0.001);
    EXPECT_GT(high, 0.999);
  }
  EXPECT_EQ(uniform(Block{0xffffffff, 0xffffffff, 0, 0}, 0, DType::f32), 1 - 0x1p-24);
  EXPECT_EQ(uniform(Block{0xffffffff, 0xffffffff, 0, 0}, 0, DType::f64), 1 - 0x1p-53);
}

TEST(Philox, OtherTypesAreAFault) { EXPECT_THROW((void)uniform(0, 0, 0, DType::i32), InternalError); }

}  // namespace
}  // namespace cotan::philox
