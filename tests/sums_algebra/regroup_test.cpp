// Sums become products, views and reductions again: graphs as text before and after.
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

TEST(Regroup, ThreeFactors) {
  EXPECT_EQ(after_passes(R"(func f(a: f32[8,9], m: f32[8,9], v: f32[9,7]) {
  %0: f32[8,7][i,j] = a[i,k] * m[i,k] * v[k,j]
  return %0
}
)", "-all,+regroup"),
            R"()");
}

TEST(Regroup, AChainOfMatrices) {
  EXPECT_EQ(after_passes(R"(func f(a: f32[50,4], b: f32[4,60], c: f32[60,3]) {
  %0: f32[50,3][i,j] = a[i,p] * b[p,q] * c[q,j]
  return %0
}
)", "-all,+regroup"),
            R"()");
}

TEST(Regroup, AnIndexOfOneFactor) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6,5], b: f32[5,7]) {
  %0: f32[5,7][i,j] = x[p,i] * b[i,j]
  return %0
}
)", "-all,+regroup"),
            R"()");
}

TEST(Regroup, AnIndexOfTheOutputOnly) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6,5]) {
  %0: f32[7,6][i,j] = 2 * x[j,p]; i<7
  return %0
}
)", "-all,+regroup"),
            R"()");
}

TEST(Regroup, ScaledProductsAndViews) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6,5], w: f32[5,7], s: f32[]) {
  %0: f32[6,7][i,j] = 0.5 * x[i,k] * w[k,j]
  %1: f32[6,7][i,j] = 0.5 * s[]
  %2: f32[5,6][i,j] = -x[j,i]
  return %0, %1, %2
}
)", "-all,+regroup"),
            R"()");
}

TEST(Regroup, AnOuterProductIsAMap) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6], y: f32[5]) {
  %0: f32[6,5][i,j] = x[i] * y[j]
  return %0
}
)", "-all,+regroup"),
            R"()");
}

}  // namespace
}  // namespace cotan::testing
