// The gradients that the digit reader's hand-written backward methods compute come out of the generated graph, to rounding. The methods stand here as plain
// loops in float64.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/c1/digit_reader.h"

namespace cotan {
namespace {

struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;

  Matrix(std::int64_t r, std::int64_t c) : rows(r), columns(c), values(static_cast<std::size_t>(r * c)) {}
  Matrix(std::int64_t r, std::int64_t c, std::vector<double> v) : rows(r), columns(c), values(std::move(v)) {}
  double& at(std::int64_t i, std::int64_t j) { return values[static_cast<std::size_t>(i * columns + j)]; }
  [[nodiscard]] double at(std::int64_t i, std::int64_t j) const { return values[static_cast<std::size_t>(i * columns + j)]; }
};

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out(a.rows, b.columns);
  for (std::int64_t i = 0; i < a.rows; ++i)
    for (std::int64_t k = 0; k < a.columns; ++k)
      for (std::int64_t j = 0; j < b.columns; ++j) out.at(i, j) += a.at(i, k) * b.at(k, j);
  return out;
}

Matrix transposed(const Matrix& a) {
  Matrix out(a.columns, a.rows);
  for (std::int64_t i = 0; i < a.rows; ++i)
    for (std::int64_t j = 0; j < a.columns; ++j) out.at(j, i) = a.at(i, j);
  return out;
}

struct AffineGradients {
  Matrix x, w, b;
};

// y = x w + b: dX = g W^T, dW = X^T g, db = the column sums of g.
AffineGradients affine_backward(const Matrix& x, const Matrix& w, const Matrix& g) {
  Matrix b(1, g.columns);
  for (std::int64_t i = 0; i < g.rows; ++i)
    for (std::int64_t j = 0; j < g.columns; ++j) b.at(0, j) += g.at(i, j);
  return {product(g, transposed(w)), product(transposed(x), g), b};
}

// The mean over rows of softmax's cross-entropy: (softmax - one-hot) / N.
Matrix loss_backward(const Matrix& logits, const std::vector<std::int32_t>& target) {
  Matrix g(logits.rows, logits.columns);
  for (std::int64_t i = 0; i < logits.rows; ++i) {
    double largest = logits.at(i, 0), total = 0;
    for (std::int64_t j = 1; j < logits.columns; ++j) largest = std::max(largest, logits.at(i, j));
    for (std::int64_t j = 0; j < logits.columns; ++j) total += g.at(i, j) = std::exp(logits.at(i, j) - largest);
    for (std::int64_t j = 0; j < logits.columns; ++j)
      g.at(i, j) = (g.at(i, j) / total - (target[static_cast<std::size_t>(i)] == j ? 1 : 0)) / static_cast<double>(logits.rows);
  }
  return g;
}

// ReLU's: a mask. Sigmoid's: g * y * (1 - y).
Matrix relu_backward(const Matrix& y, Matrix g) {
  for (std::size_t i = 0; i < g.values.size(); ++i)
    if (y.values[i] <= 0) g.values[i] = 0;
  return g;
}
Matrix sigmoid_backward(const Matrix& y, Matrix g) {
  for (std::size_t i = 0; i < g.values.size(); ++i) g.values[i] *= y.values[i] * (1 - y.values[i]);
  return g;
}

constexpr std::int64_t rows = 32, in = 20, middle = 16, out = 10;

// (activation: sigmoid or relu, type, mode)
class HandWritten : public ::testing::TestWithParam<std::tuple<bool, DType, ExecutionMode>> {
 protected:
  void SetUp() override { set_execution_options({.mode = std::get<2>(GetParam())}); }
  void TearDown() override { set_execution_options({}); }
  DType dtype_ = std::get<1>(GetParam());

  [[nodiscard]] Tensor random(const Shape& shape, std::uint64_t key) const { return normal(shape, {.dtype = dtype_}, Generator(key)); }
  static Matrix matrix(const Tensor& t) {
    const std::int64_t columns = t.shape().back();
    return {t.numel() / columns, columns, cast(t, f64).to_vector<double>()};
  }
  void expect_equal(const Tensor& generated, const Matrix& by_hand, const char* name) const {
    const Matrix g = matrix(generated);
    ASSERT_EQ(g.values.size(), by_hand.values.size()) << name;
    double largest = 0;
    for (double v : by_hand.values) largest = std::max(largest, std::abs(v));
    const double tolerance = largest * (dtype_ == f64 ? 1e-14 : 4e-6);
    EXPECT_GT(largest, 0) << name;
    for (std::size_t i = 0; i < g.values.size(); ++i) ASSERT_NEAR(g.values[i], by_hand.values[i], tolerance) << name << ", entry " << i;
  }
};

TEST_P(HandWritten, GradientsComeOutOfTheGeneratedGraph) {
  const bool with_sigmoid = std::get<0>(GetParam());
  Tensor x = random({rows, in}, 1);
  x.requires_grad_();
  const Variable w1("w1", random({in, middle}, 2)), b1("b1", random({middle}, 3)), w2("w2", random({middle, out}, 4)), b2("b2", random({out}, 5));
  std::vector<std::int32_t> target;
  for (std::int64_t i = 0; i < rows; ++i) target.push_back(static_cast<std::int32_t>(i * 7 % out));

  const Tensor before = matmul(x, w1) + b1;
  const Tensor y = with_sigmoid ? sigmoid(before) : relu(before);
  const Tensor logits = matmul(y, w2) + b2;
  const std::vector<Tensor> g = gradients(cross_entropy(logits, tensor(target, {rows})), {x, w1, b1, w2, b2, logits, y, before});

  const Matrix hidden = matrix(y);
  const Matrix by_logits = loss_backward(matrix(logits), target);
  const AffineGradients second = affine_backward(hidden, matrix(w2.value()), by_logits);
  const Matrix by_before = with_sigmoid ? sigmoid_backward(hidden, second.x) : relu_backward(hidden, second.x);
  const AffineGradients first = affine_backward(matrix(x), matrix(w1.value()), by_before);
  expect_equal(g[0], first.x, "x");
  expect_equal(g[1], first.w, "w1");
  expect_equal(g[2], first.b, "b1");
  expect_equal(g[3], second.w, "w2");
  expect_equal(g[4], second.b, "b2");
  expect_equal(g[5], by_logits, "logits");
  expect_equal(g[6], second.x, "the activation");
  expect_equal(g[7], by_before, "before the activation");
}

INSTANTIATE_TEST_SUITE_P(All, HandWritten,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(f32, f64),
                                            ::testing::Values(ExecutionMode::reference, ExecutionMode::compiled)));

}  // namespace
}  // namespace cotan
