// Every pass of the algebra on random graphs and their gradients: the reference computes the same before and after.
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

class OnRandomGraphs : public ::testing::TestWithParam<const char*> {};

TEST_P(OnRandomGraphs, KeepsTheValues) {
  int changed = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    Random random(seed);
    const RandomGraph g = random_graph(seed, {.nodes = static_cast<int>(random.integer(5, 60))});
    const Function f = with_gradients(g.inputs, g.function.results, random);
    const auto inputs = g.inputs.arrays();
    const Function made = after_passes(f, GetParam());
    changed += made.results != f.results;
    const auto before = reference::evaluate(f, inputs, {.exact = true}), after = reference::evaluate(made, inputs, {.exact = true});
    for (std::size_t r = 0; r < before.size(); ++r) {
      const Failures different = differences("after", after[r].values, before[r].values, 1e-8);
      if (different.empty() || stands_at_an_edge(f, inputs, 1e-8)) continue;
      ADD_FAILURE() << "seed " << seed << ", result " << r << ": " << different[0];
    }
  }
  EXPECT_GT(changed, 15);
}

INSTANTIATE_TEST_SUITE_P(Passes, OnRandomGraphs,
                         ::testing::Values("-all,+fold_views", "-all,+merge_sums", "-all,+masks", "-all,+regroup",
                                           "-all,+fold_views,+merge_sums,+masks,+regroup"));

}  // namespace
}  // namespace cotan::testing
