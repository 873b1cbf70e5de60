// Matrix products against plain loops in double, over shapes, strides and batches.
#include <cmath>

#include "tests/onednn/helpers.h"

namespace cotan::onednn::testing {
namespace {

// How a matrix of the given rows and columns lies in memory.
enum class Form { rows, columns, wide_rows, wide_columns };

const char* name_of(Form form) {
  switch (form) {
    case Form::rows: return "rows contiguous";
    case Form::columns: return "columns contiguous";
    case Form::wide_rows: return "rows contiguous, gaps between them";
    case Form::wide_columns: return "columns contiguous, gaps between them";
  }
  return "";
}

Shape strides_of(Form form, std::int64_t rows, std::int64_t columns) {
  switch (form) {
    case Form::rows: return {columns, 1};
    case Form::columns: return {1, rows};
    case Form::wide_rows: return {columns + 5, 1};
    case Form::wide_columns: return {1, rows + 3};
  }
  return {};
}

Shape joined(const Shape& first, const Shape& second) {
  Shape all = first;
  for (std::int64_t size : second) all.push_back(size);
  return all;
}

// Sizes and strides of the three tensors with their batch dimensions in front.
struct Operands {
  MatmulProblem problem;
  Tensor a, b, c;

  explicit Operands(const MatmulProblem& problem)
      : problem(problem),
        a(joined(problem.batch, {problem.m, problem.k}), problem.a_strides),
        b(joined(problem.batch, {problem.k, problem.n}), problem.b_strides),
        c(joined(problem.batch, {problem.m, problem.n}), problem.c_strides) {
    a.fill(1);
    b.fill(2);
    c.fill(3);
  }
};

std::int64_t batch_offset(const Shape& batch, const Shape& strides, std::int64_t flat) {
  std::int64_t offset = 0;
  for (std::size_t i = batch.rank(); i-- > 0;) {
    offset += flat % batch[i] * strides[i];
    flat /= batch[i];
  }
  return offset;
}

// Makes, runs and compares each element with the sum of products in double.
void check(const MatmulProblem& problem) {
  Operands operands(problem);
  const Tensor before = operands.c;
  const Made made = Primitive::make(problem);
  ASSERT_TRUE(made) << made.reason;
  run(*made.primitive, {&operands.a, &operands.b}, operands.c);
  operands.c.expect_canaries();
  const std::size_t rank = problem.batch.rank();
  for (std::int64_t batch = 0; batch < problem.batch.elements(); ++batch) {
    const std::int64_t a0 = batch_offset(problem.batch, problem.a_strides, batch), b0 = batch_offset(problem.batch, problem.b_strides, batch),
                       c0 = batch_offset(problem.batch, problem.c_strides, batch);
    for (std::int64_t i = 0; i < problem.m; ++i) {
      for (std::int64_t j = 0; j < problem.n; ++j) {
        const std::int64_t at = c0 + i * problem.c_strides[rank] + j * problem.c_strides[rank + 1];
        double sum = !problem.after.empty() ? before[at] : 0.0, magnitude = std::fabs(sum);
        for (std::int64_t l = 0; l < problem.k; ++l) {
          const double product = static_cast<double>(operands.a[a0 + i * problem.a_strides[rank] + l * problem.a_strides[rank + 1]]) *
                                 operands.b[b0 + l * problem.b_strides[rank] + j * problem.b_strides[rank + 1]];
          sum += product;
          magnitude += std::fabs(product);
        }
        ASSERT_NEAR(operands.c[at], sum, 4e-6 * magnitude + 1e-7) << made.primitive->implementation() << " at " << batch << ", " << i << ", " << j;
      }
    }
  }
}

MatmulProblem dense(std::int64_t m, std::int64_t k, std::int64_t n) {
  MatmulProblem problem;
  problem.m = m;
  problem.k = k;
  problem.n = n;
  problem.a_strides = {k, 1};
  problem.b_strides = {n, 1};
  problem.c_strides = {n, 1};
  return problem;
}

TEST(Matmul, EveryFormOfEveryOperand) {
  for (const auto& [m, k, n] : {std::tuple(1, 1, 1), {1, 7, 5}, {5, 7, 1}, {3, 1, 4}, {1, 9, 1}, {8, 8, 8}, {17, 33, 9}, {64, 30, 10}, {33, 65, 130}}) {
    for (Form a : {Form::rows, Form::columns, Form::wide_rows, Form::wide_columns}) {
      for (Form b : {Form::rows, Form::columns, Form::wide_rows, Form::wide_columns}) {
        for (Form c : {Form::rows, Form::columns, Form::wide_rows, Form::wide_columns}) {
          for (bool accumulate : {false, true}) {
            SCOPED_TRACE(::testing::Message() << m << "x" << k << "x" << n << ", a " << name_of(a) << ", b " << name_of(b) << ", c " << name_of(c)
                                              << (accumulate ? ", accumulate" : ""));
            MatmulProblem problem = dense(m, k, n);
            problem.a_strides = strides_of(a, m, k);
            problem.b_strides = strides_of(b, k, n);
            problem.c_strides = strides_of(c, m, n);
            if (accumulate) problem.after = {{PostOpKind::accumulate}};
            check(problem);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST(Matmul, ATransposedResultIsComputedAsTheTransposedProduct) {
  MatmulProblem problem = dense(40, 24, 48);
  problem.c_strides = {1, 40};
  const Made made = Primitive::make(problem);
  ASSERT_TRUE(made) << made.reason;
  EXPECT_NE(made.primitive->implementation().find("transposed product"), std::string::npos) << made.primitive->implementation();
}

TEST(Matmul, Batches) {
  MatmulProblem problem = dense(6, 20, 12);
  problem.batch = {5};
  problem.a_strides = {6 * 20, 20, 1};
  problem.b_strides = {20 * 12, 12, 1};
  problem.c_strides = {6 * 12, 12, 1};
  check(problem);
  problem.after = {{PostOpKind::accumulate}};
  check(problem);
  problem.a_strides = {6 * 20 + 7, 1, 6};  // transposed, gaps between the matrices
  check(problem);
  problem.c_strides = {6 * 12, 1, 6};  // transposed result
  check(problem);
}

TEST(Matmul, AnOperandThatRepeatsAlongTheBatch) {
  MatmulProblem problem = dense(6, 20, 12);
  problem.batch = {3};
  problem.a_strides = {6 * 20, 20, 1};
  problem.b_strides = {0, 12, 1};
  problem.c_strides = {6 * 12, 12, 1};
  check(problem);
  problem.a_strides = {0, 20, 1};
  problem.b_strides = {20 * 12, 12, 1};
  check(problem);
}

TEST(Matmul, HeadsOfAttentionAreTwoBatchDimensions) {
  // [batch, position, head, width] seen as [batch, head, position, width]; scores are [batch, head, position, position].
  constexpr std::int64_t batch = 2, positions = 10, heads = 3, width = 8;
  MatmulProblem scores = dense(positions, width, positions);
  scores.batch = {batch, heads};
  scores.a_strides = {positions * heads * width, width, heads * width, 1};
  scores.b_strides = {positions * heads * width, width, 1, heads * width};
  scores.c_strides = {heads * positions * positions, positions * positions, positions, 1};
  check(scores);
  MatmulProblem values = dense(positions, positions, width);
  values.batch = {batch, heads};
  values.a_strides = scores.c_strides;
  values.b_strides = {positions * heads * width, width, heads * width, 1};
  values.c_strides = {positions * heads * width, width, heads * width, 1};
  check(values);
}

TEST(Matmul, BatchDimensionsOfSizeOneMayHaveAnyStride) {
  MatmulProblem problem = dense(6, 20, 12);
  problem.batch = {1, 4, 1};
  problem.a_strides = {0, 6 * 20, 3, 20, 1};
  problem.b_strides = {99999, 20 * 12, 0, 12, 1};
  problem.c_strides = {0, 6 * 12, 5, 12, 1};
  check(problem);
}

TEST(Matmul, StridesOfDimensionsOfSizeOneSayNothing) {
  MatmulProblem problem = dense(1, 20, 12);
  problem.a_strides = {0, 1};
  problem.c_strides = {0, 1};
  check(problem);
  problem = dense(9, 20, 1);
  problem.b_strides = {1, 0};
  problem.c_strides = {1, 0};
  check(problem);
  problem.c_strides = {4, 0};
  check(problem);
  problem = dense(9, 1, 12);
  problem.a_strides = {1, 777};
  problem.b_strides = {0, 1};
  check(problem);
}

TEST(Matmul, GivesTheSameBitsAgain) {
  Operands operands(dense(33, 127, 65));
  const Made made = Primitive::make(operands.problem);
  ASSERT_TRUE(made) << made.reason;
  run(*made.primitive, {&operands.a, &operands.b}, operands.c);
  Tensor again = operands.c;
  again.fill_all(0.0f);
  run(*made.primitive, {&operands.a, &operands.b}, again);
  EXPECT_EQ(std::memcmp(again.data(), operands.c.data(), operands.c.extent() * sizeof(float)), 0);
}

}  // namespace
}  // namespace cotan::onednn::testing
