// Gradients of composites in closed form against the bodies that differentiation generates, in float64.
#include "graph/composites/closed_gradients.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/differentiate.h"
#include "graph/composites/composites.h"
#include "tests/support/inputs.h"

namespace cotan::testing {
namespace {

Ref input(const std::string& name, const Shape& shape) { return graph::parameter(name, f64, shape); }

// The call that the gradients of y by `wrt` are results of.
Ref gradient_call(const Ref& y, std::span<const Ref> wrt, const Ref& g) {
  const Ref outputs[] = {y}, seeds[] = {g};
  return vjp(outputs, seeds, wrt)[0];
}

std::vector<Ref> closed(const Ref& call) {
  std::vector<Ref> operands;
  for (const Edge& e : call->operands()) operands.emplace_back(e);
  return graph::closed_gradient(call->as<CallSpec>(), operands);
}

void expect_agreement(const Ref& y, const std::vector<Ref>& parameters, std::span<const Ref> wrt) {
  SCOPED_TRACE(y->as<CallSpec>().name + " of " + y.shape().text());
  const Ref g = input("g", y.shape());
  const Ref call = gradient_call(y, wrt, g);
  ASSERT_EQ(call->kind, Kind::call);
  std::vector<Ref> generated;
  for (std::uint32_t r = 0; r < call->result_count(); ++r) generated.emplace_back(call.node(), r);
  const std::vector<Ref> formulas = closed(call);
  ASSERT_EQ(formulas.size(), generated.size());

  Inputs inputs;
  Random random(1);
  std::vector<Ref> all = parameters;
  all.push_back(g);
  for (const Ref& p : all) inputs.add(p->as<LeafSpec>().name, f64, p.shape(), random_values(random, p.shape().elements(), 1, 3));
  const auto want = inputs.run(generated), got = inputs.run(formulas);
  for (std::size_t r = 0; r < want.size(); ++r) {
    ASSERT_EQ(formulas[r].shape(), generated[r].shape());
    EXPECT_EQ(formulas[r].dtype(), generated[r].dtype());
    for (std::size_t i = 0; i < want[r].values.size(); ++i)
      ASSERT_NEAR(got[r].values[i], want[r].values[i], 1e-12 * (1 + std::abs(want[r].values[i]))) << "result " << r << " at " << i;
  }
}

TEST(ClosedGradients, Softmax) {
  for (const std::int64_t dim : {0, 1, -1}) {
    const Ref x = input("x", {4, 5, 3});
    expect_agreement(graph::softmax(x, {.dim = dim}), {x}, std::vector{x});
    expect_agreement(graph::log_softmax(x, {.dim = dim}), {x}, std::vector{x});
  }
}

TEST(ClosedGradients, LayerNorm) {
  const Ref x = input("x", {4, 3, 5}), row = input("x", {7}), w = input("w", {5}), b = input("b", {5}), w2 = input("w", {3, 5}), b2 = input("b", {3, 5});
  const Ref w7 = input("w", {7}), b7 = input("b", {7});
  expect_agreement(graph::layer_norm(x, w, b, {.eps = 0.1}), {x, w, b}, std::vector{x, w, b});
  expect_agreement(graph::layer_norm(x, w2, b2, {.normalized_shape = {3, 5}}), {x, w2, b2}, std::vector{x, w2, b2});
  expect_agreement(graph::layer_norm(row, w7, b7), {row, w7, b7}, std::vector{row, w7, b7});
  expect_agreement(graph::layer_norm(x, {}, {}), {x}, std::vector{x});
  expect_agreement(graph::layer_norm(x, w, {}), {x, w}, std::vector{x, w});
  expect_agreement(graph::layer_norm(x, {}, b), {x, b}, std::vector{x, b});
  expect_agreement(graph::layer_norm(x, w, b), {x, w, b}, std::vector{b, x});
  expect_agreement(graph::layer_norm(x, {}, b), {x, b}, std::vector{b});
}

TEST(ClosedGradients, BatchNorm) {
  for (const Shape& shape : {Shape{6, 3}, Shape{4, 3, 5}, Shape{2, 3, 4, 2}, Shape{1, 3, 2, 1, 3}}) {
    const Ref x = input("x", shape), w = input("w", {3}), b = input("b", {3});
    expect_agreement(graph::batch_norm_training(x, w, b, {.eps = 0.1}).y, {x, w, b}, std::vector{x, w, b});
    expect_agreement(graph::batch_norm_training(x, {}, {}).y, {x}, std::vector{x});
    expect_agreement(graph::batch_norm_training(x, w, {}).y, {x, w}, std::vector{w, x});
    expect_agreement(graph::batch_norm_training(x, {}, b).y, {x, b}, std::vector{x});
  }
}

// Cotangents of the statistics, and composites that have no formula, keep their bodies.
TEST(ClosedGradients, NoneForOtherCalls) {
  const Ref x = input("x", {4, 3}), g = input("g", {3});
  const Ref outputs[] = {graph::batch_norm_training(x, {}, {}).mean}, seeds[] = {g}, wrt[] = {x};
  const Ref of_mean = vjp(outputs, seeds, wrt)[0];
  ASSERT_EQ(of_mean->kind, Kind::call);
  EXPECT_TRUE(closed(of_mean).empty());
  EXPECT_TRUE(closed(graph::softmax(x)).empty());
}

}  // namespace
}  // namespace cotan::testing
