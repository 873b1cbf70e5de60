// NaN and infinity in the branch of a where that is not taken do not reach the gradient, however the formula is cut into maps.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "autograd/differentiate.h"
#include "tests/support/inputs.h"

namespace cotan::testing {
namespace {

using namespace graph;

constexpr double inf = std::numeric_limits<double>::infinity();

class Healing : public ::testing::Test {
 protected:
  Inputs inputs;
  // x = 0, -1, 4: the square root has an infinite derivative, no value, and the derivative 1/4.
  Ref x = inputs.add("x", f64, {3}, {0, -1, 4});
  Ref zero = fill(0, f64, {3});

  std::vector<double> gradient(const Ref& y) {
    const Ref wrt[] = {x};
    return inputs.run(gradients(y, wrt)[0]);
  }
  std::vector<double> second(const Ref& y) {
    const Ref wrt[] = {x};
    const Ref g = gradients(y, wrt)[0];
    return inputs.run(gradients(g, wrt)[0]);
  }
};

TEST_F(Healing, OneMap) {
  const Ref y = formula({x}, [](auto in) { return cotan::where(formula_language::lt(0, in[0]), formula_language::sqrt(in[0]), 0); });
  EXPECT_EQ(gradient(y), (std::vector<double>{0, 0, 0.25}));
  EXPECT_EQ(second(y), (std::vector<double>{0, 0, -1.0 / 32}));
}

TEST_F(Healing, AChainOfTwoMaps) {
  const Ref y = graph::where(gt(x, zero), graph::sqrt(x), zero);
  EXPECT_EQ(inputs.run(y), (std::vector<double>{0, 0, 2}));
  EXPECT_EQ(gradient(y), (std::vector<double>{0, 0, 0.25}));
  EXPECT_EQ(second(y), (std::vector<double>{0, 0, -1.0 / 32}));
}

TEST_F(Healing, TheOtherBranch) {
  const Ref y = graph::where(le(x, zero), zero, graph::sqrt(x));
  EXPECT_EQ(gradient(y), (std::vector<double>{0, 0, 0.25}));
}

TEST_F(Healing, AChainOfFourMaps) {
  // log(sqrt(x) * 3): the branch not taken is infinite at 0 and NaN at -1, and so are all factors on the way down.
  const Ref deep = graph::log(graph::mul(graph::sqrt(x), fill(3, f64, {3})));
  const std::vector<double> g = gradient(graph::where(gt(x, zero), deep, zero));
  EXPECT_EQ(g[0], 0);
  EXPECT_EQ(g[1], 0);
  EXPECT_NEAR(g[2], 1.0 / 8, 1e-15);
}

TEST_F(Healing, BothBranchesReadTheSame) {
  const Ref y = graph::where(gt(x, zero), graph::sqrt(x), graph::mul(x, fill(2, f64, {3})));
  EXPECT_EQ(gradient(y), (std::vector<double>{2, 2, 0.25}));
}

TEST_F(Healing, ADivisionByZero) {
  const Ref y = graph::where(eq(x, zero), fill(1, f64, {3}), graph::div(fill(1, f64, {3}), x));
  EXPECT_EQ(gradient(y), (std::vector<double>{0, -1, -1.0 / 16}));
}

// Two readers of the square root inside one where: their cotangents meet before the root's infinite derivative does.
TEST_F(Healing, ADiamond) {
  const Ref root = graph::sqrt(x);
  const Ref y = graph::where(gt(x, zero), graph::mul(graph::sin(root), graph::exp(root)), zero);
  const std::vector<double> g = gradient(y);
  EXPECT_EQ(g[0], 0);
  EXPECT_EQ(g[1], 0);
  EXPECT_NEAR(g[2], (std::sin(2) + std::cos(2)) * std::exp(2) / 4, 1e-14);
  const std::vector<double> h = second(y);
  EXPECT_EQ(h[0], 0);
  EXPECT_EQ(h[1], 0);
  EXPECT_NEAR(h[2], (2 * std::cos(2) * std::exp(2) - (std::sin(2) + std::cos(2)) * std::exp(2) / 2) / 16, 1e-14);
}

TEST_F(Healing, ADiamondInTheOtherBranch) {
  const Ref root = graph::sqrt(x);
  const Ref y = graph::where(le(x, zero), x, graph::add(graph::mul(root, root), graph::add(graph::exp(root), graph::sin(root))));
  const std::vector<double> g = gradient(y);
  EXPECT_EQ(g[0], 1);
  EXPECT_EQ(g[1], 1);
  EXPECT_NEAR(g[2], 1 + (std::exp(2) + std::cos(2)) / 4, 1e-14);
}

TEST_F(Healing, ADiamondForwards) {
  const Ref root = graph::sqrt(x);
  const Ref y = graph::where(gt(x, zero), graph::mul(graph::sin(root), graph::exp(root)), zero);
  const Ref outputs[] = {y}, wrt[] = {x}, tangents[] = {fill(1, f64, {3})};
  EXPECT_EQ(inputs.run(jvp(outputs, wrt, tangents)[0])[0], 0);
}

// Branches of two conditions add up as they are: each entry has what its own conditions say.
TEST_F(Healing, TwoConditions) {
  const Ref positive = graph::where(gt(x, zero), x, zero), large = graph::where(gt(x, fill(5, f64, {3})), x, zero);
  EXPECT_EQ(gradient(graph::add(positive, graph::mul(large, large))), (std::vector<double>{0, 0, 1}));
}

// A where inside another: an entry that only the outer one takes.
TEST_F(Healing, AWhereInsideAnother) {
  const Ref y = graph::where(gt(x, fill(-0.5, f64, {3})), graph::where(gt(x, zero), graph::sqrt(x), zero), zero);
  EXPECT_EQ(gradient(y), (std::vector<double>{0, 0, 0.25}));
  EXPECT_EQ(second(y), (std::vector<double>{0, 0, -1.0 / 32}));
}

// An infinite cotangent of an entry whose branch is not taken does not matter either.
TEST_F(Healing, AnInfiniteCotangent) {
  const Ref y = graph::where(gt(x, zero), graph::sqrt(x), zero);
  const Ref seed = inputs.add("g", f64, {3}, {inf, inf, 1});
  const Ref wrt[] = {x};
  EXPECT_EQ(inputs.run(gradients(y, wrt, seed)[0]), (std::vector<double>{0, 0, 0.25}));
}

TEST_F(Healing, ForwardModeAsWell) {
  const Ref y = graph::where(gt(x, zero), graph::sqrt(x), zero);
  const Ref outputs[] = {y}, wrt[] = {x}, tangents[] = {fill(1, f64, {3})};
  EXPECT_EQ(inputs.run(jvp(outputs, wrt, tangents)[0]), (std::vector<double>{0, 0, 0.25}));
}

// Without a where the formula means what it says: an infinite slope stays infinite.
TEST_F(Healing, NothingIsHealedWithoutAWhere) {
  const std::vector<double> g = gradient(graph::sqrt(x));
  EXPECT_EQ(g[0], inf);
  EXPECT_TRUE(std::isnan(g[1]));
  EXPECT_EQ(g[2], 0.25);
}

}  // namespace
}  // namespace cotan::testing
