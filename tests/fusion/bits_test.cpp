// Fusion changes no bits: the same float32 values fused and unfused, wherever no primitive of oneDNN has a hand in them. (These have one kernel for a product
// alone and another for a product with what follows it.)
#include <gtest/gtest.h>

#include <cstring>
#include <unordered_set>

#include "graph/passes/explain.h"
#include "tests/fusion/fused.h"
#include "tests/support/program_checks.h"

namespace cotan::testing {
namespace {

constexpr std::uint64_t graphs = 300;
constexpr int most_results = 24;

std::vector<reference::Array> run(const Function& f, const std::vector<reference::Array>& inputs, const PassSwitches& passes) {
  CompileOptions options;
  options.threads = 2;
  options.passes = passes;
  return run_compiled(f, inputs, options);
}

// The function with more of its float32 nodes as results.
Function with_inner_results(Function f) {
  std::unordered_set<Edge, RefHash> have;
  for (const Ref& r : f.results) have.insert(r.edge());
  f.result_names.clear();
  const std::vector<Node*> order = topological(f.results);
  const std::size_t step = order.size() / most_results + 1;
  for (std::size_t i = 0; i < order.size(); i += step) {
    const Ref r(order[i]);
    if (order[i]->kind != Kind::leaf && r.dtype() == f32 && have.insert(r.edge()).second) f.results.push_back(r);
  }
  return f;
}

// For each result of f whether nothing that it is computed from is claimed by oneDNN.
std::vector<bool> without_primitives(const Function& f) {
  CompileOptions options;
  options.passes = without_fusion();
  const Explained e = explain(f, topological(f.results), options);
  std::unordered_set<const Node*> touched;
  for (const ExplainedGroup& g : e.groups)
    if (g.name == "oneDNN" || g.name == "small products") touched.insert(g.members.begin(), g.members.end());
  for (const Node* n : topological(e.function.results))
    for (const Edge& operand : n->operands())
      if (touched.contains(operand.node)) touched.insert(n);
  std::vector<bool> free;
  for (std::size_t r = 0; r < f.results.size(); ++r) free.push_back(!touched.contains(e.function.results[r].node()));
  return free;
}

TEST(Bits, AreThoseOfTheUnfusedProgram) {
  std::size_t compared = 0, fused_graphs = 0;
  for (std::uint64_t seed = 1; seed <= graphs; ++seed) {
    const Function f = with_inner_results(random_function(seed, 12 + static_cast<int>(seed % 50)));
    const auto inputs = random_inputs(f, seed);
    const auto fused = run(f, inputs, {}), unfused = run(f, inputs, without_fusion());
    const std::vector<bool> free = without_primitives(f);
    for (const ExplainedGroup& g : explain(f, topological(f.results), {}).groups)
      if (g.fused && g.members.size() > 1) {
        ++fused_graphs;
        break;
      }
    for (std::size_t r = 0; r < f.results.size(); ++r) {
      if (!free[r] || f.results[r].dtype() != f32) continue;
      for (std::size_t i = 0; i < fused[r].values.size(); ++i) {
        const auto a = static_cast<float>(fused[r].values[i]), b = static_cast<float>(unfused[r].values[i]);
        const bool same = std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
        EXPECT_TRUE(same) << "seed " << seed << ", result " << r << " at " << i << ": " << a << " fused, " << b << " unfused\n" << to_text(f);
        if (!same) break;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 40000U);
  EXPECT_GT(fused_graphs, graphs * 9 / 10);
}

// Float64 has no primitives, so these are all results; and it shows in which order sums add up and multiply.
TEST(Bits, OfFloat64WithGradientsAreThoseOfTheUnfusedProgram) {
  for (std::uint64_t seed = 1; seed <= graphs; ++seed) {
    Random random(seed);
    const RandomGraph g = random_graph(seed, {.nodes = 12 + static_cast<int>(seed % 50)});
    const Function f = with_gradients(g.inputs, g.function.results, random);
    const auto fused = run(f, g.inputs.arrays(), {}), unfused = run(f, g.inputs.arrays(), without_fusion());
    for (std::size_t r = 0; r < f.results.size(); ++r)
      for (std::size_t i = 0; i < fused[r].values.size(); ++i) {
        const double a = fused[r].values[i], b = unfused[r].values[i];
        ASSERT_TRUE(std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b)))
            << "seed " << seed << ", result " << r << " at " << i << ": " << a << " fused, " << b << " unfused";
      }
  }
}

// Cut into tiles: a product of three factors that no pass takes apart.
TEST(Bits, OfThreeFactorsByTilesAreThoseOfTheWhole) {
  const Function f = parse_function(R"(func f(x: f64[256,96], y: f64[256,96], w: f64[256,7], t: i32[256]) {
    %0: f64[256,96] = { exp(x) }
    %1: f64[256,96] = { y + tanh(x) }
    %2: f64[256][i] = %0[i,p] * %1[i,p] * w[i,t[i]]
    %3: f64[256,96][i,j] = %2[i]
    %4: f64[256,96] = { %3 * %0 + %1 }
    return z=%4
  })");
  const auto inputs = numbers(f);
  EXPECT_EQ(run(f, inputs, {})[0].values, run(f, inputs, without_fusion())[0].values);
}

}  // namespace
}  // namespace cotan::testing
