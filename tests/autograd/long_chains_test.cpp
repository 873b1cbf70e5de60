// Chains of 200,000 nodes are recorded, differentiated, evaluated and freed, without recursion and in near-linear time.
#include <cmath>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

constexpr int length = testing::sanitized ? 20'000 : 200'000;

class LongChains : public testing::InBothModes {
 protected:
  void TearDown() override {
    for (int i = 0; i < length / 1000; ++i) evaluate({tensor({1}) * 2});  // dead variables go after a number of evaluations
    clear_cache();                                                        // compiled graphs keep their nodes
    EXPECT_LT(testing::live_nodes(), before_ + 50);
    InBothModes::TearDown();
  }

 private:
  std::size_t before_ = testing::live_nodes();
};
COTAN_IN_BOTH_MODES(LongChains);

TEST_P(LongChains, OfOneOperationEach) {
  {
    Tensor x = tensor({0.5});
    const Tensor start = x.requires_grad_();
    for (int i = 0; i < length; ++i) x = sin(x);
    const std::vector<Tensor> g = gradients(sum(x), {start});
    evaluate({x, g[0]});
    double value = 0.5, slope = 1;
    for (int i = 0; i < length; ++i) {
      slope *= std::cos(value);
      value = std::sin(value);
    }
    EXPECT_NEAR(x.item(), value, 1e-5);
    EXPECT_NEAR(g[0].item(), slope, 1e-5);
  }
}

TEST_P(LongChains, OfNumbersAndTwoOperands) {
  {
    const Variable w("w", tensor({1, 2}));
    const Tensor step = w * 1e-5;
    Tensor x = w.value();
    for (int i = 0; i < length / 4; ++i) x = x + step * 0.5;
    sum(x).backward();
    EXPECT_NEAR(x.to_vector()[1], 2 * (1 + 0.5e-5 * (length / 4)), 1e-2);
    EXPECT_NEAR(w.grad().to_vector()[0], 1 + 0.5e-5 * (length / 4), 1e-3);
    w.zero_grad();
  }
}

TEST_P(LongChains, OfAssignments) {
  const Variable w("w", tensor({1}));
  for (int i = 0; i < length / 4; ++i) w.assign(w + 1);
  EXPECT_EQ(w.value().item(), 1 + length / 4);
}

TEST_P(LongChains, OfTensorsThatAreAllHeld) {
  const Variable w("w", tensor({1, 2}));
  std::vector<Tensor> held;
  Tensor x = w.value();
  for (int i = 0; i < length / 20; ++i) held.push_back(x = x + 1);
  w.assign(w * 2);
  EXPECT_EQ(evaluate({}).held.size(), static_cast<std::size_t>(length / 20 + 1) - 1);
  EXPECT_EQ(held.back().to_vector()[0], 1 + length / 20);
}

TEST_P(LongChains, OfParametersOfOneStep) {
#ifdef __SANITIZE_THREAD__
  constexpr int count = 60;  // the tool's deadlock detector ends the program where a thread holds more than 64 locks, one for each cell that is written
#else
  constexpr int count = length / 100;
#endif
  std::vector<Variable> parameters;
  for (int i = 0; i < count; ++i) parameters.emplace_back(fmt::format("p{}", i), tensor({1, 2}));
  optim::SGD sgd(parameters, {.lr = 0.5});
  for (int turn = 0; turn < 2; ++turn) {
    Tensor total = sum(parameters[0] * parameters[0]);
    for (std::size_t i = 1; i < parameters.size(); ++i) total = total + sum(parameters[i] * parameters[i]);
    total.backward();
    const EvaluationReport report = sgd.step();
    EXPECT_EQ(report.assignments, parameters.size());
    EXPECT_EQ(report.in_place_updates, GetParam() == ExecutionMode::compiled ? parameters.size() : 0);
  }
  EXPECT_EQ(parameters.back().value().to_vector()[1], 0);
}

TEST_P(LongChains, FormulasThatDoubleAreNotExpanded) {
  const Variable w("w", tensor({0.5}));
  Tensor x = w.value();
  for (int i = 0; i < 60; ++i) x = x * x + 0.25;  // 2^60 ways, 60 nodes
  EXPECT_NEAR(x.item(), 0.5, 1e-3);
  EXPECT_NEAR(gradients(sum(x), {w})[0].item(), 1, 1e-2);
}

}  // namespace
}  // namespace cotan
