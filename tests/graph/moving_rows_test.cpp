// What the cases of the tables do not show of rows that move, place, find and multiply elements.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "autograd/differentiate.h"
#include "graph/composites/composites.h"
#include "graph/recognise.h"
#include "graph/verify.h"
#include "ops/error.h"
#include "tests/support/inputs.h"

namespace cotan::testing {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

Ref input(const std::string& name, const Shape& shape, DType dtype = f64) { return graph::parameter(name, dtype, shape); }

// The numbers of factors of the sums that a result needs, in order.
std::vector<std::size_t> factor_counts(const Ref& result) {
  std::vector<std::size_t> counts;
  for (Node* n : topological(std::vector{result}))
    if (n->kind == Kind::sum) counts.push_back(n->as<SumSpec>().factors.size());
  return counts;
}

// The largest product of domain sizes among the sums that a result needs.
double most_points(const Ref& result) {
  double most = 0;
  for (Node* n : topological(std::vector{result})) {
    if (n->kind != Kind::sum) continue;
    double points = 1;
    for (std::int64_t size : n->as<SumSpec>().domain) points *= static_cast<double>(size);
    most = std::max(most, points);
  }
  return most;
}

TEST(Einsum, ContractsInPairsTheCheapestFirst) {
  const Ref a = input("a", {2, 100}), b = input("b", {100, 3}), c = input("c", {3, 50});
  const Ref y = graph::einsum({a, b, c}, {.equation = "ij,jk,kl->il"});
  EXPECT_EQ(factor_counts(y), (std::vector<std::size_t>{2, 2}));
  EXPECT_EQ(most_points(y), 2 * 100 * 3);  // the other order has 100 * 3 * 50
  for (Node* n : topological(std::vector{y})) {
    if (n->kind == Kind::sum) {
      EXPECT_EQ(name_of(recognise(*n)), "matmul");
    }
  }
}

TEST(Einsum, LeavesOneSumWherePointsAreLeftOut) {
  const Ref a = input("a", {4}), b = input("b", {4}), c = input("c", {4});
  EXPECT_EQ(factor_counts(graph::einsum({a, b, c}, {.equation = "a[i] * b[j] * c[i - j] -> [i]"})), (std::vector<std::size_t>{3}));
  EXPECT_EQ(factor_counts(graph::einsum({a, b, c}, {.equation = "a[i] * b[j] * c[j] -> [i]; 0<=i-j<2"})), (std::vector<std::size_t>{3}));
}

TEST(Einsum, IndicesThatOneTensorHasAreSummedOnTheWay) {
  Inputs inputs;
  const Ref a = inputs.add("a", f64, {2}, {1, 2}), b = inputs.add("b", f64, {3}, {1, 1, 1}), c = inputs.add("c", f64, {2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(inputs.run(graph::einsum({a, b, c}, {.equation = "i,j,kl->i"})), (std::vector<double>{30, 60}));
  EXPECT_EQ(inputs.run(graph::einsum({a, b, c}, {.equation = "a[i] * b[j] * c[k,l] -> [i]"})), (std::vector<double>{30, 60}));
}

TEST(Einsum, BothNotationsRecordTheSameNode) {
  const Ref x = input("x", {3, 4}), w = input("w", {4, 2});
  EXPECT_EQ(graph::einsum({x, w}, {.equation = "ij,jk->ik"}), graph::matmul(x, w));
  EXPECT_EQ(graph::einsum({x, w}, {.equation = "x[i,k] * w[k,j] -> [i,j]"}), graph::matmul(x, w));
}

TEST(Einsum, AConvolutionInBracketsIsOne) {
  const Ref x = input("x", {2, 3, 14, 14}, f32), w = input("w", {4, 3, 3, 3}, f32);
  const Ref y = graph::einsum({x, w}, {.equation = "x[n,c,2*i+p-1,2*j+q-1] * w[o,c,p,q] -> [n,o,i,j]; i<7, j<7"});
  EXPECT_EQ(name_of(recognise(*y.node())), "convolution");
  EXPECT_EQ(y.shape(), (Shape{2, 4, 7, 7}));
}

TEST(Einsum, OneTensorUnderOneNameTwice) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {3}, {1, 2, 3});
  EXPECT_EQ(inputs.run(graph::einsum({x}, {.equation = "x[i] * x[i] -> []"})), (std::vector<double>{14}));
}

TEST(Pad, AValueStandsBesideInfinitiesAndNaN) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {3}, {inf, std::nan(""), -inf});
  const std::vector<double> padded = inputs.run(graph::pad(x, {.pad = {1, 1}, .value = 2}));
  EXPECT_EQ(padded[0], 2);
  EXPECT_EQ(padded[1], inf);
  EXPECT_TRUE(std::isnan(padded[2]));
  EXPECT_EQ(padded[3], -inf);
  EXPECT_EQ(padded[4], 2);
  EXPECT_EQ(inputs.run(graph::pad(inputs.add("y", f64, {1}, {1}), {.pad = {1, 0}, .value = -inf})), (std::vector<double>{-inf, 1}));
}

