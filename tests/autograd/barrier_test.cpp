// What triggers work: evaluations, and the barrier that an optimizer's step is.
#include <sstream>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;
using testing::line_numbers;
using testing::message_of;

class Barrier : public testing::InBothModes {
 protected:
  Variable w{"w", tensor({1, 2})};
  optim::SGD sgd{{w}, {.lr = 0.5}};
};
COTAN_IN_BOTH_MODES(Barrier);

TEST_P(Barrier, EvaluateItemDataAccessAndPrintingCompute) {
  const Tensor a = w * 2, b = w * 3, c = w * 4, d = sum(w);
  evaluate({a});
  EXPECT_TRUE(a.is_evaluated());
  EXPECT_FALSE(b.is_evaluated());
  EXPECT_THAT(b.to_vector(), ElementsAre(3, 6));
  EXPECT_TRUE(b.is_evaluated());
  std::ostringstream out;
  out << c;
  EXPECT_EQ(out.str(), "tensor(f32, (2,)) [4, 8]");
  EXPECT_TRUE(c.is_evaluated());
  EXPECT_EQ(d.item(), 3);
}

TEST_P(Barrier, BackwardComputesNothing) {
  const Tensor loss = sum(w * w);
  loss.backward();
  EXPECT_FALSE(loss.is_evaluated());
  EXPECT_FALSE(w.grad().is_evaluated());
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(2, 4));
}

TEST_P(Barrier, StepUpdatesAndIsOneEvaluation) {
  sum(w * w).backward();
  const EvaluationReport report = sgd.step();
  EXPECT_TRUE(report.ran);
  EXPECT_EQ(report.assignments, 1U);
  EXPECT_EQ(w.version(), 1U);
  EXPECT_THAT(w.value().to_vector(), ElementsAre(0, 0));  // w - 0.5 * 2 w
}

TEST_P(Barrier, HeldTensorsAreRightAfterTheStepAndNamedInTheReport) {
  const Tensor logits = w * 10;
  const int logits_line = __LINE__ - 1;
  const Tensor loss = sum(logits * logits);
  const int loss_line = __LINE__ - 1;
  const Tensor unrelated = tensor({1}) * 2;
  loss.backward();
  const EvaluationReport report = sgd.step();
  EXPECT_THAT(line_numbers(report.held), ::testing::UnorderedElementsAre(logits_line, loss_line));
  EXPECT_TRUE(logits.is_evaluated());
  EXPECT_TRUE(loss.is_evaluated());
  EXPECT_FALSE(unrelated.is_evaluated());
  EXPECT_THAT(logits.to_vector(), ElementsAre(10, 20));
  EXPECT_EQ(loss.item(), 500);
}

TEST_P(Barrier, ATensorHeldThroughAComputedOneOutlivesIt) {
  Tensor x = exp(w);
  static_cast<void>(x.to_vector());
  const Tensor y = x * 2;
  sum(w * w).backward();
  sgd.step();
  x = Tensor();
  EXPECT_THAT(y.to_vector(), ElementsAre(FloatEq(2 * std::exp(1.0f)), FloatEq(2 * std::exp(2.0f))));
}

TEST_P(Barrier, AComputedTensorCanBeUsedAfterTheStep) {
  Tensor x = exp(w);
  static_cast<void>(x.to_vector());
  sum(w * w).backward();
  sgd.step();
  const Tensor y = x * 2;
  x = Tensor();
  EXPECT_THAT(y.to_vector(), ElementsAre(FloatEq(2 * std::exp(1.0f)), FloatEq(2 * std::exp(2.0f))));
}

TEST_P(Barrier, AComputedReadOfAVariableCanBeUsedAfterTheStep) {
  const Tensor before = w.value();
  evaluate({before});
  sum(w * w).backward();
  sgd.step();
  EXPECT_THAT((before * 2).to_vector(), ElementsAre(2, 4));
  w.assign(before);
  EXPECT_THAT((w * 3).to_vector(), ElementsAre(3, 6));
}

