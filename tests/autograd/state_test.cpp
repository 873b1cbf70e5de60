// State: variables are cells; a read records a version, assign() the next value; an update is in place where nobody needs the old value.
#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

class State : public testing::InBothModes {
 protected:
  [[nodiscard]] static bool compiled() { return GetParam() == ExecutionMode::compiled; }
  Variable w{"w", tensor({1, 2})};
};
COTAN_IN_BOTH_MODES(State);

TEST_P(State, HasANameAShapeATypeAndAVersion) {
  EXPECT_EQ(w.name(), "w");
  EXPECT_EQ(w.shape(), (Shape{2}));
  EXPECT_EQ(w.dtype(), f32);
  EXPECT_EQ(w.version(), 0U);
  const Variable copy = w;
  copy.assign(5);
  evaluate({w.value()});
  EXPECT_EQ(w.version(), 1U);
  EXPECT_THAT(w.value().to_vector(), ElementsAre(5, 5));
}

TEST_P(State, ARereadIsTheSameNodeUntilTheNextVersion) {
  const Ref before = w.value().state()->ref;
  EXPECT_EQ(w.value().state()->ref, before);
  w.assign(w + 1);
  EXPECT_FALSE(w.value().state()->ref == before);
  const Ref to_come = w.value().state()->ref;
  evaluate({});
  EXPECT_EQ(w.version(), 1U);
  EXPECT_EQ((w + 0.5).state()->ref->operand(0), to_come) << "what was recorded for the value to come reads it when it has come";
}

TEST_P(State, UpdatesAreInPlace) {
  for (int i = 0; i < 3; ++i) {
    const void* before = w.cell()->storage->data();
    w.assign(w * 2);
    const EvaluationReport report = evaluate({});
    if (compiled()) {
      EXPECT_EQ(report.in_place_updates, 1U);
      EXPECT_EQ(w.cell()->storage->data(), before);
    }
  }
  EXPECT_THAT(w.value().to_vector(), ElementsAre(8, 16));
}

TEST_P(State, AnUpdateIsNotInPlaceWhereSomebodyHoldsTheOldValue) {
  const Tensor old = w.value();
  static_cast<void>(old.to_vector());
  w.assign(w * 2);
  EXPECT_EQ(evaluate({}).in_place_updates, 0U);
  EXPECT_THAT(old.to_vector(), ElementsAre(1, 2));
  EXPECT_THAT(w.value().to_vector(), ElementsAre(2, 4));
}

TEST_P(State, TheOldValueHeldButNotYetComputedIsRightAfterwards) {
  const Tensor old = w.value();
  w.assign(w * 2);
  const EvaluationReport report = evaluate({});
  EXPECT_EQ(report.held.size(), 1U);
  EXPECT_THAT(old.to_vector(), ElementsAre(1, 2));
  EXPECT_THAT(w.value().to_vector(), ElementsAre(2, 4));
}

TEST_P(State, AnOldValueReadByAnotherOutputIsReadBeforeTheWrite) {
  const Variable big("big", full({3000, 40}, 1));
  for (int i = 0; i < 5; ++i) {
    const float before = static_cast<float>(1 << i);
    const Tensor total = sum(big), shifted = big + 1;
    big.assign(big * 2);
    evaluate({total, shifted});
    EXPECT_EQ(total.item(), before * 120000);
    const std::vector<float> entries = shifted.to_vector();
    EXPECT_TRUE(std::all_of(entries.begin(), entries.end(), [&](float x) { return x == before + 1; }));
  }
}

TEST_P(State, AnAssignmentThenAReadGivesTheAssignedValue) {
  w.assign(w * 10);
  const Tensor read = w.value();
  EXPECT_THAT(read.to_vector(), ElementsAre(10, 20));
  w.assign(3);
  EXPECT_THAT((w + 1).to_vector(), ElementsAre(4, 4));
}

