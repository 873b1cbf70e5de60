// Masks as maps over positions: graphs as text before and after.
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

TEST(Masks, AScatterThatAMapReads) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[3,7], g: f32[3], t_below7: i32[3]) {
  %0: i32[3] = check(t_below7) {below=7, what="index"}
  %1: f32[3,7][i,%0[i]] = 2 * g[i]
  %2: f32[3,7] = mul(x, %1)
  return %2
}
)",
                         "-all,+masks"),
            R"(func f(x: f32[3,7], g: f32[3], t_below7: i32[3]) {
  %0: i32[7] = iota() {axis=0}
  %1: i32[3,7][i,j] = %0[j]
  %2: i32[3] = check(t_below7) {below=7, what="index"}
  %3: i32[3,7][i,j] = %2[i]
  %4: f32[3,7][i,j] = g[i]
  %5: f32[3,7] = map(%1, %3, %4, x) { x * where(%1 == %3, %4 * 2, 0) }
  return %5, %2
}
)");
}

TEST(Masks, AOneHotMatrix) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[3,7], t_below7: i32[3]) {
  %0: i32[3] = check(t_below7) {below=7, what="index"}
  %1: f32[3,7][i,j] = 1; i<3, j<7, 0<=j-%0[i]<1
  %2: f32[3,7] = add(x, %1)
  return %2
}
)",
                         "-all,+masks"),
            R"(func f(x: f32[3,7], t_below7: i32[3]) {
  %0: i32[7] = iota() {axis=0}
  %1: i32[3,7][i,j] = %0[j]
  %2: i32[3] = check(t_below7) {below=7, what="index"}
  %3: i32[3,7][i,j] = %2[i]
  %4: f32[3,7] = map(%1, %3, x) { x + where(%1 == %3, f32(1), f32(0)) }
  return %4, %2
}
)");
}

TEST(Masks, ACausalMask) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[5,5]) {
  %0: f32[5,5][i,j] = 1; i<5, j<5, 0<=i-j<5
  %1: f32[5,5] = mul(x, %0)
  return %1
}
)",
                         "-all,+masks"),
            R"(func f(x: f32[5,5]) {
  %0: i32[5] = iota() {axis=0}
  %1: i32[5,5][i,j] = %0[i]
  %2: i32[5,5][i,j] = %0[j]
  %3: f32[5,5] = map(%1, %2, x) { x * where(%2 <= %1 && %1 < %2 + 5, f32(1), f32(0)) }
  return %3
}
)");
}

TEST(Masks, OneThatSeveralMapsReadIsComputedOnce) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[5,5]) {
  %0: f32[5,5][i,j] = 1; i<5, j<5, 0<=i-j<5
  %1: f32[5,5] = mul(x, %0)
  %2: f32[5,5] = sub(x, %0)
  return %1, %2
}
)",
                         "-all,+masks"),
            R"(func f(x: f32[5,5]) {
  %0: i32[5] = iota() {axis=0}
  %1: i32[5,5][i,j] = %0[i]
  %2: i32[5,5][i,j] = %0[j]
  %3: f32[5,5] = map(%1, %2) { where(%2 <= %1 && %1 < %2 + 5, f32(1), f32(0)) }
  %4: f32[5,5] = mul(x, %3)
  %5: f32[5,5] = sub(x, %3)
  return %4, %5
}
)");
}

// The gradient of cross entropy written out: no scatter is left, its rows' sums are known.
TEST(Masks, TheGradientOfCrossEntropy) {
  EXPECT_EQ(after_passes(R"(func loss(x: f32[64,10], t_below10: i32[64]) {
  %0: f32[64,10] = exp(x)
  %1: f32[64,1][i,0] = %0[i,p]
  %2: i32[64] = check(t_below10) {below=10, what="target"}
  %3: f32[64] = { -0.25 }
  %4: f32[64,10][i,%2[i]] = %3[i]
  %5: f32[64,10] = neg(%4)
  %6: f32[64,1][i,0] = %5[i,p]
  %7: f32[64,1] = div(%6, %1)
  %8: f32[64,10][i,j] = %7[i,0]
  %9: f32[64,10] = mul(%8, %0)
  %10: f32[64,10] = add(%4, %9)
  return %10
}
)",
                         "-all,+fold_views,+merge_sums,+masks"),
            R"(func loss(x: f32[64,10], t_below10: i32[64]) {
  %0: i32[10] = iota() {axis=0}
  %1: i32[64,10][i,j] = %0[j]
  %2: i32[64] = check(t_below10) {below=10, what="target"}
  %3: i32[64,10][i,j] = %2[i]
  %4: f32[64,1] = { 0.25 }
  %5: f32[64,10] = exp(x)
  %6: f32[64,1][i,0] = %5[i,p]
  %7: f32[64,1] = div(%4, %6)
  %8: f32[64,10][i,j] = %7[i,0]
  %9: f32[64,10] = mul(%8, %5)
  %10: f32[64,10] = { where(%1 == %3, f32(-0.25), f32(0)) + %9 }
  return %10, %2
}
)");
}

}  // namespace
}  // namespace cotan::testing