TEST_P(Barrier, AGradientThroughAnOverwrittenVariableNamesTheStepsLine) {
  const Tensor held = w * 10;
  const Tensor computed = w * 20;
  static_cast<void>(computed.to_vector());
  sum(w * w).backward();
  sgd.step();
  const std::string step = fmt::format("barrier_test.cpp:{}", __LINE__ - 1);
  for (const Tensor& t : {held, computed}) {
    const std::string by_gradients = message_of([&] { static_cast<void>(gradients(sum(t), {w})); });
    EXPECT_THAT(by_gradients, HasSubstr(step));
    EXPECT_THAT(by_gradients, HasSubstr("'w'"));
    EXPECT_THAT(message_of([&] { sum(t).backward(); }), HasSubstr(step));
    // A part of the way is there: the rest alone would be a wrong number.
    EXPECT_THAT(message_of([&] { static_cast<void>(gradients(sum(t + w), {w})); }), HasSubstr(step));
    EXPECT_THAT(message_of([&] { sum(t + w).backward(); }), HasSubstr(step));
    // Asked to be a constant, it is one.
    EXPECT_THAT(gradients(sum(t.detach() * w), {w})[0].to_vector(), ElementsAre(t.to_vector()[0], t.to_vector()[1]));
  }
}

TEST_P(Barrier, ARetainedGradientThroughAnOverwrittenVariableIsAnErrorToo) {
  const Tensor held = w * 10;
  sum(w * w).backward();
  sgd.step({.retain = true});
  const std::string step = fmt::format("barrier_test.cpp:{}", __LINE__ - 1);
  EXPECT_THAT(message_of([&] { static_cast<void>(gradients(sum(held), {w})); }), HasSubstr(step));
  EXPECT_THAT(message_of([&] { sum(held).backward(); }), HasSubstr(step));
  EXPECT_THAT(held.to_vector(), ElementsAre(10, 20));
}

TEST_P(Barrier, GradAfterTheStepNamesKeepGradients) {
  sum(w * w).backward();
  sgd.step();
  const std::string text = message_of([&] { static_cast<void>(w.grad()); });
  EXPECT_THAT(text, HasSubstr("step({.keep_gradients = true})"));
  EXPECT_THAT(text, HasSubstr(fmt::format("barrier_test.cpp:{}", __LINE__ - 3)));
  EXPECT_THAT(text, HasSubstr("'w'"));
}

TEST_P(Barrier, KeptGradientsCanBeRead) {
  sum(w * w).backward();
  sgd.step({.keep_gradients = true});
  EXPECT_TRUE(w.grad().is_evaluated());
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(2, 4));
}

TEST_P(Barrier, AGradientThatIsHeldSurvivesTheStep) {
  sum(w * w).backward();
  const Tensor g = w.grad();
  sgd.step();
  EXPECT_THAT(g.to_vector(), ElementsAre(2, 4));
}

TEST_P(Barrier, ZeroGradDiscards) {
  sum(w * w).backward();
  w.zero_grad();
  EXPECT_THAT(message_of([&] { static_cast<void>(w.grad()); }), HasSubstr("Call backward()"));
  EXPECT_THAT(message_of([&] { sgd.step(); }), HasSubstr("no parameter has a gradient"));
  sum(w * w).backward();
  sgd.zero_grad();
  EXPECT_THAT(message_of([&] { sgd.step(); }), HasSubstr("no parameter has a gradient"));
}

TEST_P(Barrier, TheStepConsumesGradients) {
  sum(w * w).backward();
  sgd.step();
  EXPECT_THAT(message_of([&] { sgd.step(); }), HasSubstr("no parameter has a gradient"));
  sum(w * 3).backward();  // does not add to the consumed one
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(3, 3));
}

TEST_P(Barrier, ReadingTheLossFirstRunsTheForwardTwiceAndTheReportSaysSo) {
  const Tensor hidden = exp(w);
  const int hidden_line = __LINE__ - 1;
  const Tensor loss = sum(hidden);
  static_cast<void>(loss.item());
  loss.backward();
  const EvaluationReport report = sgd.step();
  EXPECT_THAT(line_numbers(report.computed_again), ::testing::Contains(hidden_line));
}

