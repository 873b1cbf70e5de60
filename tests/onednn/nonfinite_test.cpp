// The table of primitive.h: NaN and infinity propagate through the primitives.
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
TEST(Nonfinite, AnUpdateByAFactorOfZero) {
  MatmulProblem problem = matmul(false);
  problem.a_strides = {1, 25};
  problem.after = {{PostOpKind::mul, 0, 0, {0, 0}}, {PostOpKind::linear, -1, 0}, {PostOpKind::accumulate}};
  const Made made = Primitive::make(problem);
  ASSERT_TRUE(made) << made.reason;
  // The greatest float stands for a product that is too large, though its factors are finite.
  for (float bad : {nan, inf, -inf, std::numeric_limits<float>::max()}) {
    for (float factor : {0.0f, 0.5f}) {
      Tensor a({20, 24}, {1, 25}), b({24, 36}), number({1}), c({20, 36});
      a.fill_all(1);
      b.fill_all(1);
      for (std::int64_t k : {5, 6}) a[3 + k * 25] = bad;
      number.fill_all(factor);
      c.fill_all(7);
      run(*made.primitive, {&a, &b, &number}, c);
      for (std::int64_t i = 0; i < 20; ++i)
        for (std::int64_t j = 0; j < 36; ++j) {
          const float got = c[i * 36 + j];
          if (i != 3)
            EXPECT_EQ(got, 7 - factor * 24) << i << ", " << j;
          else if (factor == 0 || std::isnan(bad))
            EXPECT_TRUE(std::isnan(got)) << bad << ": " << got;
          else
            EXPECT_FALSE(std::isfinite(got) && std::isinf(bad)) << bad << ": " << got;
        }
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

// Only the centre of a 3x3 kernel meets an entry: what is infinite elsewhere contributes nothing, whichever kernel the library has.
TEST(Nonfinite, AnInfiniteFactorThatMeetsPadding) {
  int not_jit = 0;
  const auto make = [&](ConvolutionDirection direction, ConvolutionLayout layout, std::int64_t channels) {
    const Made made = Primitive::make(padded(direction, layout, channels));
    EXPECT_TRUE(made) << made.reason;
    not_jit += !made.primitive->implementation().starts_with("jit");
    return made.primitive;
  };
  for (ConvolutionLayout layout : {ConvolutionLayout::plain, ConvolutionLayout::blocked, ConvolutionLayout::automatic}) {
    for (std::int64_t channels : {1, 4, 16}) {
      const auto forward = make(ConvolutionDirection::forward, layout, channels), data = make(ConvolutionDirection::backward_data, layout, channels),
                 backward = make(ConvolutionDirection::backward_weights, layout, channels);
      for (float bad : {inf, -inf, nan}) {
        SCOPED_TRACE(::testing::Message() << channels << " channels, " << bad);
        Tensor source({1, channels, 1, 1}), weights({channels, channels, 3, 3}), result({1, channels, 1, 1});
        source.fill_all(1.0f);
        weights.fill_all(bad);
        for (std::int64_t i = 0; i < channels * channels; ++i) weights[i * 9 + 4] = 2.0f;
        const float sum = 2.0f * static_cast<float>(channels);
        run(*forward, {&source, &weights}, result);
        EXPECT_EQ(result[0], sum) << forward->implementation();
        result.fill_all(1.0f);
        run(*data, {&result, &weights}, source);
        EXPECT_EQ(source[0], sum) << data->implementation();
        source.fill_all(1.0f);
        result.fill_all(bad);
        run(*backward, {&source, &result}, weights);
        EXPECT_FALSE(std::isfinite(weights[4]));
        EXPECT_EQ(weights[0], 0.0f) << backward->implementation();
      }
    }
  }
  EXPECT_GT(not_jit, 0);
}

// Groups, strides, dilation, a bias and strides of the caller's, by kernels that multiply with the padding: what is finite stays, what is not is where it is
// due.
TEST(Nonfinite, PaddedConvolutionsByWayOfProducts) {
  for (const ConvolutionDirection direction : {ConvolutionDirection::forward, ConvolutionDirection::backward_weights}) {
    for (bool gaps : {false, true}) {
      ConvolutionProblem p;
      p.direction = direction;
      p.layout = ConvolutionLayout::plain;
      p.batch = 2;
      p.groups = 2;
      p.in_channels = 6;
      p.out_channels = 4;
      p.input = {9, 7};
      p.kernel = {3, 2};
      p.stride = {2, 1};
      p.dilation = {1, 2};
      p.padding = {1, 2};
      p.output = {5, 9};
      const std::int64_t g = gaps ? 3 : 0;
      p.source_strides = {6 * 63 + g, 63, 7, 1};
      p.weights_strides = {2 * 18 + g, 18, 6, 2, 1};
      p.result_strides = {4 * 45 + g, 45, 9, 1};
      if (direction == ConvolutionDirection::forward) p.after = {{PostOpKind::add, 0, 0, {0, 1, 0, 0}}};
      const Made made = Primitive::make(p);
      if (!made) continue;
      Tensor source({2, 6, 9, 7}, p.source_strides), weights({2, 2, 3, 3, 2}, p.weights_strides), result({2, 4, 5, 9}, p.result_strides), bias({4});
      source.fill(1);
      bias.fill(3);
      const bool forward = direction == ConvolutionDirection::forward;
      Tensor& factor = forward ? weights : result;
      factor.fill(2);
      Tensor want = forward ? result : weights, got = want;
      const auto compute = [&](Tensor& to) { forward ? run(*made.primitive, {&source, &weights, &bias}, to) : run(*made.primitive, {&source, &result}, to); };
      compute(want);
      for (float bad : {nan, inf}) {
        // The first entry, which windows or taps at the edge meet in the padding.
        factor[0] = bad;
        compute(got);
        got.expect_canaries();
        int lost = 0;
        each_offset(got.shape(), got.strides(), [&](std::int64_t at) {
          if (!std::isfinite(got[at])) return static_cast<void>(++lost);
          EXPECT_NEAR(got[at], want[at], 1e-5) << made.primitive->implementation() << " at " << at;
        });
        // Forward: both images' first channel, where tap (0, 0) of its first input channel meets an entry. By weights: taps that window (0, 0) meets so.
        EXPECT_EQ(lost, forward ? 2 * 4 * 7 : 3 * 2 * 1) << made.primitive->implementation();
      }
    }
  }
}

std::vector<float> softmax_row(const std::vector<float>& row) {
  SoftmaxProblem problem;
  const auto size = static_cast<std::int64_t>(row.size());
  problem.shape = {1, size};
  problem.axis = 1;
  problem.x_strides = problem.y_strides = {size, 1};
  const Made made = Primitive::make(problem);
  if (!made) {
    ADD_FAILURE() << made.reason;
    return std::vector<float>(row.size());
  }
  std::vector<float> y(row.size(), 7.0f);
  Scratch scratch(made.primitive->scratch_bytes());
  const std::array<const void*, 1> inputs{row.data()};
  made.primitive->run(inputs, std::array<void*, 1>{y.data()}, scratch.data());
  return y;
}

TEST(Nonfinite, SoftmaxOfMinusInfinity) {
  const std::vector<float> y = softmax_row({1.0f, -inf, 1.0f, 1.0f});
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_NEAR(y[0], 1.0f / 3.0f, 1e-6f);
  for (float value : softmax_row({-inf, -inf, -inf, -inf, -inf})) EXPECT_TRUE(std::isnan(value)) << value;
}

TEST(Nonfinite, SoftmaxOfNanOrInfinityIsNan) {
  for (float bad : {nan, inf}) {
    for (std::size_t size : {1, 6, 16, 77, 5000}) {
      for (std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
        std::vector<float> row(size);
        for (std::size_t i = 0; i < size; ++i) row[i] = static_cast<float>(i % 7);
        row[at] = bad;
        for (float y : softmax_row(row)) EXPECT_TRUE(std::isnan(y)) << y << " in a row of " << size;
      }
    }
  }
}

// Rows along any axis, dense or not: those without NaN stay.
TEST(Nonfinite, SoftmaxSpreadsNanAlongItsAxisAlone) {
  for (const Shape& strides : {Shape{60, 12, 1}, Shape{80, 16, 1}}) {
    for (std::size_t axis : {0, 1, 2}) {
      SoftmaxProblem problem;
      problem.shape = {4, 5, 12};
      problem.axis = axis;
      problem.x_strides = problem.y_strides = strides;
      const Made made = Primitive::make(problem);
      if (!made) continue;
      Tensor x(problem.shape, strides), y(problem.shape, strides);
      x.fill(1)[2 * strides[0] + 3 * strides[1] + 7] = nan;
      run(*made.primitive, {&x}, y);
      y.expect_canaries();
      for (std::int64_t i = 0; i < 4; ++i)
        for (std::int64_t j = 0; j < 5; ++j)
          for (std::int64_t k = 0; k < 12; ++k)
            EXPECT_EQ(std::isnan(y[i * strides[0] + j * strides[1] + k]), (axis == 0 || i == 2) && (axis == 1 || j == 3) && (axis == 2 || k == 7));
    }
  }
}

TEST(Nonfinite, SoftmaxBackward) {
  SoftmaxProblem problem;
  problem.direction = SoftmaxDirection::backward;
  problem.shape = {1, 6};
  problem.axis = 1;
  problem.x_strides = problem.y_strides = {6, 1};
  const Made made = Primitive::make(problem);
  if (!made) return expect_refused(made, Refusal::slow_reference, "ref");
  Tensor y({1, 6}), dy({1, 6}), dx({1, 6});
  y.fill_all(0.2f);
  dy.fill(1)[2] = nan;
  run(*made.primitive, {&y, &dy}, dx);
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_TRUE(std::isnan(dx[i])) << dx[i];
  y[3] = nan;
  dy.fill_all(1.0f);
  run(*made.primitive, {&y, &dy}, dx);
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_TRUE(std::isnan(dx[i])) << dx[i];
}

}  // namespace
}  // namespace cotan::onednn::testing
