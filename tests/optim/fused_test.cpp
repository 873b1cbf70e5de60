// Every optimizer's updates of all parameters as one kernel: the bits of the unfused program, at any number of threads.
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/threads.h"
#include "tests/optim/problem.h"

namespace cotan::testing {
namespace {

// Parameters of all sizes, from a number to one that several workers share, and a loss without products: those have other bits with what follows them.
struct Elementwise {
  Tensor x = filled({90, 700}, 10, 1.5, f32), y = filled({90, 700}, 11, 1.0, f32);
  Variable w{"w", filled({90, 700}, 0, 0.8, f32)}, rows{"rows", filled({90, 1}, 1, 0.8, f32)}, columns{"columns", filled({700}, 2, 0.8, f32)},
      scale{"scale", filled({}, 3, 0.8, f32)}, none{"none", filled({0, 3}, 4, 1, f32)};

  Elementwise() { evaluate({x, y}); }
  [[nodiscard]] std::vector<Variable> parameters() const { return {w, rows, columns, scale, none}; }
  [[nodiscard]] Tensor loss() const { return mean(square(tanh(x * w + columns) * scale + rows - y)) + sum(none); }
};

struct Trained {
  std::vector<std::vector<float>> values;
  EvaluationReport report;  // of the last step
};

// Three steps.
Trained train(std::size_t kind, const PassSwitches& passes) {
  ExecutionOptions options;
  options.passes = passes;
  const ExecutionOptions before = set_execution_options(options);
  const Elementwise problem;
  const auto optimizer = std::move(one_of_each(problem.parameters())[kind]);
  Trained trained;
  for (int step = 0; step < 3; ++step) {
    problem.loss().backward();
    trained.report = optimizer->step();
  }
  for (const Variable& v : problem.parameters()) trained.values.push_back(v.value().to_vector<float>());
  set_execution_options(before);
  return trained;
}

class FusedOptimizer : public ::testing::TestWithParam<std::size_t> {
 protected:
  void TearDown() override { set_threads(0); }
};

TEST_P(FusedOptimizer, HasTheBitsOfTheUnfusedOne) {
  set_threads(1);
  const Trained unfused = train(GetParam(), without_fusion());
  for (const int threads : {1, 2, 4}) {
    set_threads(threads);
    const Trained fused = train(GetParam(), {});
    EXPECT_EQ(fused.values, unfused.values) << threads << " threads";
    EXPECT_EQ(fused.report.in_place_updates, fused.report.assignments);
    EXPECT_LT(3 * fused.report.kernels.size(), 2 * unfused.report.kernels.size());
    const auto kernels = std::ranges::count_if(fused.report.kernels, [](const auto& k) { return k.name.find(" updates: ") != std::string::npos; });
    EXPECT_EQ(kernels, 2) << "the update of w is one loop with what makes the gradients of the others; that of nothing joins it";
  }
}

INSTANTIATE_TEST_SUITE_P(EachKind, FusedOptimizer, ::testing::Range(std::size_t{0}, kinds));

}  // namespace
}  // namespace cotan::testing