TEST_P(Barrier, ReadingTheLossAfterTheStepRunsTheForwardOnce) {
  const Tensor loss = sum(exp(w));
  loss.backward();
  EXPECT_TRUE(sgd.step().computed_again.empty());
  EXPECT_FLOAT_EQ(loss.item(), std::exp(1.0f) + std::exp(2.0f));
}

TEST_P(Barrier, EvaluateAfterAssignRunsEveryPendingAssignmentOnce) {
  const Variable v("v", tensor({5}));
  w.assign(w * 2);
  v.assign(v + 1);
  const EvaluationReport report = evaluate({tensor({1}) + 1});
  EXPECT_EQ(report.assignments, 2U);
  EXPECT_EQ(evaluate({tensor({1}) + 2}).assignments, 0U);
  EXPECT_EQ(w.version(), 1U);
  EXPECT_EQ(v.version(), 1U);
  EXPECT_THAT(w.value().to_vector(), ElementsAre(2, 4));
  EXPECT_THAT(v.value().to_vector(), ElementsAre(6));
}

TEST_P(Barrier, ReadingAComputedTensorRunsPendingAssignments) {
  const Tensor computed = tensor({1, 2});
  w.assign(w * 2);
  static_cast<void>(computed.to_vector());
  EXPECT_EQ(w.version(), 1U);
}

TEST_P(Barrier, TwoOptimizersStepAfterOneBackward) {
  const Variable v("v", tensor({3, 4}));
  optim::SGD other({v}, {.lr = 0.5});
  sum(w * v).backward();
  sgd.step();  // overwrites w, which v's gradient reads
  other.step();
  EXPECT_THAT(w.value().to_vector(), ElementsAre(1 - 0.5f * 3, 2 - 0.5f * 4));
  EXPECT_THAT(v.value().to_vector(), ElementsAre(3 - 0.5f * 1, 4 - 0.5f * 2));
}

TEST_P(Barrier, AParameterNamedTwiceIsUpdatedOnce) {
  optim::SGD twice({w, w}, {.lr = 0.5});
  sum(w * 2).backward();
  twice.step({.keep_gradients = true});
  EXPECT_THAT(w.value().to_vector(), ElementsAre(0, 1));
}

// One entry of a variable of two.
Tensor entry(const Tensor& x, std::int32_t i, std::source_location where = std::source_location::current()) {
  return pick(Operand(reshape(Operand(x, where), {1, 2}), where), tensor({static_cast<double>(i)}, i32));
}

TEST_P(Barrier, AnOutOfRangeIndexLeavesEveryVariableAtItsOldValue) {
  const Variable v("v", tensor({7}));
  const Tensor loss = sum(entry(w.value(), 9));
  const int line = __LINE__ - 1;
  v.assign(v * 2);
  loss.backward();
  std::optional<Error> e;
  e = testing::error_of([&] { sgd.step(); });
  ASSERT_TRUE(e);
  EXPECT_THAT(e->problem(), HasSubstr("9"));
  EXPECT_THAT(e->problem(), HasSubstr("0..1"));
  EXPECT_EQ(e->where().line, line);
  EXPECT_THAT(w.value().to_vector(), ElementsAre(1, 2));
  EXPECT_THAT(v.value().to_vector(), ElementsAre(7));
  EXPECT_EQ(w.version(), 0U);
  EXPECT_EQ(v.version(), 0U);
}

TEST_P(Barrier, AfterAnEvaluationThatThrewTheProgramGoesOn) {
  for (int turn = 0; turn < 3; ++turn) {
    sum(entry(w.value(), 9)).backward();
    EXPECT_THROW(sgd.step(), Error);
  }
  sum(entry(w.value(), 1)).backward();
  sgd.step();
  EXPECT_THAT(w.value().to_vector(), ElementsAre(1, 1.5f));
}

TEST_P(Barrier, WhatReadADiscardedAssignmentSaysSo) {
  w.assign(w * entry(w.value(), 9));
  const Tensor reads = w * 2;
  EXPECT_THROW(static_cast<void>(reads.to_vector()), Error);
  EXPECT_THAT(message_of([&] { static_cast<void>(reads.to_vector()); }), HasSubstr("was discarded"));
  EXPECT_THAT((w * 2).to_vector(), ElementsAre(2, 4));
}

}  // namespace
}  // namespace cotan
