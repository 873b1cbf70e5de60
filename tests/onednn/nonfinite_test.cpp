// The table of primitive.h: what the primitives do with NaN and infinity.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tests/onednn/helpers.h"

namespace cotan::onednn::testing {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

MatmulProblem matmul(bool accumulate) {
  MatmulProblem problem;
  problem.m = 20;
  problem.k = 24;
  problem.n = 36;
  problem.a_strides = {24, 1};
  problem.b_strides = {36, 1};
  problem.c_strides = {36, 1};
  if (accumulate) problem.after = {{PostOpKind::accumulate}};
  return problem;
}

TEST(Nonfinite, MatmulPropagates) {
  const Made made = Primitive::make(matmul(false));
  ASSERT_TRUE(made) << made.reason;
  EXPECT_TRUE(made.primitive->exact_at_nonfinite());
  Tensor a({20, 24}), b({24, 36}), c({20, 36});
  a.fill(1)[3 * 24 + 5] = nan;
  b.fill(2)[7 * 36 + 35] = inf;
  a[4 * 24 + 7] = 0.0f;
  run(*made.primitive, {&a, &b}, c);
  for (std::int64_t i = 0; i < 20; ++i) {
    for (std::int64_t j = 0; j < 36; ++j) {
      const float got = c[i * 36 + j];
      if (i == 3 || (i == 4 && j == 35)) {
        EXPECT_TRUE(std::isnan(got)) << i << ", " << j << ": " << got;  // NaN in a's row; 0 * infinity
      } else if (j == 35) {
        EXPECT_TRUE(std::isinf(got)) << i << ": " << got;
      } else {
        EXPECT_TRUE(std::isfinite(got)) << i << ", " << j;
      }
    }
  }
}

TEST(Nonfinite, MatmulReadsTheResultOnlyToAccumulate) {
  for (bool accumulate : {false, true}) {
    const Made made = Primitive::make(matmul(accumulate));
    ASSERT_TRUE(made) << made.reason;
    Tensor a({20, 24}), b({24, 36}), c({20, 36});
    c.fill_all(nan);
    run(*made.primitive, {&a.fill(1), &b.fill(2)}, c);
    each_offset(c.shape(), c.strides(), [&](std::int64_t offset) { EXPECT_EQ(std::isnan(c[offset]), accumulate) << offset; });
  }
}

// Only where the factor is not one of the library's post-operations; a's columns are contiguous here, which its implementation with post-operations refuses.
TEST(Nonfinite, AnUpdateByAFactorOfZeroLeavesTheWeight) {
  MatmulProblem problem = matmul(false);
  problem.a_strides = {1, 25};
  problem.after = {{PostOpKind::mul, 0, 0, {0, 0}}, {PostOpKind::linear, -1, 0}, {PostOpKind::accumulate}};
  const Made made = Primitive::make(problem);
  ASSERT_TRUE(made) << made.reason;
  EXPECT_FALSE(made.primitive->exact_at_nonfinite());
  for (float factor : {0.0f, 0.5f}) {
    Tensor a({20, 24}, {1, 25}), b({24, 36}), number({1}), c({20, 36});
    a.fill_all(1);
    a[3 + 5 * 25] = nan;
    number.fill_all(factor);
    c.fill_all(7);
    run(*made.primitive, {&a, &b.fill(2), &number}, c);
    for (std::int64_t i = 0; i < 20; ++i)
      for (std::int64_t j = 0; j < 36; ++j) {
        if (factor == 0)
          EXPECT_EQ(c[i * 36 + j], 7) << i << ", " << j;
        else
          EXPECT_EQ(std::isnan(c[i * 36 + j]), i == 3) << i << ", " << j;
      }
  }
}

// 3x3 windows over one position: all but the centre of the kernel meets padding.
ConvolutionProblem padded(ConvolutionDirection direction, ConvolutionLayout layout, std::int64_t channels) {
  ConvolutionProblem problem;
  problem.direction = direction;
  problem.layout = layout;
  problem.batch = 1;
  problem.in_channels = problem.out_channels = channels;
  problem.input = problem.output = problem.stride = problem.dilation = problem.padding = {1, 1};
  problem.kernel = {3, 3};
  problem.source_strides = problem.result_strides = {channels, 1, 1, 1};
  problem.weights_strides = {0, channels * 9, 9, 3, 1};
  return problem;
}

TEST(Nonfinite, ConvolutionPropagatesInsideAWindow) {
  for (ConvolutionLayout layout : {ConvolutionLayout::plain, ConvolutionLayout::blocked}) {
    const Made made = Primitive::make(padded(ConvolutionDirection::forward, layout, 16));
    ASSERT_TRUE(made) << made.reason;
    Tensor source({1, 16, 1, 1}), weights({16, 16, 3, 3}), result({1, 16, 1, 1});
    source.fill(1)[3] = nan;
    run(*made.primitive, {&source, &weights.fill(2)}, result);
    each_offset(result.shape(), result.strides(), [&](std::int64_t offset) { EXPECT_TRUE(std::isnan(result[offset])); });
  }
}

TEST(Nonfinite, AnInfiniteFactorThatMeetsPadding) {
  for (ConvolutionLayout layout : {ConvolutionLayout::plain, ConvolutionLayout::blocked}) {
    for (std::int64_t channels : {1, 4, 16}) {
      Tensor source({1, channels, 1, 1}), weights({channels, channels, 3, 3}), result({1, channels, 1, 1});
      source.fill_all(1.0f);
      weights.fill_all(inf);
      for (std::int64_t i = 0; i < channels * channels; ++i) weights[i * 9 + 4] = 2.0f;
      const float sum = 2.0f * static_cast<float>(channels);
      const Made forward = Primitive::make(padded(ConvolutionDirection::forward, layout, channels));
      ASSERT_TRUE(forward) << forward.reason;
      run(*forward.primitive, {&source, &weights}, result);
      EXPECT_TRUE(std::isnan(result[0]) || result[0] == sum) << forward.primitive->implementation() << ": " << result[0];
      if (forward.primitive->exact_at_nonfinite()) {
        EXPECT_EQ(result[0], sum) << forward.primitive->implementation();
      }
      if (forward.primitive->implementation().starts_with("jit")) {
        EXPECT_TRUE(forward.primitive->exact_at_nonfinite());
      }

      const Made data = Primitive::make(padded(ConvolutionDirection::backward_data, layout, channels));
      ASSERT_TRUE(data) << data.reason;
      result.fill_all(1.0f);
      run(*data.primitive, {&result, &weights}, source);
      if (data.primitive->exact_at_nonfinite()) {
        EXPECT_EQ(source[0], sum) << data.primitive->implementation();
      }

      const Made backward = Primitive::make(padded(ConvolutionDirection::backward_weights, layout, channels));
      ASSERT_TRUE(backward) << backward.reason;
      source.fill_all(1.0f);
      result.fill_all(inf);
      run(*backward.primitive, {&source, &result}, weights);
      EXPECT_EQ(weights[4], inf);
      EXPECT_TRUE(std::isnan(weights[0]) || weights[0] == 0.0f);
      if (backward.primitive->exact_at_nonfinite()) {
        EXPECT_EQ(weights[0], 0.0f) << backward.primitive->implementation();
      }
    }
  }
}

TEST(Nonfinite, ConvolutionWithoutPaddingIsExact) {
  ConvolutionProblem problem = padded(ConvolutionDirection::forward, ConvolutionLayout::plain, 4);
  EXPECT_FALSE(Primitive::make(problem).primitive->exact_at_nonfinite()) << "the plain kernel multiplies padding";
  problem.kernel = {1, 1};
  problem.padding = {0, 0};
  problem.weights_strides = {0, 4, 1, 1, 1};
  const Made made = Primitive::make(problem);
  ASSERT_TRUE(made) << made.reason;
  EXPECT_TRUE(made.primitive->exact_at_nonfinite());
}

std::vector<float> softmax_row(bool log, const std::vector<float>& row) {
  SoftmaxProblem problem;
  problem.log = log;
  const auto size = static_cast<std::int64_t>(row.size());
  problem.shape = {1, size};
  problem.axis = 1;
  problem.x_strides = problem.y_strides = {size, 1};
  const Made made = Primitive::make(problem);
  if (!made) {
    ADD_FAILURE() << made.reason;
    return std::vector<float>(row.size());
  }
  EXPECT_FALSE(made.primitive->exact_at_nonfinite());
  std::vector<float> y(row.size(), 7.0f);
  Scratch scratch(made.primitive->scratch_bytes());
  const std::array<const void*, 1> inputs{row.data()};
  made.primitive->run(inputs, std::array<void*, 1>{y.data()}, scratch.data());
  return y;
}

TEST(Nonfinite, SoftmaxOfMinusInfinity) {
  const std::vector<float> y = softmax_row(false, {1.0f, -inf, 1.0f, 1.0f});
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_NEAR(y[0], 1.0f / 3.0f, 1e-6f);
  for (float value : softmax_row(false, {-inf, -inf, -inf, -inf, -inf})) EXPECT_TRUE(std::isnan(value)) << value;
  const std::vector<float> log = softmax_row(true, {1.0f, -inf, 1.0f, 1.0f});
  EXPECT_EQ(log[1], -inf);
  EXPECT_NEAR(log[0], -std::log(3.0f), 1e-5f);
  for (float value : softmax_row(true, {-inf, -inf, -inf, -inf, -inf})) EXPECT_TRUE(std::isnan(value)) << value;
}

TEST(Nonfinite, SoftmaxOfNanOrInfinityIsNanThere) {
  for (float bad : {nan, inf}) {
    for (std::size_t at : {0, 2, 5}) {
      std::vector<float> row{1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f};
      row[at] = bad;
      const std::vector<float> y = softmax_row(false, row), log = softmax_row(true, row);
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (i == at) {
          EXPECT_TRUE(std::isnan(y[i])) << y[i];
          EXPECT_TRUE(std::isnan(log[i])) << log[i];
        } else {
          EXPECT_TRUE(std::isnan(y[i]) || y[i] == 0.0f) << y[i];
          EXPECT_TRUE(std::isnan(log[i]) || log[i] == -inf) << log[i];
        }
      }
    }
  }
}

