// relu behind maxima over windows: graphs as text before and after, and equal entries where it is delicate.
#include <limits>

#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

constexpr std::string_view pooled = R"(func f(x: f32[2,6,4], g: f32[2,3,2]) {
  %0: f32[2,6,4] = relu(x)
  %1: f32[2,3,2][i,j,k] = max %0[i,2*j+p,2*k+q]; p<2, q<2
  %2: i32[2,3,2,2][i,j,k] = argmax %0[i,2*j+p,2*k+q]; p<2, q<2
  %3: f32[2,6,4][i,2*j+%2[i,j,k,0],2*k+%2[i,j,k,1]] = g[i,j,k]
  %4: f32[2,6,4] = { where(%0 <= 0, 0, %3) }
  return y=%1, d=%4
}
)";

TEST(MaxBeforeRelu, ThePoolAndItsGradient) {
  EXPECT_EQ(after_passes(pooled, "-all,+max_before_relu"), R"(func f(x: f32[2,6,4], g: f32[2,3,2]) {
  %0: f32[2,3,2][i,j,k] = max x[i,2*j+p,2*k+q]; p<2, q<2
  %1: f32[2,3,2] = relu(%0)
  %2: f32[2,3,2] = { where(%1 <= 0, 0, g) }
  %3: i32[2,3,2,2][i,j,k] = argmax x[i,2*j+p,2*k+q]; p<2, q<2
  %4: f32[2,6,4][i,2*j+%3[i,j,k,0],2*k+%3[i,j,k,1]] = %2[i,j,k]
  return y=%1, d=%4
}
)");
}

// Windows of negative numbers, of equal ones, of NaN and infinities, and ones that overlap: every entry is the same.
TEST(MaxBeforeRelu, EveryEntryIsTheSame) {
  constexpr std::string_view overlapping = R"(func f(x: f32[24], g: f32[11]) {
  %0: f32[24] = relu(x)
  %1: f32[11][i] = max %0[2*i+p]; p<4
  %2: i32[11,1][i] = argmax %0[2*i+p]; p<4
  %3: f32[24][2*i+%2[i,0]] = g[i]
  %4: f32[24] = { where(%0 <= 0, 0, %3) }
  return y=%1, d=%4
}
)";
  const Function before = parse_function(overlapping), after = after_passes(before, "-all,+max_before_relu");
  EXPECT_NE(to_text(before), to_text(after));
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<double>> inputs{{-1, -2, -1, -3, 0, -0.0, 2, 2, 2, 1, nan, 3, nan, 1, -inf, -inf, inf, -1, 5, 5, 0, 0, -4, -4},
                                                {-3, -1, -2, -5, -4, -1, -1, -9, -2, -1, -1, -1, -2, -8, -1, -6, -7, -1, -1, -1, -1, -2, -1, -3}};
  for (const auto& x : inputs) {
    std::vector<reference::Array> arrays{{f32, Shape{24}, x}, {f32, Shape{11}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}};
    const auto a = reference::evaluate(before, arrays, {.exact = true}), b = reference::evaluate(after, arrays, {.exact = true});
    for (std::size_t r = 0; r < a.size(); ++r)
      for (std::size_t i = 0; i < a[r].values.size(); ++i)
        EXPECT_TRUE(a[r].values[i] == b[r].values[i] || (std::isnan(a[r].values[i]) && std::isnan(b[r].values[i])))
            << "result " << r << ", entry " << i << ": " << a[r].values[i] << " and " << b[r].values[i];
  }
}

// A window that lies beside x is -inf, as it is without the pass, for each amount of padding.
TEST(MaxBeforeRelu, WindowsInPaddingAlone) {
  for (const std::int64_t size : {1, 2, 3, 4, 7})
    for (const std::int64_t dilation : {1, 2, 3, 4})
      for (const std::int64_t padding : {0, 1, 2}) {
        const std::int64_t outputs = size + 2 * padding - dilation;
        if (outputs < 1) continue;
        const std::string text = fmt::format(
            "func f(x: f32[40,{}]) {{\n  %0: f32[40,{}] = relu(x)\n  %1: f32[40,{}][i,j] = max %0[i,j+{}*p-{}]; p<2\n  return %1\n}}", size, size,
            outputs, dilation, padding);
        const Function f = parse_function(text);
        const auto inputs = random_inputs(f, 1);
        const auto want = reference::evaluate(f, inputs), got = run_compiled(f, inputs, 1);
        EXPECT_EQ(got[0].values, want[0].values) << text;
      }
}

// Another reader of relu's result needs that anyway; a gradient without its mask is another function.
TEST(MaxBeforeRelu, WhatItLeaves) {
  for (const std::string_view text : {R"(func f(x: f32[6]) {
  %0: f32[6] = relu(x)
  %1: f32[3][i] = max %0[2*i+p]; p<2
  %2: f32[6] = exp(%0)
  return %1, %2
}
)",
                                      R"(func f(x: f32[6], g: f32[3]) {
  %0: f32[6] = relu(x)
  %1: i32[3,1][i] = argmax %0[2*i+p]; p<2
  %2: f32[6][2*i+%1[i,0]] = g[i]
  %3: f32[6] = { where(%0 < 0, 0, %2) }
  return %3
}
)",
                                      R"(func f(x: f32[6], g: f32[3]) {
  %0: f32[6] = relu(x)
  %1: i32[3,1][i] = argmax %0[2*i+p]; p<2
  %2: f32[6][2*i+%1[i,0]] = g[i]
  %3: f32[6] = { where(%0 <= 0, 0, %2) }
  return %2, %3
}
)",
                                      R"(func f(x: f32[6], g: f32[3]) {
  %0: f32[6] = relu(x)
  %1: i32[3,1][i] = argmax %0[2*i+p]; p<2
  %2: f32[6][2*i+%1[i,0]] = g[i]
  %3: f32[6] = { where(%0 <= 0, 0, %2) }
  return %1, %3
}
)",
                                      R"(func f(x: f32[6]) {
  %0: f32[6] = relu(x)
  %1: f32[3][i] = max %0[2*i+p]; p<2
  return %0, %1
}
)",
                                      // A gradient of another shape than the maximum's.
                                      R"(func f(x: f32[6], g: f32[5]) {
  %0: f32[6] = relu(x)
  %1: i32[3,1][i] = argmax %0[2*i+p]; p<2
  %2: f32[6][2*i+%1[i,0]] = g[i]
  %3: f32[6] = { where(%0 <= 0, 0, %2) }
  return %3
}
)",
                                      // Windows that hold nothing: the largest of no entry is -inf, not 0.
                                      R"(func f(x: f32[2]) {
  %0: f32[2] = relu(x)
  %1: f32[1][i] = max %0[i+3*p-1]; p<2
  return %1
}
)",
                                      R"(func f(x: f32[6]) {
  %0: f32[6] = relu(x)
  %1: f32[4][i] = max %0[2*i+p]; p<2
  return %1
}
)",
                                      R"(func f(x: f32[6]) {
  %0: f32[6] = relu(x)
  %1: f32[4][i] = max %0[2*i+p-2]; p<2
  return %1
}
)"})
    EXPECT_EQ(after_passes(text, "-all,+max_before_relu"), text);
}

}  // namespace
}  // namespace cotan::testing
