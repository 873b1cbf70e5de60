// Long sums in two levels, as text before and after, and as the bits that follow from it.
#include <gtest/gtest.h>

#include "tests/fusion/fused.h"
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

std::string split(std::string_view text) { return after_passes(text, "-all,+split_sums"); }

TEST(SplitSums, TheFirstDimensionIsCutIntoBlocks) {
  EXPECT_EQ(split("func f(x: f32[1024,64]) { %0: f32[64][j] = 0.5 * x[p,j] return %0 }"), R"(func f(x: f32[1024,64]) {
  %0: f32[64,64][i,j] = x[16*i+p,j]; p<16
  %1: f32[64][i] = 0.5 * %0[p,i]
  return %1
}
)");
}

TEST(SplitSums, AllOfIt) {
  EXPECT_EQ(split("func f(x: f32[1024,64]) { %0: f32[][] = x[p,q] return %0 }"), R"(func f(x: f32[1024,64]) {
  %0: f32[64][i] = x[16*i+p,q]; p<16
  %1: f32[][] = %0[p]
  return %1
}
)");
}

TEST(SplitSums, RowsShortOnesAndProductsStay) {
  for (const char* text :
       {"func f(x: f32[1024,64]) {\n  %0: f32[1024][i] = x[i,p]\n  return %0\n}\n", "func f(x: f32[64,16]) {\n  %0: f32[16][i] = x[p,i]\n  return %0\n}\n",
        "func f(x: f32[1024,64], y: f32[1024,32]) {\n  %0: f32[64,32][i,j] = y[p,j] * x[p,i]\n  return %0\n}\n",
        "func f(x: i32[1024,64]) {\n  %0: i32[64][i] = x[p,i]\n  return %0\n}\n"})
    EXPECT_EQ(split(text), text);
}

// No divisor of 1031 is a number of blocks.
TEST(SplitSums, APrimeNumberOfRowsStays) {
  const std::string text = "func f(x: f32[1031,64]) {\n  %0: f32[64][i] = x[p,i]\n  return %0\n}\n";
  EXPECT_EQ(split(text), text);
}

TEST(SplitSums, TheBitsAreThoseOfAnyNumberOfWorkers) {
  const Function f = parse_function("func f(x: f32[4096,33]) { %0: f32[4096,33] = exp(x) %1: f32[33][j] = %0[p,j] %2: f32[][] = %0[p,q] return %1, %2 }");
  const auto inputs = numbers(f);
  const auto one = run_compiled(f, inputs, 1);
  for (int threads : {2, 3, 8}) {
    const auto several = run_compiled(f, inputs, threads);
    for (std::size_t r = 0; r < one.size(); ++r) EXPECT_EQ(several[r].values, one[r].values) << threads;
  }
}

}  // namespace
}  // namespace cotan::testing
