// softmax, forward and backward, against plain loops in double.
#include <algorithm>
#include <cmath>

#include "tests/onednn/helpers.h"

namespace cotan::onednn::testing {
namespace {

// The last axis is what oneDNN has a fast implementation for: forward everywhere, backward where its forward uses AVX-512.
bool backward_is_fast(SoftmaxProblem problem) {
  problem.direction = SoftmaxDirection::forward;
  const Made made = Primitive::make(problem);
  return made && made.primitive->implementation().find("avx512") != std::string::npos;
}

// Calls visit(x offset, y offset) with the start of every row along the axis.
void each_row(const SoftmaxProblem& problem, const std::function<void(std::int64_t, std::int64_t)>& visit) {
  Shape rows = problem.shape;
  rows[problem.axis] = 1;
  std::vector<std::int64_t> x, y;
  each_offset(rows, problem.x_strides, [&](std::int64_t offset) { x.push_back(offset); });
  each_offset(rows, problem.y_strides, [&](std::int64_t offset) { y.push_back(offset); });
  for (std::size_t i = 0; i < x.size(); ++i) visit(x[i], y[i]);
}

// y of one row in double.
std::vector<double> softmax_of(const SoftmaxProblem& problem, const Tensor& x, std::int64_t start) {
  const std::int64_t size = problem.shape[problem.axis], step = problem.x_strides[problem.axis];
  double largest = -INFINITY, sum = 0.0;
  for (std::int64_t i = 0; i < size; ++i) largest = std::max(largest, static_cast<double>(x[start + i * step]));
  for (std::int64_t i = 0; i < size; ++i) sum += std::exp(x[start + i * step] - largest);
  std::vector<double> y;
  for (std::int64_t i = 0; i < size; ++i) {
    const double shifted = x[start + i * step] - largest;
    y.push_back(std::exp(shifted) / sum);
  }
  return y;
}

void check_forward(const SoftmaxProblem& problem) {
  const Made made = Primitive::make(problem);
  ASSERT_TRUE(made) << made.reason;
  Tensor x(problem.shape, problem.x_strides), y(problem.shape, problem.y_strides);
  x.fill(1);
  each_offset(problem.shape, problem.x_strides, [&](std::int64_t offset) { x[offset] *= 12.0f; });
  run(*made.primitive, {&x}, y);
  y.expect_canaries();
  each_row(problem, [&](std::int64_t x0, std::int64_t y0) {
    const std::vector<double> want = softmax_of(problem, x, x0);
    for (std::size_t i = 0; i < want.size(); ++i) {
      const float got = y[y0 + static_cast<std::int64_t>(i) * problem.y_strides[problem.axis]];
      ASSERT_NEAR(got, want[i], 4e-6 * want[i]) << made.primitive->implementation();
    }
  });
}

void check_backward(SoftmaxProblem problem) {
  problem.direction = SoftmaxDirection::backward;
  const Made made = Primitive::make(problem);
  if (!made && !backward_is_fast(problem)) {
    expect_refused(made, Refusal::slow_reference, "ref");
    return;
  }
  ASSERT_TRUE(made) << made.reason;
  Tensor x(problem.shape, problem.x_strides), y(problem.shape, problem.y_strides), dy(problem.shape, problem.y_strides), dx(problem.shape, problem.x_strides);
  x.fill(1);
  dy.fill(2);
  const std::int64_t y_step = problem.y_strides[problem.axis], x_step = problem.x_strides[problem.axis], size = problem.shape[problem.axis];
  each_row(problem, [&](std::int64_t x0, std::int64_t y0) {
    const std::vector<double> row = softmax_of(problem, x, x0);
    for (std::int64_t i = 0; i < size; ++i) y[y0 + i * y_step] = static_cast<float>(row[static_cast<std::size_t>(i)]);
  });
  run(*made.primitive, {&y, &dy}, dx);
  dx.expect_canaries();
  each_row(problem, [&](std::int64_t x0, std::int64_t y0) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < size; ++i) sum += static_cast<double>(dy[y0 + i * y_step]) * y[y0 + i * y_step];
    for (std::int64_t i = 0; i < size; ++i) {
      const double value = y[y0 + i * y_step], cotangent = dy[y0 + i * y_step];
      const double want = value * (cotangent - sum);
      ASSERT_NEAR(dx[x0 + i * x_step], want, 3e-6) << made.primitive->implementation();
    }
  });
}

SoftmaxProblem dense(const Shape& shape, std::size_t axis) {
  SoftmaxProblem problem;
  problem.shape = shape;
  problem.axis = axis;
  problem.x_strides = problem.y_strides = dense_strides(shape);
  return problem;
}

TEST(Softmax, LastAxis) {
  for (const Shape& shape : {Shape{1, 1}, Shape{1, 5}, Shape{7, 1}, Shape{64, 10}, Shape{3, 16}, Shape{5, 17}, Shape{2, 1000}, Shape{2, 3, 4, 33}, Shape{12}}) {
    SCOPED_TRACE(shape.text());
    check_forward(dense(shape, shape.rank() - 1));
    check_backward(dense(shape, shape.rank() - 1));
  }
}

TEST(Softmax, OtherAxesAreComputedRightOrRefusedAsSlow) {
  for (const auto& [shape, axis] : {std::pair(Shape{6, 10}, 0), {Shape{3, 5, 7}, 1}, {Shape{2, 16, 4, 4}, 1}, {Shape{2, 16, 1, 1}, 1}, {Shape{4, 1, 8}, 0}}) {
    for (SoftmaxDirection direction : {SoftmaxDirection::forward, SoftmaxDirection::backward}) {
      SCOPED_TRACE(shape.text() + " axis " + std::to_string(axis));
      SoftmaxProblem problem = dense(shape, static_cast<std::size_t>(axis));
      problem.direction = direction;
      if (const Made made = Primitive::make(problem)) {
        direction == SoftmaxDirection::forward ? check_forward(problem) : check_backward(problem);
      } else {
        expect_refused(made, Refusal::slow_reference, "ref");
      }
    }
  }
}

TEST(Softmax, RowsWithGapsAreComputedRightOrRefused) {
  SoftmaxProblem problem = dense({6, 20}, 1);
  problem.x_strides = {25, 1};
  problem.y_strides = {22, 1};
  const Made made = Primitive::make(problem);
  if (made) {
    check_forward(problem);
  } else {
    EXPECT_NE(made.refusal, Refusal::none);
    EXPECT_FALSE(made.reason.empty());
  }
}

TEST(Softmax, MayWriteOverItsInput) {
  const SoftmaxProblem problem = dense({5, 33}, 1);
  const Made made = Primitive::make(problem);
  ASSERT_TRUE(made) << made.reason;
  Tensor x(problem.shape), y(problem.shape);
  x.fill(4);
  run(*made.primitive, {&x}, y);
  Tensor over = x;
  run(*made.primitive, {&over}, over);
  EXPECT_EQ(std::memcmp(over.data(), y.data(), y.extent() * sizeof(float)), 0);
}

}  // namespace
}  // namespace cotan::onednn::testing