TEST(Nonfinite, SoftmaxBackward) {
  for (bool log : {false, true}) {
    SoftmaxProblem problem;
    problem.direction = SoftmaxDirection::backward;
    problem.log = log;
    problem.shape = {1, 6};
    problem.axis = 1;
    problem.x_strides = problem.y_strides = {6, 1};
    const Made made = Primitive::make(problem);
    if (!made) {
      expect_refused(made, Refusal::slow_reference, "ref");
      continue;
    }
    EXPECT_EQ(made.primitive->exact_at_nonfinite(), !log);
    Tensor y({1, 6}), dy({1, 6}), dx({1, 6});
    y.fill_all(log ? -1.0f : 0.2f);
    dy.fill(1)[2] = nan;
    run(*made.primitive, {&y, &dy}, dx);
    for (std::int64_t i = 0; i < 6; ++i) EXPECT_TRUE(std::isnan(dx[i])) << dx[i];
    y[3] = nan;
    dy.fill_all(1.0f);
    run(*made.primitive, {&y, &dy}, dx);
    EXPECT_FALSE(std::isfinite(dx[3])) << dx[3];
    if (!log) {
      for (std::int64_t i = 0; i < 6; ++i) EXPECT_TRUE(std::isnan(dx[i])) << dx[i];
    }
  }
}

}  // namespace
}  // namespace cotan::onednn::testing
