// Random graphs over all rows: compiled with fusions, compiled without, and the reference agree on values and gradients, within the bounds stated at
// check_random_graph. tests/soak runs many more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/program_checks.h"

namespace cotan::testing {
namespace {

constexpr int blocks = 20, graphs_a_block = 100;

class RandomPrograms : public ::testing::TestWithParam<int> {};

TEST_P(RandomPrograms, AgreeFusedUnfusedAndReference) {
  std::set<std::string> rows;
  int undecided = 0;
  for (int i = 0; i < graphs_a_block; ++i) EXPECT_TRUE(none(check_random_graph(static_cast<std::uint64_t>(GetParam() * graphs_a_block + i), rows, undecided)));
  EXPECT_LE(undecided, 1) << "graphs in which rounding decides";
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPrograms, ::testing::Range(0, blocks));

// What excuses a difference is rare, so that it hides no fault.
TEST(RandomPrograms, FewStandAtAnEdge) {
  int at_an_edge = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = 60});
    at_an_edge += stands_at_an_edge(g.function, rounded(g.inputs.arrays()), 1e-8);
  }
  EXPECT_LE(at_an_edge, 4);
}

// What the seeds above are drawn from reaches every row of every table.
TEST(RandomPrograms, ReachEveryRow) {
  std::set<std::string> rows;
  for (std::uint64_t seed = 0; seed < blocks * graphs_a_block && !missing_rows(rows).empty(); ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = 80});
    rows.insert(g.rows.begin(), g.rows.end());
  }
  EXPECT_THAT(missing_rows(rows), ::testing::IsEmpty());
}

}  // namespace
}  // namespace cotan::testing
