// Gradients of tensors: backward() and its accumulation, vjp and jvp, gradients of gradients, and what carries no gradient.
#include <cmath>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

class Gradients : public testing::InBothModes {
 protected:
  Variable w{"w", tensor({1, 2})}, v{"v", tensor({3, 4})};
};
COTAN_IN_BOTH_MODES(Gradients);

TEST_P(Gradients, BackwardAccumulates) {
  sum(w * v).backward();
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(3, 4));
  EXPECT_THAT(v.grad().to_vector(), ElementsAre(1, 2));
  sum(w * w).backward();
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(3 + 2, 4 + 4));
  EXPECT_THAT(v.grad().to_vector(), ElementsAre(1, 2));
}

TEST_P(Gradients, MarkedTensorsAccumulateTheirs) {
  Tensor x = tensor({5, 6});
  EXPECT_FALSE(x.requires_grad());
  x.requires_grad_();
  EXPECT_TRUE(x.requires_grad());
  EXPECT_THAT(message_of([&] { static_cast<void>(x.grad()); }), HasSubstr("Call backward()"));
  sum(x * w).backward();
  sum(x * w).backward();
  EXPECT_THAT(x.grad().to_vector(), ElementsAre(2, 4));
  x.requires_grad_(false);
  EXPECT_THROW(static_cast<void>(x.grad()), Error);
  x.requires_grad_();
  EXPECT_THROW(static_cast<void>(x.grad()), Error) << "a mark of its own starts anew";
}

TEST_P(Gradients, AMarkedTensorMayComeFromAComputation) {
  Tensor x = tensor({5, 6}) * 2;
  x.requires_grad_();
  sum(x * x).backward();
  EXPECT_THAT(x.grad().to_vector(), ElementsAre(20, 24));
}

TEST_P(Gradients, WhatDependsOnVariablesCannotBeMarked) {
  Tensor x = w * 2, read = w.value();
  const std::string line = fmt::format("gradients_test.cpp:{}", __LINE__ - 1);
  EXPECT_THAT(message_of([&] { x.requires_grad_(); }), HasSubstr(line));
  EXPECT_THAT(message_of([&] { read.requires_grad_(); }), HasSubstr("leads to variables"));
  Tensor detached = x.detach();
  detached.requires_grad_();
  sum(detached * detached).backward();
  EXPECT_THAT(detached.grad().to_vector(), ElementsAre(4, 8));
}

TEST_P(Gradients, OfIntermediateTensors) {
  const Tensor hidden = exp(w);
  const Tensor loss = sum(hidden * hidden);
  EXPECT_FLOAT_EQ(gradients(loss, {hidden})[0].to_vector()[1], 2 * std::exp(2.0f));
}

TEST_P(Gradients, AreZerosWhereNothingDepends) {
  EXPECT_THAT(gradients(sum(w), {v})[0].to_vector(), ElementsAre(0, 0));
  EXPECT_THAT(vjp({w * 2}, {tensor({1, 1})}, {v})[0].to_vector(), ElementsAre(0, 0));
  EXPECT_THAT(jvp({w * 2}, {v}, {tensor({1, 1})})[0].to_vector(), ElementsAre(0, 0));
}

TEST_P(Gradients, NoGradAndDetachCarryNone) {
  Tensor hidden;
  {
    const NoGrad no_grad;
    hidden = exp(w);
  }
  EXPECT_THAT(gradients(sum(hidden * v), {w})[0].to_vector(), ElementsAre(0, 0));
  EXPECT_THAT(gradients(sum(exp(w).detach() * v), {w})[0].to_vector(), ElementsAre(0, 0));
  EXPECT_THAT(message_of([&] { sum(hidden).backward(); }), HasSubstr("depends on no variable"));
  // What was recorded outside keeps its way though it is one node with what was recorded inside.
  EXPECT_FLOAT_EQ(gradients(sum(exp(w)), {w})[0].to_vector()[0], std::exp(1.0f));
}

TEST_P(Gradients, NoGradNestsAndEnds) {
  {
    const NoGrad outer;
    { const NoGrad inner; }
    EXPECT_THROW(sum(w * 2).backward(), Error);
  }
  sum(w * 2).backward();
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(2, 2));
}

TEST_P(Gradients, WhatCarriesNoGradientCostsNoGradientNodes) {
  auto deep = [](Tensor x) {
    for (int i = 0; i < 10; ++i) x = exp(x);
    return x;
  };
  const std::size_t with = graph_size(gradients(sum(deep(w.value()) * v), {v, w}));
  const std::size_t only_v = graph_size(gradients(sum(deep(w.value()) * v), {v}));
  const std::size_t detached = graph_size(gradients(sum(deep(w.value()).detach() * v), {v, w}));
  EXPECT_LT(only_v, with);
  EXPECT_LE(detached, only_v + 3);
  Tensor no_grad_result;
  {
    const NoGrad no_grad;
    no_grad_result = deep(w.value());
  }
  EXPECT_LE(graph_size(gradients(sum(no_grad_result * v), {v, w})), only_v + 3);
}

