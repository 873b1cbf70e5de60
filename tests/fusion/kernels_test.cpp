// Maps as one loop: which nodes become one group, and what keeps them apart. Numbers are places in the function's order, parameters included.
#include <gmock/gmock.h>

#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Fused fused(const Function& f) { return testing::fused(f, {fusion::fuse_kernels}); }
std::string fused(std::string_view text) {
  const Function f = parse_function(text);
  expect_right(f);
  return fused(f).text;
}

TEST(Kernels, AChainAndTwoReadersOfOneTensor) {
  EXPECT_EQ(fused(R"(func f(x: f32[10,7]) {
    %0: f32[10,7] = exp(x)
    %1: f32[10,7] = { 1 + %0 }
    %2: f32[10,7] = log(%1)
    %3: f32[10,7] = sin(x)
    return %2, %3
  })"),
            "fuse_kernels: %1 %2 %3 %4\n");
}

TEST(Kernels, AValueThatOthersReadIsAnOutputOfTheLoop) {
  const Function f = parse_function(R"(func f(x: f32[6,6], w: f32[6,6]) {
    %0: f32[6,6] = exp(x)
    %1: f32[6,6][i,j] = %0[i,p] * w[p,j]
    %2: f32[6,6] = tanh(%0)
    return %1, %2
  })");
  expect_right(f);
  const Fused made = fused(f);
  EXPECT_EQ(made.text, "fuse_kernels: %2 %4\n");
  EXPECT_THAT(made.misses, IsEmpty());
}

TEST(Kernels, CastsJoin) {
  EXPECT_EQ(fused(R"(func f(x: f32[9], n: i32[9]) {
    %0: f32[9] = cast(n)
    %1: f32[9] = mul(x, %0)
    %2: i32[9] = cast(%1)
    return %2
  })"),
            "fuse_kernels: %2 %3 %4\n");
}

TEST(Kernels, ABroadcastIsReadInPlace) {
  EXPECT_EQ(fused(R"(func f(x: f32[5,7], b: f32[7]) {
    %0: f32[5,7] = sin(x)
    %1: f32[5,7][i,j] = b[j]
    %2: f32[5,7] = add(%0, %1)
    return %2
  })"),
            "fuse_kernels: %1 %4\n");
}

TEST(Kernels, ABroadcastBetweenKeepsShapesApart) {
  EXPECT_EQ(fused(R"(func f(x: f32[7]) {
    %0: f32[7] = exp(x)
    %1: f32[7] = sqrt(%0)
    %2: f32[5,7][i,j] = %1[j]
    %3: f32[5,7] = sin(%2)
    %4: f32[5,7] = mul(%3, %2)
    return %4
  })"),
            "fuse_kernels: %1 %2\nfuse_kernels: %4 %5\n");
}

// A number is read once by any loop; two that read one vector read it once together.
TEST(Kernels, ANumberThatBothReadJoinsNothing) {
  const auto text = [](std::string_view shared, std::string_view access) {
    return fmt::format(R"(func f(x: f32[8,16], y: f32[8,16], s: f32[{}]) {{
    %0: f32[8,16][i,j] = s[{}]
    %1: f32[8,16] = mul(x, %0)
    %2: f32[8,16] = sub(y, %0)
    return %1, %2
  }})",
                       shared, access);
  };
  EXPECT_EQ(fused(text("", "")), "");
  EXPECT_EQ(fused(text("16", "j")), "fuse_kernels: %3 %5\n");
}

TEST(Kernels, APathThroughSomethingElseKeepsThemApart) {
  const Function f = parse_function(R"(func f(x: f32[6,6], w: f32[6,6]) {
    %0: f32[6,6] = exp(x)
    %1: f32[6,6][i,j] = %0[i,p] * w[p,j]
    %2: f32[6,6] = add(%0, %1)
    return %2
  })");
  expect_right(f);
  const Fused made = fused(f);
  EXPECT_EQ(made.text, "");
  ASSERT_EQ(made.misses.size(), 1U);
  EXPECT_EQ(made.misses[0].what, "fuse_kernels");
  EXPECT_EQ(made.misses[0].reason.code, ReasonCode::between);
  EXPECT_EQ(made.misses[0].node, 4);
}

// The sibling joins the loop behind the product, which the loop before it then cannot: together they would wait for themselves.
TEST(Kernels, AGroupThatReachesAcrossIsNotClosedIntoACircle) {
  const Function f = parse_function(R"(func f(x: f32[6,6], w: f32[6,6]) {
    %0: f32[6,6] = exp(x)
    %1: f32[6,6] = sin(%0)
    %2: f32[6,6][i,j] = %1[i,p] * w[p,j]
    %3: f32[6,6] = add(%0, %2)
    %4: f32[6,6] = cos(%3)
    return %4, %1
  })");
  expect_right(f);
  const Fused made = fused(f);
  EXPECT_EQ(made.text, "fuse_kernels: %1 %3\nfuse_kernels: %5 %6\n");
  ASSERT_EQ(made.misses.size(), 1U);
  EXPECT_EQ(made.misses[0].reason.code, ReasonCode::between);
}

TEST(Kernels, ACheckBetween) {
  const Function f = parse_function(R"(func f(t: i32[8]) {
    %0: i32[8] = add(t, t)
    %1: i32[8] = check(%0) {below=8, what="index"}
    %2: i32[8] = mul(%1, %0)
    return %2
  })");
  expect_right(f);
  EXPECT_EQ(fused(f).text, "");
}

TEST(Kernels, ALongChainIsCut) {
  std::string text = "func f(x: f32[8]) { %0: f32[8] = sin(x) ";
  for (int i = 1; i < 400; ++i) text += fmt::format("%{}: f32[8] = {}(%{}) ", i, i % 2 == 0 ? "sin" : "cos", i - 1);
  const Function f = parse_function(text + "return %399 }");
  expect_right(f, 1e-4);
  const Fused made = fused(f);
  EXPECT_EQ(std::count(made.text.begin(), made.text.end(), '\n'), 5);
  ASSERT_FALSE(made.misses.empty());
  for (const MissReport& m : made.misses) {
    EXPECT_EQ(m.reason.code, ReasonCode::too_long);
    EXPECT_THAT(m.reason.detail, HasSubstr("operations in one loop"));
  }
}

}  // namespace
}  // namespace cotan::testing
