// Views go into their readers: graphs as text before and after.
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

TEST(FoldViews, ViewChain) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[4,6]) {
  %0: f32[6,4][i,j] = x[j,i]
  %1: f32[6,4][i,j] = %0[5-i,j]
  %2: f32[3,4][i,j] = %1[2*i,j]
  %3: f32[5,4][i+1,j] = %2[i,j]
  return %3
}
)",
                         "-all,+fold_views"),
            R"(func f(x: f32[4,6]) {
  %0: f32[5,4][i+1,j] = x[j,-2*i+5]; i<3
  return %0
}
)");
}

TEST(FoldViews, Reshapes) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[2,3,4]) {
  %0: f32[4,2,3][i,j,k] = x[j,k,i]
  %1: f32[4,6][i,3*j+k] = %0[i,j,k]
  %2: f32[6,4][i,j] = %1[j,i]
  %3: f32[2,3,4][i,j,k] = %2[3*i+j,k]
  %4: f32[24][12*i+4*j+k] = %3[i,j,k]
  return %1, %4
}
)",
                         "-all,+fold_views"),
            R"(func f(x: f32[2,3,4]) {
  %0: f32[4,6][i,3*j+k] = x[j,k,i]
  %1: f32[24][12*i+4*j+k] = x[i,j,k]
  return %0, %1
}
)");
}

TEST(FoldViews, StraddlingReshapeStays) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[4,6]) {
  %0: f32[6,4][i,j] = x[j,i]
  %1: f32[24][4*i+j] = %0[i,j]
  %2: f32[8,3][i,j] = %1[3*i+j]
  return %2
}
)",
                         "-all,+fold_views"),
            R"(func f(x: f32[4,6]) {
  %0: f32[24][4*i+j] = x[j,i]
  %1: f32[8,3][i,j] = %0[3*i+j]
  return %1
}
)");
}

TEST(FoldViews, PadGoesIntoTheConvolution) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[2,3,8], w: f32[5,3,3]) {
  %0: f32[2,3,10][i,j,k+1] = x[i,j,k]
  %1: f32[2,5,8][n,o,i] = %0[n,c,i+p] * w[o,c,p]
  return %1
}
)",
                         "-all,+fold_views"),
            R"(func f(x: f32[2,3,8], w: f32[5,3,3]) {
  %0: f32[2,5,8][i,j,k] = w[j,p,q] * x[i,p,k+q-1]
  return %0
}
)");
}

TEST(FoldViews, SlicesAndPadsBesideGuards) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[10]) {
  %0: f32[4][i] = x[i+3]
  %1: f32[10][i+5] = %0[i]
  %2: f32[8][i] = %1[i+1]
  return %2
}
)",
                         "-all,+fold_views"),
            R"(func f(x: f32[10]) {
  %0: f32[8][i+4] = x[i+3]; i<4
  return %0
}
)");
}

TEST(FoldViews, AViewOfAGather) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6,4], t_below5: i32[3]) {
  %0: f32[5,4][i,j] = x[i+1,j]
  %1: i32[3] = check(t_below5) {below=5, what="index"}
  %2: f32[3,4][i,j] = %0[%1[i],j]
  %3: f32[4,3][i,j] = %2[j,i]
  return %3
}
)",
                         "-all,+fold_views"),
            R"(func f(x: f32[6,4], t_below5: i32[3]) {
  %0: i32[3] = check(t_below5) {below=5, what="index"}
  %1: f32[4,3][i,j] = x[%0[j]+1,i]
  return %1, %0
}
)");
}

TEST(FoldViews, AGatherStaysInFrontOfAProduct) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[6,4], t_below6: i32[3], w: f32[4,5]) {
  %0: i32[3] = check(t_below6) {below=6, what="index"}
  %1: f32[3,4][i,j] = x[%0[i],j]
  %2: f32[3,5][i,j] = %1[i,k] * w[k,j]
  return %2
}
)",
                         "-all,+fold_views"),
            R"(func f(x: f32[6,4], t_below6: i32[3], w: f32[4,5]) {
  %0: i32[3] = check(t_below6) {below=6, what="index"}
  %1: f32[3,4][i,j] = x[%0[i],j]
  %2: f32[3,5][i,j] = w[p,j] * %1[i,p]
  return %2, %0
}
)");
}

TEST(FoldViews, AProductWithAOneHotMatrixIsAGather) {
  EXPECT_EQ(after_passes(R"(func f(t_below16: i32[3], w: f32[16,5]) {
  %0: i32[3] = check(t_below16) {below=16, what="index"}
  %1: f32[3,16][i,%0[i]] = 1; i<3
  %2: f32[3,5][i,j] = %1[i,k] * w[k,j]
  return %2
}
)",
                         "-all,+fold_views"),
            R"(func f(t_below16: i32[3], w: f32[16,5]) {
  %0: i32[3] = check(t_below16) {below=16, what="index"}
  %1: f32[3,5][i,j] = w[%0[i],j]
  return %1, %0
}
)");
}

TEST(FoldViews, DimensionsOfSizeOne) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[3,1,4]) {
  %0: f32[1,3,4][0,i,j] = x[i,0,j]
  %1: f32[3,4,1][i,j,0] = %0[0,i,j]
  %2: f32[12][4*i+j] = %1[i,j,0]
  return %2
}
)",
                         "-all,+fold_views"),
            R"(func f(x: f32[3,1,4]) {
  %0: f32[12][4*i+j] = x[i,0,j]
  return %0
}
)");
}

TEST(FoldViews, WindowsAsLargeAsTheirStride) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[2,6,4]) {
  %0: f32[2,24][i,4*j+k] = x[i,j,k]
  %1: f32[2,12][i,j] = 0.5 * %0[i,2*j+p]; p<2
  return %1
}
)",
                         "-all,+fold_views"),
            R"(func f(x: f32[2,6,4]) {
  %0: f32[2,24][i,4*j+k] = x[i,j,k]
  %1: f32[2,12][i,j] = 0.5 * %0[i,2*j+p]; p<2
  return %1
}
)");
}

TEST(FoldViews, ABroadcastThatOthersReadStaysFree) {
  EXPECT_EQ(after_passes(R"(func f(x: f32[3,4], t_below3: i32[3]) {
  %0: i32[3] = check(t_below3) {below=3, what="index"}
  %1: f32[3,4][i,j] = x[%0[i],j]
  %2: f32[8,3,4][k,i,j] = %1[i,j]
  %3: f32[8,3,4] = exp(%2)
  return %3
}
)",
                         "-all,+fold_views,+merge_sums"),
            R"(func f(x: f32[3,4], t_below3: i32[3]) {
  %0: i32[3] = check(t_below3) {below=3, what="index"}
  %1: f32[3,4][i,j] = x[%0[i],j]
  %2: f32[8,3,4][i,j,k] = %1[j,k]
  %3: f32[8,3,4] = exp(%2)
  return %3, %0
}
)");
}

}  // namespace
}  // namespace cotan::testing
