// Programs around the compiler's thresholds: fused, unfused, with some passes, reproducible, at 1 and 7 threads, against the reference. tests/soak runs many
// more, in processes of their own, and counts what was taken and refused.
#include <gtest/gtest.h>

#include "graph/passes/pass.h"
#include "tests/support/crossing_checks.h"

namespace cotan::testing {
namespace {

constexpr int blocks = 20, graphs_a_block = 12;

class CrossingPrograms : public ::testing::TestWithParam<int> {};

TEST_P(CrossingPrograms, AgreeFusedUnfusedAndReference) {
  int undecided = 0;
  for (int i = 0; i < graphs_a_block; ++i) {
    const auto seed = static_cast<std::uint64_t>(GetParam() * graphs_a_block + i);
    const Comparison c = compare_crossing(crossing_graph(seed), seed);
    EXPECT_TRUE(none(c.failures));
    undecided += c.undecided;
  }
  EXPECT_LE(undecided, 3) << "graphs in which rounding decides";
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrossingPrograms, ::testing::Range(0, blocks));

// A program whose results are others than its function's is noticed.
TEST(CrossingPrograms, AFaultIsSeen) {
  const Ref x = graph::parameter("x", f32, {4});
  Function f;
  f.parameters = {x};
  f.results = {graph::sqrt(x)};
  const std::vector<reference::Array> numbers{{f32, {4}, {1, 4, 9, 1e10}}};
  EXPECT_TRUE(compare_ways(f, numbers, std::vector<Way>{{"right", {}}}).failures.empty());
  // Off by a ten thousandth of the largest result.
  const ScopedPass planted({"planted", "", [](const Function& function, PassContext&) {
                              Function g = function;
                              const Ref y = function.results[0];
                              g.results = {graph::add(y, graph::fill(10, f32, y.shape()))};
                              return g;
                            }});
  EXPECT_FALSE(compare_ways(f, numbers, std::vector<Way>{{"wrong", {}}}).failures.empty());
}

}  // namespace
}  // namespace cotan::testing
