// Peak memory is known before the run, and near the least that any order of the steps needs.
#include <gtest/gtest.h>

#include "graph/threads.h"
#include "tests/memory_plan/plans.h"
#include "tests/support/last_evaluation.h"
#include "tests/support/machines.h"

namespace cotan {
namespace {

class PeakMemory : public ::testing::TestWithParam<std::tuple<std::string, bool>> {
 protected:
  void TearDown() override { set_threads(0); }
};

TEST_P(PeakMemory, IsAtMostATenthAboveTheBestOfTenOrders) {
  const auto [name, fused] = GetParam();
  constexpr int workers = 4;
  set_threads(workers);
  ExecutionOptions options;
  if (!fused) options.passes = without_fusion();
  const training::Model model = training::model(name).make();
  const testing::LastEvaluation evaluation = testing::last_evaluation(options, [&] { evaluate({model.step()}); });
  ASSERT_EQ(evaluation.evaluations, 1);
  const auto look = [&](const CompileOptions& here) {
    const Plan steps = lower(evaluation.recorded.function, evaluation.recorded.images, here);  // before anything is decided about their memory
    Plan plan = steps;
    schedule(plan, here);
    verify_plan(plan);
    std::size_t least = ~std::size_t{0};
    testing::Random random(7);
    for (int i = 0; i < 10; ++i) least = std::min(least, testing::live_bytes(steps, testing::random_order(steps, random), workers));
    EXPECT_LE(static_cast<double>(plan.report.temporary_bytes), 1.1 * static_cast<double>(least));
    return plan.report.temporary_bytes;
  };
  EXPECT_EQ(look(evaluation.options), evaluation.temporary_bytes);
  testing::on_each_machine(evaluation.options, {workers}, look);
}

std::string name_of_case(const ::testing::TestParamInfo<std::tuple<std::string, bool>>& info) {
  return std::get<0>(info.param) + (std::get<1>(info.param) ? "_fused" : "_unfused");
}
INSTANTIATE_TEST_SUITE_P(Models, PeakMemory,
                         ::testing::Combine(::testing::Values("c1", "c1_1000", "mlp", "cnn", "transformer", "elementwise", "norm"), ::testing::Bool()),
                         name_of_case);

}  // namespace
}  // namespace cotan
