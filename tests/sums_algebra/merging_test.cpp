// Sums of sums become one sum: graphs as text before and after.
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

TEST(MergeSums, ASumOfAScatterForgetsTheTable) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[3], t_below7: i32[3]) {
  %0: i32[3] = check(t_below7) {below=7, what="index"}
  %1: f32[3,7][i,%0[i]] = x[i]
  %2: f32[3][i] = %1[i,p]
  return %2
}
)",
                         "-all,+fold_views,+merge_sums"),
            R"(func f(x: f32[3], t_below7: i32[3]) {
  %0: i32[3] = check(t_below7) {below=7, what="index"}
  return x, %0
}
)");
}

TEST(MergeSums, TransposeAndBatchSumOfAProduct) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[5,3,4], w: f32[5,4,6]) {
  %0: f32[5,3,6][b,i,j] = x[b,i,k] * w[b,k,j]
  %1: f32[6,3,5][j,i,b] = %0[b,i,j]
  %2: f32[6,3][j,i] = %1[j,i,b]
  return %2
}
)",
                         "-all,+merge_sums"),
            R"(func f(x: f32[5,3,4], w: f32[5,4,6]) {
  %0: f32[6,3][i,j] = w[p,q,i] * x[p,j,q]
  return %0
}
)");
}

TEST(MergeSums, AProductThatOthersReadStays) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[3,4], w: f32[4,6]) {
  %0: f32[3,6][i,j] = x[i,k] * w[k,j]
  %1: f32[6,3][j,i] = %0[i,j]
  %2: f32[6,3] = exp(%1)
  %3: f32[3,6] = exp(%0)
  return %2, %3
}
)",
                         "-all,+fold_views,+merge_sums"),
            R"(func f(x: f32[3,4], w: f32[4,6]) {
  %0: f32[3,6][i,j] = x[i,p] * w[p,j]
  %1: f32[6,3][i,j] = %0[j,i]
  %2: f32[6,3] = exp(%1)
  %3: f32[3,6] = exp(%0)
  return %2, %3
}
)");
}

TEST(MergeSums, ConstantsAndCounts) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[3,4]) {
  %0: f32[4,5] = { 2 }
  %1: f32[3,5][i,j] = x[i,k] * %0[k,j]
  %2: f32[3,8][i,j] = x[i,0]
  %3: f32[3][i] = %2[i,p]
  %4: f32[5][i] = %0[p,i]
  return %1, %3, %4
}
)",
                         "-all,+merge_sums"),
            R"(func f(x: f32[3,4]) {
  %0: f32[3,5][i,j] = 2 * x[i,p]
  %1: f32[3][i] = 8 * x[i,0]
  %2: f32[5] = { 8 }
  return %0, %1, %2
}
)");
}

TEST(MergeSums, ScalesGoIntoSums) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[3,4]) {
  %0: f32[3,4] = { x * 0.5 }
  %1: f32[3,4] = { %0 * 0.25 }
  %2: f32[3][i] = %1[i,p]
  %3: f32[3] = { -6 * %2 }
  return %3
}
)",
                         "-all,+merge_sums"),
            R"(func f(x: f32[3,4]) {
  %0: f32[3][i] = -0.75 * x[i,p]
  return %0
}
)");
}

// The terms of a row may cancel each other: their sum is 0 then, and so is that of the terms with the other sign, not -0. What no point reaches is 0, too.
TEST(MergeSums, ASignStaysOnItsSideOfAnAddition) {
  for (const char* text : {"func f(x: f32[3,4]) {\n  %0: f32[3,4] = { -x }\n  %1: f32[3][i] = %0[i,p]\n  return %1\n}\n",
                           "func f(x: f32[3,4]) {\n  %0: f32[3,4][i,j] = -x[i,j]\n  %1: f32[3][i] = %0[i,p]\n  return %1\n}\n",
                           "func f(x: f32[3,4]) {\n  %0: f32[2][i] = x[p,i+3]\n  %1: f32[2] = { -%0 }\n  return %1\n}\n"}) {
    EXPECT_EQ(after_passes(text, "-all,+merge_sums,+fold_views"), text);
  }
}

TEST(MergeSums, SumsOfSums) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[4,6]) {
  %0: f32[4][i] = x[i,j]
  %1: f32[][] = 0.25 * %0[i]
  return %1
}
)",
                         "-all,+merge_sums"),
            R"(func f(x: f32[4,6]) {
  %0: f32[][] = 0.25 * x[p,q]
  return %0
}
)");
}

// One sum over both would have more points than the two: each window's entry is read again.
TEST(MergeSums, ASumOfWindowsStays) {
  const std::string text = R"(func f(x: f32[6]) {
  %0: f32[4][i] = x[i+p]; p<3
  %1: f32[][] = %0[p]
  return %1
}
)";
  EXPECT_EQ(after_passes(text, "-all,+merge_sums"), text);
}

TEST(MergeSums, ZeroTimesSomethingStays) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[3,4]) {
  %0: f32[3,4] = { x * 0 }
  %1: f32[3][i] = %0[i,p]
  return %1
}
)",
                         "-all,+merge_sums"),
            R"(func f(x: f32[3,4]) {
  %0: f32[3,4] = { x * 0 }
  %1: f32[3][i] = %0[i,p]
  return %1
}
)");
}

}  // namespace
}  // namespace cotan::testing
