// Values and history: what is kept of what was computed, and what is forgotten.
#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using testing::live_nodes;

class History : public testing::InBothModes {};
COTAN_IN_BOTH_MODES(History);

TEST_P(History, AMillionTurnsRunInConstantMemory) {
  Tensor x = tensor({0.5});
  for (int i = 0; i < 10; ++i) {
    x = 0.5 * x + 1;
    static_cast<void>(x.item());
  }
  const std::size_t before = live_nodes();
  // The loop is the same in both modes: compiled, it runs in full.
  const int turns = testing::sanitized ? 20'000 : GetParam() == ExecutionMode::compiled ? 1'000'000 : 100'000;
  for (int i = 0; i < turns; ++i) {
    x = 0.5 * x + 1;
    static_cast<void>(x.item());
  }
  EXPECT_EQ(live_nodes(), before);
  EXPECT_FLOAT_EQ(x.item(), 2);
}

TEST_P(History, TurnsWithAFrozenOrDetachedVariableRunInConstantMemoryToo) {
  const Variable w("w", tensor({0.5}));
  Variable frozen("frozen", tensor({0.25}));
  frozen.requires_grad_(false);
  Tensor x = tensor({0.5}), y = x, z = x;
  std::size_t before = 0;
  for (int i = 0; i < 200; ++i) {
    x = (w * x + 1).detach();
    y = frozen * y + 1;
    {
      const NoGrad no_grad;
      z = w * z + 1;
    }
    static_cast<void>(x.item());
    static_cast<void>(y.item());
    static_cast<void>(z.item());
    if (i == 10) before = live_nodes();
  }
  EXPECT_EQ(live_nodes(), before);
  EXPECT_FLOAT_EQ(x.item(), 2);
  EXPECT_FLOAT_EQ(y.item(), 4.0f / 3);
  EXPECT_FLOAT_EQ(z.item(), 2);
}

TEST_P(History, WhatDependsOnNoVariableForgetsItsAncestors) {
  const Tensor x = tensor({1, 2});
  const Tensor y = exp(x) * 2 + 1;
  EXPECT_GT(graph_size({y}), 3U);
  static_cast<void>(y.to_vector());
  EXPECT_EQ(graph_size({y}), 1U);
}

TEST_P(History, WhatDependsOnAVariableKeepsItsHistory) {
  const Variable w("w", tensor({1, 2}));
  const Tensor y = exp(w) * 2;
  const std::size_t size = graph_size({y});
  static_cast<void>(y.to_vector());
  EXPECT_TRUE(y.is_evaluated());
  EXPECT_EQ(graph_size({y}), size);
  EXPECT_FLOAT_EQ(gradients(sum(y), {w})[0].to_vector()[1], 2 * std::exp(2.0f));
}

TEST_P(History, WhatDependsOnAMarkedTensorKeepsItsHistory) {
  Tensor x = tensor({1, 2});
  x.requires_grad_();
  const Tensor y = sum(x * x);
  EXPECT_FLOAT_EQ(y.item(), 5);
  EXPECT_THAT(gradients(y, {x})[0].to_vector(), ElementsAre(2, 4));
}

TEST_P(History, AComputedValueIsALeafOfLaterEvaluations) {
  const Variable w("w", tensor({1, 2}));
  const Tensor y = exp(w);
  static_cast<void>(y.to_vector());
  const Tensor z = sum(y);
  const EvaluationReport report = evaluate({z});
  EXPECT_EQ(report.nodes, 2U);  // y, and the sum
  EXPECT_TRUE(report.computed_again.empty());
}

TEST_P(History, AnEvaluatedTensorIsNotComputedAgain) {
  const Variable w("w", tensor({1, 2}));
  const Tensor y = exp(w);
  EXPECT_TRUE(evaluate({y}).ran);
  EXPECT_FALSE(evaluate({y}).ran);
}

TEST_P(History, TwoTensorsOfOneNodeShareTheValueAlsoWhenOneDies) {
  const Variable w("w", tensor({1, 2}));
  const Tensor y = exp(w);
  {
    const Tensor twin = exp(w);
    evaluate({y, twin});
  }
  EXPECT_EQ(evaluate({sum(y)}).nodes, 2U);
}

TEST_P(History, ReadingIntermediatesLaterReportsWhatIsComputedAgain) {
  const Variable w("w", tensor({1, 2}));
  const Tensor y = exp(w);
  const int y_line = __LINE__ - 1;
  const Tensor z = sum(y);
  static_cast<void>(z.item());
  const EvaluationReport report = evaluate({y * 2});
  ASSERT_EQ(report.computed_again.size(), 1U);
  EXPECT_EQ(report.computed_again[0].line, y_line);
}

TEST_P(History, WhatDiedIsNotReportedAsComputedAgain) {
  const Variable w("w", tensor({1, 2}));
  const Tensor kept = exp(w);
  for (int i = 0; i < 50; ++i) {
    {
      const Tensor other = sin(w) * 2 + i;
      evaluate({kept, other});
    }
    const EvaluationReport report = evaluate({cos(w) * 3 - i});
    EXPECT_TRUE(report.computed_again.empty());
  }
}

TEST_P(History, TheStepDropsHistoryUnlessRetained) {
  const Variable w("w", tensor({1, 2})), other("other", tensor({3}));
  optim::SGD sgd({w}, {.lr = 0.1});
  const Tensor dropped = sum(w * w) * other;
  sum(dropped).backward();
  sgd.step();
  EXPECT_EQ(graph_size({dropped}), 1U);
  other.zero_grad();

  const Tensor retained = sum(w * w) * other;
  sum(retained).backward();
  sgd.step({.retain = true});
  EXPECT_GT(graph_size({retained}), 3U);
  EXPECT_THAT(gradients(sum(retained), {retained})[0].to_vector(), ElementsAre(1));
}

TEST_P(History, AGradientThroughWhatWasForgottenIsAnError) {
  const Tensor x = tensor({1, 2});
  const Tensor y = x * x;
  static_cast<void>(y.to_vector());
  const std::string text = testing::message_of([&] { static_cast<void>(gradients(sum(y), {x})); });
  EXPECT_THAT(text, ::testing::HasSubstr("has forgotten how"));
  EXPECT_THAT(text, ::testing::HasSubstr("requires_grad_()"));
  // Part of the way is there, part is gone: the sum of the rest would be wrong.
  EXPECT_THAT(testing::message_of([&] { static_cast<void>(gradients(sum(y + x), {x})); }), ::testing::HasSubstr("has forgotten how"));
}

TEST_P(History, WhatWasComputedBesideIsNotTakenForForgotten) {
  const Variable w("w", tensor({1, 2}));
  const Tensor x = tensor({1, 2}), y = tensor({3, 4});
  const Tensor of_x = x * x, of_y = y * y;
  evaluate({of_x, of_y, w * 2});
  EXPECT_THAT(gradients(sum(of_x), {y})[0].to_vector(), ElementsAre(0, 0));
  EXPECT_THAT(gradients(sum(of_x), {w})[0].to_vector(), ElementsAre(0, 0));
}

}  // namespace
}  // namespace cotan
