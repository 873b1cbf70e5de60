// Sums become products, views and reductions again: graphs as text before and after.
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

TEST(Regroup, ThreeFactors) {
  EXPECT_EQ(after_passes(R"(func f(a: f32[8,9], m: f32[8,9], v: f32[9,7]) {
  %0: f32[8,7][i,j] = a[i,k] * m[i,k] * v[k,j]
  return %0
}
)",
                         "-all,+regroup"),
            R"(func f(a: f32[8,9], m: f32[8,9], v: f32[9,7]) {
  %0: f32[8,9] = { m * a }
  %1: f32[8,7][i,j] = v[p,j] * %0[i,p]
  return %1
}
)");
}

TEST(Regroup, AChainOfMatrices) {
  EXPECT_EQ(after_passes(R"(func f(a: f32[50,4], b: f32[4,60], c: f32[60,3]) {
  %0: f32[50,3][i,j] = a[i,p] * b[p,q] * c[q,j]
  return %0
}
)",
                         "-all,+regroup"),
            R"(func f(a: f32[50,4], b: f32[4,60], c: f32[60,3]) {
  %0: f32[3,4][i,j] = b[j,p] * c[p,i]
  %1: f32[50,3][i,j] = %0[j,p] * a[i,p]
  return %1
}
)");
}

TEST(Regroup, AnIndexOfOneFactor) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6,5], b: f32[5,7]) {
  %0: f32[5,7][i,j] = x[p,i] * b[i,j]
  return %0
}
)",
                         "-all,+regroup"),
            R"(func f(x: f32[6,5], b: f32[5,7]) {
  %0: f32[5][i] = x[p,i]
  %1: f32[5,7][i,j] = %0[i]
  %2: f32[5,7] = { b * %1 }
  return %2
}
)");
}

TEST(Regroup, AnIndexOfTheOutputOnly) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6,5]) {
  %0: f32[7,6][i,j] = 2 * x[j,p]; i<7
  return %0
}
)",
                         "-all,+regroup"),
            R"(func f(x: f32[6,5]) {
  %0: f32[6][i] = 2 * x[i,p]
  %1: f32[7,6][i,j] = %0[j]
  return %1
}
)");
}

TEST(Regroup, ScaledProductsAndViews) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6,5], w: f32[5,7], s: f32[]) {
  %0: f32[6,7][i,j] = 0.5 * x[i,k] * w[k,j]
  %1: f32[6,7][i,j] = 0.5 * s[]
  %2: f32[5,6][i,j] = -x[j,i]
  return %0, %1, %2
}
)",
                         "-all,+regroup"),
            R"(func f(x: f32[6,5], w: f32[5,7], s: f32[]) {
  %0: f32[6,7][i,j] = x[i,p] * w[p,j]
  %1: f32[6,7] = { %0 * 0.5 }
  %2: f32[] = { s * 0.5 }
  %3: f32[6,7][i,j] = %2[]
  %4: f32[6,5] = { -x }
  %5: f32[5,6][i,j] = %4[j,i]
  return %1, %3, %5
}
)");
}

TEST(Regroup, AnOuterProductIsAMap) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6], y: f32[5]) {
  %0: f32[6,5][i,j] = x[i] * y[j]
  return %0
}
)",
                         "-all,+regroup"),
            R"(func f(x: f32[6], y: f32[5]) {
  %0: f32[6,5][i,j] = y[j]
  %1: f32[6,5][i,j] = x[i]
  %2: f32[6,5] = { %0 * %1 }
  return %2
}
)");
}

}  // namespace
}  // namespace cotan::testing