TEST_P(Gradients, OfGradients) {
  const Tensor y = sum(w * w * w);
  const Tensor first = gradients(y, {w})[0];
  const Tensor second = gradients(sum(first), {w})[0];
  const Tensor third = gradients(sum(second), {w})[0];
  EXPECT_THAT(first.to_vector(), ElementsAre(3, 12));
  EXPECT_THAT(second.to_vector(), ElementsAre(6, 12));
  EXPECT_THAT(third.to_vector(), ElementsAre(6, 6));
}

TEST_P(Gradients, ThroughAnEvaluatedTensorGoOn) {
  const Tensor y = exp(w);
  static_cast<void>(y.to_vector());
  const Tensor g = gradients(sum(y * y), {w})[0];
  EXPECT_NEAR(g.to_vector()[1], 2 * std::exp(4.0), 1e-3);
  EXPECT_NEAR(gradients(sum(g), {w})[0].to_vector()[1], 4 * std::exp(4.0), 1e-2);
}

// A small net with everything in f64, and its loss as a function of the flat parameters.
struct SmallNet {
  Variable w1{"w1", normal({3, 4}, {.dtype = f64}, Generator(1))}, b1{"b1", normal({4}, {.dtype = f64}, Generator(2))};
  Variable w2{"w2", normal({4, 2}, {.dtype = f64}, Generator(3))};
  Tensor x = normal({5, 3}, {.dtype = f64}, Generator(4));
  Tensor target = tensor({0, 1, 1, 0, 1}, i32);

  [[nodiscard]] Tensor loss(const Operand& a, const Operand& b, const Operand& c) const { return cross_entropy(matmul(tanh(matmul(x, a) + b), c), target); }
  [[nodiscard]] Tensor loss() const { return loss(w1, b1, w2); }
  [[nodiscard]] std::vector<Operand> parameters() const { return {w1, b1, w2}; }
};

std::vector<Tensor> directions() {
  return {normal({3, 4}, {.dtype = f64}, Generator(11)), normal({4}, {.dtype = f64}, Generator(12)), normal({4, 2}, {.dtype = f64}, Generator(13))};
}

Tensor inner(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  Tensor total = sum(a[0] * b[0]);
  for (std::size_t i = 1; i < a.size(); ++i) total = total + sum(a[i] * b[i]);
  return total;
}

TEST_P(Gradients, ForwardAndReverseModeAgree) {
  const SmallNet net;
  const Tensor loss = net.loss();
  const double forward = jvp({loss}, net.parameters(), directions())[0].item<double>();
  const double reverse = inner(gradients(loss, net.parameters()), directions()).item<double>();
  EXPECT_NEAR(forward, reverse, 1e-12 * (1 + std::abs(reverse)));
  // <u, J d> = <J^T u, d> for an output that is no scalar
  const Tensor hidden = tanh(matmul(net.x, net.w1) + net.b1), u = normal({5, 4}, {.dtype = f64}, Generator(21));
  const std::vector<Operand> two = {net.w1, net.b1};
  const std::vector<Tensor> d = {directions()[0], directions()[1]};
  const double left = sum(u * jvp({hidden}, two, d)[0]).item<double>(), right = inner(vjp({hidden}, {u}, two), d).item<double>();
  EXPECT_NEAR(left, right, 1e-12 * (1 + std::abs(right)));
}

TEST_P(Gradients, HessianVectorProductsEqualDifferencesOfGradients) {
  const SmallNet net;
  const std::vector<Tensor> d = directions();
  const std::vector<Tensor> g = gradients(net.loss(), net.parameters());
  const std::vector<Tensor> reverse_over_reverse = gradients(inner(g, d), net.parameters());
  const std::vector<Tensor> forward_over_reverse = jvp(g, net.parameters(), d);
  auto gradients_at = [&](double step) {
    Tensor a = (net.w1 + step * d[0]).detach(), b = (net.b1 + step * d[1]).detach(), c = (net.w2 + step * d[2]).detach();
    a.requires_grad_();
    b.requires_grad_();
    c.requires_grad_();
    return gradients(net.loss(a, b, c), {a, b, c});
  };
  constexpr double h = 1e-5;
  const std::vector<Tensor> ahead = gradients_at(h), behind = gradients_at(-h);
  for (std::size_t p = 0; p < g.size(); ++p) {
    const std::vector<double> difference = ((ahead[p] - behind[p]) / (2 * h)).to_vector<double>();
    const std::vector<double> hvp = reverse_over_reverse[p].to_vector<double>(), forward = forward_over_reverse[p].to_vector<double>();
    for (std::size_t i = 0; i < hvp.size(); ++i) {
      EXPECT_NEAR(hvp[i], difference[i], 1e-8) << "parameter " << p << ", entry " << i;
      EXPECT_NEAR(forward[i], hvp[i], 1e-12) << "parameter " << p << ", entry " << i;
    }
  }
}

}  // namespace
}  // namespace cotan