// Triangles leave out, they do not multiply with zero.
TEST(Triangles, LeaveOutWhatIsNotFinite) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {2, 2}, {1, inf, std::nan(""), 2});
  EXPECT_EQ(inputs.run(graph::tril(graph::triu(x))), (std::vector<double>{1, 0, 0, 2}));
}

TEST(Roll, KeepsTheSignOfZero) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {3}, {-0.0, 1, 2});
  EXPECT_TRUE(std::signbit(inputs.run(graph::roll(x, {.shifts = {1}, .dims = {0}}))[1]));
}

TEST(Concat, ManyTensorsAreJoinedByNeighbours) {
  std::vector<Ref> tensors;
  for (int i = 0; i < 64; ++i) tensors.push_back(input("x" + std::to_string(i), {10}));
  const Ref all = graph::concat(tensors);
  std::int64_t elements = 0;
  for (Node* n : topological(std::vector{all}))
    if (n->kind == Kind::sum) elements += n->shape.elements();
  EXPECT_EQ(elements, 64 * 10 * 4 * 3);  // three levels of four, instead of 64 copies of the whole
}

// A wrong position is an error that names it, whatever row reads it.
class Positions : public ::testing::TestWithParam<double> {};

TEST_P(Positions, OutOfRangeStopTheEvaluation) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {3, 2}, {1, 2, 3, 4, 5, 6});
  const Ref t = inputs.add("t", i32, {2}, {1, GetParam()});
  const Ref column = graph::reshape(t, {.shape = {2, 1}});
  std::vector<Ref> reads = {graph::gather(x, column),
                            graph::index_select(x, t),
                            graph::embedding(t, x),
                            graph::scatter_add(x, column, x),
                            graph::index_add(x, t, graph::slice(x, {.end = 2})),
                            graph::one_hot(t, {.num_classes = 3}),
                            graph::einsum({x, t}, {.equation = "x[t[n],j] -> [n,j]"})};
  if (GetParam() >= 0 || GetParam() < -3) reads.push_back(graph::take_along_dim(x, column, {.dim = 0}));  // which counts negative ones from the end
  for (const Ref& r : reads) {
    try {
      static_cast<void>(inputs.run(r));
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(std::to_string(static_cast<int>(GetParam()))), std::string::npos) << e.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(BelowAndBeyond, Positions, ::testing::Values(-1.0, -4.0, 3.0));

// Entries of src beyond the index are not read; PyTorch has no derivative for this.
TEST(ScatterAdd, TakesALargerSource) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {2, 2}, {1, 2, 3, 4}), src = inputs.add("src", f64, {2, 3}, {10, 20, 30, 40, 50, 60});
  const Ref index = inputs.add("index", i32, {1, 2}, {1, 1});
  const Ref y = graph::scatter_add(x, index, src, {.dim = 1});
  EXPECT_EQ(inputs.run(y), (std::vector<double>{1, 32, 3, 4}));
  const Ref wrt[] = {src};
  EXPECT_EQ(inputs.run(gradients(graph::sum(y), wrt)[0]), (std::vector<double>{1, 1, 0, 0, 0, 0}));
}

// By convention, as in PyTorch; the cases of the row do not read the padding row, since differences see it.
TEST(Embedding, ThePaddingRowGetsNoGradient) {
  Inputs inputs;
  const Ref weight = inputs.add("weight", f64, {3, 2}, {inf, std::nan(""), 3, 4, 5, 6});
  const Ref x = inputs.add("x", i32, {4}, {0, 2, 2, 0});
  const Ref wrt[] = {weight};
  const Ref y = graph::sum(graph::embedding(x, weight, {.padding_idx = 0}));
  EXPECT_EQ(inputs.run(gradients(y, wrt)[0]), (std::vector<double>{0, 0, 0, 0, 2, 2}));
}

// out[i] = x[t[i], u[i]] with one tensor as t and as u: the node has it once, as the text form would.
TEST(Tables, OneTensorGivenAsTwoTablesIsOne) {
  SumDef def;
  def.shape = {4};
  def.spec.domain = {4};
  def.spec.output = {index_of(0)};
  def.spec.factors = {{entry_of(0, {index_of(0)}), entry_of(1, {index_of(0)})}};
  def.factors = {0};
  def.tables = {1, 2};
  def.table_below = {3, 3};
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), t = inputs.add("t", i32, {4}, {0, 1, 2, 0});
  const Ref operands[] = {x, t, t};
  const Ref y = graph::from_definition(def, operands);
  EXPECT_EQ(y->operand_count, 2u);
  EXPECT_EQ(inputs.run(y), (std::vector<double>{1, 5, 9, 1}));
  Function f;
  f.parameters = {x, t};
  f.results = {y};
  EXPECT_NO_THROW(verify(f));
}

TEST(RowDefinitions, AResultWrittenWithTooFewExpressionsIsAFault) {
  const rows::Scope scope;
  const rows::Operand x{0, f32, {3, 4}};
  const rows::Index i(3), j(4);
  EXPECT_THROW(static_cast<void>(rows::sum({3, 4}, {i}, x(i, j), std::span(&x, 1))), InternalError);
  EXPECT_THROW(static_cast<void>(rows::sum({3, 4}, {i, j}, x(i), std::span(&x, 1))), InternalError);
}

}  // namespace
}  // namespace cotan::testing
