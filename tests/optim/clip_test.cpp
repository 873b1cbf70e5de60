// Clipping: what it leaves alone, what it costs, and its edges. Trajectories with clipping are compared with PyTorch's in trajectories_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/optim/problem.h"

namespace cotan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double infinity = std::numeric_limits<double>::infinity();

// Gives the variable this gradient.
void give(const Variable& v, const Tensor& gradient) { sum(v * gradient).backward(); }

TEST(ClipGradNorm, ScalesAllTogetherAndLeavesSmallOnesAlone) {
  const Variable a("a", zeros({2}, f64)), b("b", zeros({1}, f64)), without("without", zeros({1}, f64));
  give(a, tensor({2, -3}, f64));
  give(b, tensor({6}, f64));
  EXPECT_EQ(optim::clip_grad_norm_({a, b, without, a}, 14).item<double>(), 7);
  EXPECT_THAT(a.grad().to_vector<double>(), ElementsAre(2, -3));
  optim::clip_grad_norm_({a, b}, 0.7);
  const double factor = 0.7 / (7 + 1e-6);
  EXPECT_THAT(a.grad().to_vector<double>(), ElementsAre(::testing::DoubleEq(2 * factor), ::testing::DoubleEq(-3 * factor)));
  EXPECT_THAT(b.grad().to_vector<double>(), ElementsAre(::testing::DoubleEq(6 * factor)));
  EXPECT_THROW(static_cast<void>(without.grad()), Error);
  optim::clip_grad_norm_({a, b}, 0);
  EXPECT_THAT(b.grad().to_vector<double>(), ElementsAre(0));
}

TEST(ClipGradNorm, KnowsEveryNorm) {
  const Variable a("a", zeros({2, 1}, f64)), b("b", zeros({}, f64));
  give(a, tensor(std::vector<double>{2, -3}, {2, 1}));
  give(b, full({}, 6, f64));
  auto norm = [&](double p) { return optim::clip_grad_norm_({a, b}, infinity, {.norm_type = p}).item<double>(); };
  EXPECT_EQ(norm(2), 7);
  EXPECT_EQ(norm(1), 11);
  EXPECT_EQ(norm(infinity), 6);
  EXPECT_NEAR(norm(3), std::cbrt(8 + 27 + 216), 1e-14);
  EXPECT_NEAR(norm(0.5), std::pow(std::sqrt(2) + std::sqrt(3) + std::sqrt(6), 2), 1e-13);
  EXPECT_THAT(a.grad().to_vector<double>(), ElementsAre(2, -3));
}

TEST(ClipGradNorm, OfManyGradientsIsAFewPhases) {
  std::vector<Variable> all;
  Tensor loss = zeros({}, f64);
  for (int i = 0; i < 100; ++i) {
    all.emplace_back("v", full({1}, i, f64));
    loss += sum(all.back() * all.back()) / 2;
  }
  loss.backward();
  const Tensor norm = optim::clip_grad_norm_(all, 1);
  const EvaluationReport report = evaluate({norm});
  EXPECT_LT(report.phases, 12);
  EXPECT_NEAR(norm.item<double>(), std::sqrt(328350.0), 1e-9);
}

TEST(ClipGradNorm, OfNothingIsZero) {
  const Variable a("a", zeros({2})), empty("empty", zeros({0}));
  EXPECT_EQ(optim::clip_grad_norm_({a}, 1).item(), 0);
  EXPECT_EQ(optim::clip_grad_norm_({}, 1).item(), 0);
  give(empty, zeros({0}));
  EXPECT_EQ(optim::clip_grad_norm_({empty}, 1, {.norm_type = infinity}).item(), 0);
}

TEST(ClipGradNorm, OfTwoTypesIsDouble) {
  const Variable single("single", zeros({1})), twice("twice", zeros({1}, f64));
  give(single, tensor({3}));
  give(twice, tensor({4}, f64));
  const Tensor norm = optim::clip_grad_norm_({single, twice}, 1);
  EXPECT_EQ(norm.item<double>(), 5);
  EXPECT_NEAR(single.grad().item(), 0.6, 1e-6);
  EXPECT_NEAR(twice.grad().item<double>(), 0.8, 1e-6);
}

TEST(ClipGradNorm, NonFiniteNormsAreErrorsIfAsked) {
  const Variable a("a", zeros({2}));
  for (const double bad : {infinity, std::numeric_limits<double>::quiet_NaN()}) {
    a.zero_grad();
    give(a, tensor({1, bad}));
    try {
      optim::clip_grad_norm_({a}, 1, {.error_if_nonfinite = true});
      FAIL() << "no Error";
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("clip_grad_norm_: the norm of the gradients is "));
      EXPECT_THAT(e.what(), HasSubstr("clip_test.cpp"));
    }
    EXPECT_EQ(a.grad().to_vector()[0], 1) << "as before";
    EXPECT_FALSE(std::isfinite(optim::clip_grad_norm_({a}, 1).item()));
  }
  a.zero_grad();
  give(a, tensor({3, 4}));
  EXPECT_EQ(optim::clip_grad_norm_({a}, 1, {.error_if_nonfinite = true}).item(), 5);
  EXPECT_NEAR(a.grad().to_vector()[1], 0.8, 1e-6);
}

TEST(ClipGradNorm, IsPartOfTheStepAndItsNumbersAreReadAtRunTime) {
  const Problem p;
  optim::SGD sgd(p.parameters(), {.lr = 0.1});
  for (int i = 0; i < 5; ++i) {
    const Tensor loss = p.loss();
    loss.backward();
    const Tensor norm = optim::clip_grad_norm_(p.parameters(), 0.1 * i);
    EXPECT_FALSE(norm.is_evaluated());
    const EvaluationReport report = sgd.step();
    EXPECT_EQ(report.cache_hit, i > 0);
    EXPECT_TRUE(norm.is_evaluated());
    EXPECT_TRUE(loss.is_evaluated());
  }
}

TEST(ClipGradValue, ClipsEachEntry) {
  const Variable a("a", zeros({4})), b("b", zeros({1}, f64)), without("without", zeros({1}));
  give(a, tensor({2, -3, 0.5, std::numeric_limits<double>::quiet_NaN()}));
  give(b, tensor({-7}, f64));
  optim::clip_grad_value_({a, b, without}, 1);
  EXPECT_THAT(a.grad().to_vector(), ElementsAre(1, -1, 0.5f, ::testing::IsNan()));
  EXPECT_THAT(b.grad().to_vector<double>(), ElementsAre(-1));
  EXPECT_THROW(static_cast<void>(without.grad()), Error);
}

}  // namespace
}  // namespace cotan::testing
