// Peak memory is known before the run, and near the least that any order of the steps needs.
#include <gtest/gtest.h>

#include "graph/threads.h"
#include "tests/memory_plan/plans.h"

namespace cotan {
namespace {

class PeakMemory : public ::testing::TestWithParam<std::tuple<std::string, bool>> {
 protected:
  void TearDown() override { set_threads(0); }
};

TEST_P(PeakMemory, IsAtMostATenthAboveTheBestOfTenOrders) {
  const auto [name, fused] = GetParam();
  constexpr std::size_t workers = 4;
  set_threads(workers);
  const training::Model model = training::model(name).make();
  testing::PlanOfEvaluation planned;
  ExecutionOptions options;
  if (!fused) options.passes = without_fusion();
  options.observer = &planned;
  const ExecutionOptions before = set_execution_options(options);
  evaluate({model.step()});
  testing::StepsOfEvaluation steps;
  options.observer = &steps;
  set_execution_options(options);
  evaluate({model.step()});
  set_execution_options(before);
  ASSERT_EQ(planned.plans.size(), 1U);
  ASSERT_EQ(steps.plans.size(), 1U);
  const Plan& plan = planned.plans[0];
  std::size_t least = ~std::size_t{0};
  testing::Random random(7);
  for (int i = 0; i < 10; ++i) least = std::min(least, testing::live_bytes(steps.plans[0], testing::random_order(steps.plans[0], random), workers));
  EXPECT_EQ(plan.report.temporary_bytes, planned.reported[0]);
  EXPECT_LE(static_cast<double>(plan.report.temporary_bytes), 1.1 * static_cast<double>(least));
}

std::string name_of_case(const ::testing::TestParamInfo<std::tuple<std::string, bool>>& info) {
  return std::get<0>(info.param) + (std::get<1>(info.param) ? "_fused" : "_unfused");
}
INSTANTIATE_TEST_SUITE_P(Models, PeakMemory,
                         ::testing::Combine(::testing::Values("c1", "c1_1000", "mlp", "cnn", "transformer", "elementwise", "norm"), ::testing::Bool()),
                         name_of_case);

}  // namespace
}  // namespace cotan