TEST_P(State, TheLastOfSeveralAssignmentsCountsAndEachMayReadTheOneBefore) {
  w.assign(w * 10);
  w.assign(w + 1);
  const Tensor between = w * 100;
  w.assign(w * 2);
  const EvaluationReport report = evaluate({});
  EXPECT_EQ(report.assignments, 1U);
  EXPECT_THAT(w.value().to_vector(), ElementsAre(22, 42));
  EXPECT_THAT(between.to_vector(), ElementsAre(1100, 2100));
}

TEST_P(State, AssignmentsThatReadEachOtherInTurn) {
  const Variable v("v", tensor({3, 4}));
  w.assign(v + 1);      // 4, 5
  v.assign(w * 2);      // 8, 10
  w.assign(w + v);      // 12, 15
  v.assign(v - w * 2);  // -16, -20
  evaluate({});
  EXPECT_THAT(w.value().to_vector(), ElementsAre(12, 15));
  EXPECT_THAT(v.value().to_vector(), ElementsAre(-16, -20));
}

TEST_P(State, ManyAssignmentsWithoutAnEvaluation) {
  for (int i = 0; i < 300; ++i) w.assign(i);
  EXPECT_THAT(w.value().to_vector(), ElementsAre(299, 299));
  for (int i = 0; i < 300; ++i) w.assign(w + 1);
  EXPECT_THAT(w.value().to_vector(), ElementsAre(599, 599));
}

TEST_P(State, TwoVariablesSwap) {
  const Variable v("v", tensor({3, 4}));
  for (int turn = 0; turn < 3; ++turn) {
    const Tensor old_w = w.value(), old_v = v.value();
    w.assign(old_v);
    v.assign(old_w);
    evaluate({});
  }
  EXPECT_THAT(w.value().to_vector(), ElementsAre(3, 4));
  EXPECT_THAT(v.value().to_vector(), ElementsAre(1, 2));
}

TEST_P(State, TwoVariablesSwapAndChangeWithoutTensorsHeld) {
  const Variable a("a", tensor({1, 2})), b("b", tensor({3, 4}));
  const auto exchange = [&] {
    const Tensor sum_of = a + b, difference = a - b;
    a.assign(sum_of);
    b.assign(difference);
  };
  exchange();
  evaluate({});
  EXPECT_THAT(a.value().to_vector(), ElementsAre(4, 6));
  EXPECT_THAT(b.value().to_vector(), ElementsAre(-2, -2));
}

TEST_P(State, TwoVariablesAssignedOneValueStayTwo) {
  const Variable v("v", tensor({3, 4}));
  const Tensor same = tensor({7, 9}) * 1;
  w.assign(same);
  v.assign(same);
  const Tensor product = sum(w * v * v);
  // By one of them alone, though both are the same numbers.
  EXPECT_THAT(gradients(product, {w})[0].to_vector(), ElementsAre(49, 81));
  EXPECT_THAT(gradients(product, {v})[0].to_vector(), ElementsAre(98, 162));
  w.assign(w + 1);
  evaluate({});
  EXPECT_THAT(w.value().to_vector(), ElementsAre(8, 10));
  EXPECT_THAT(v.value().to_vector(), ElementsAre(7, 9));
}

TEST_P(State, TwoVariablesMayShareTheirInitialTensor) {
  const Tensor initial = tensor({1, 2});
  const Variable a("a", initial), b("b", initial);
  for (int i = 0; i < 2; ++i) {
    a.assign(a * 10);
    b.assign(b + 1);
    evaluate({});
  }
  EXPECT_THAT(a.value().to_vector(), ElementsAre(100, 200));
  EXPECT_THAT(b.value().to_vector(), ElementsAre(3, 4));
  EXPECT_THAT(initial.to_vector(), ElementsAre(1, 2));
}

TEST_P(State, GradientsByAValueThatIsAssignedButNotYetComputed) {
  w.assign(w * 10);
  const Tensor loss = sum(w * w);
  loss.backward();
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(20, 40));
  EXPECT_THAT(gradients(loss, {w})[0].to_vector(), ElementsAre(20, 40));
}

TEST_P(State, AHandWrittenOptimizerNeedsNoEvaluationBetweenTurns) {
  for (int i = 0; i < 3; ++i) {
    w.zero_grad();
    sum(w * w).backward();
    w.assign(w - 0.25 * w.grad());
  }
  EXPECT_THAT(w.value().to_vector(), ElementsAre(0.125f, 0.25f));
}

TEST_P(State, AGradientByAnAssignedVariableOfWhatReadItBeforeIsAnError) {
  const Tensor loss = sum(w * w);
  w.assign(w * 10);
  const std::string line = fmt::format("state_test.cpp:{}", __LINE__ - 1);
  EXPECT_THAT(message_of([&] { loss.backward(); }), HasSubstr(line));
  EXPECT_THAT(message_of([&] { static_cast<void>(gradients(loss, {w})); }), HasSubstr(line));
}

TEST_P(State, AssigningItselfChangesNothing) {
  w.assign(w.value());
  evaluate({});
  EXPECT_EQ(w.version(), 1U);
  EXPECT_THAT(w.value().to_vector(), ElementsAre(1, 2));
}

TEST_P(State, AnAssignedTensorAndTheVariableStayApart) {
  const Tensor t = tensor({5, 6}) * 1;
  w.assign(t);
  evaluate({t});
  w.assign(w * 2);
  evaluate({});
  EXPECT_THAT(t.to_vector(), ElementsAre(5, 6));
  EXPECT_THAT(w.value().to_vector(), ElementsAre(10, 12));
}

TEST_P(State, AVariableNeverInheritsTheGradientOfADeadOne) {
  for (int i = 0; i < 300; ++i) {
    const Variable v("v", tensor({1}));
    EXPECT_THROW(static_cast<void>(v.grad()), Error);
    sum(v * 2).backward();
  }
}

TEST_P(State, AFrozenVariableGetsNoGradientWork) {
  Variable frozen("frozen", tensor({3, 4}));
  const Tensor with = sum(exp(frozen) * w);
  const std::size_t nodes_with = graph_size(gradients(with, {w, frozen}));
  frozen.requires_grad_(false);
  const Tensor without = sum(exp(frozen) * w);
  without.backward();
  EXPECT_THROW(static_cast<void>(frozen.grad()), Error);
  EXPECT_LT(graph_size({w.grad()}), nodes_with);
  EXPECT_FALSE(frozen.requires_grad());
  EXPECT_TRUE(w.requires_grad());
}

TEST_P(State, FreezingAfterRecordingIsNotTakenForAZeroGradient) {
  Variable v("v", tensor({3, 4}));
  const Tensor loss = sum(v * v);
  v.requires_grad_(false);
  EXPECT_THAT(message_of([&] { static_cast<void>(gradients(loss, {v})); }), HasSubstr("frozen"));
}

// The check of the new value comes before any write in place, so that write must not be in place.
TEST_P(State, AnAssignedValueCanBeAnIndexInTheSameEvaluation) {
  const Variable at("at", tensor({0}, i32));
  const Tensor rows = tensor(std::vector<float>{1, 2, 3}, {1, 3});
  at.assign(at + 1);
  EXPECT_EQ(pick(rows, at).to_vector(), std::vector<float>{2});
  EXPECT_EQ(at.value().to_vector<std::int32_t>(), std::vector<std::int32_t>{1});
  at.assign(at + 5);
  const Tensor outside = pick(rows, at);
  EXPECT_THROW(static_cast<void>(outside.to_vector()), Error);
  EXPECT_EQ(at.value().to_vector<std::int32_t>(), std::vector<std::int32_t>{1});
}

}  // namespace
}  // namespace cotan
