// Random graphs and random indexed sums as nodes: reverse against forward mode, against differences, second order, exactness on whole numbers.
#include "tests/support/random_graph.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/direct_sum.h"
#include "tests/support/gradient_checks.h"
#include "tests/support/random_sum.h"

namespace cotan::testing {
namespace {

int nodes_of(std::uint64_t seed, std::int64_t least, std::int64_t most) { return static_cast<int>(Random(seed).integer(least, most)); }

TEST(RandomGraphs, ReverseModeIsTheTransposeOfForwardMode) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = nodes_of(seed, 5, 80), .wild_tables = true});
    Random random(seed);
    ASSERT_TRUE(none(check_gradients(g.inputs, g.function.results[0], random, {.differences = false}))) << "seed " << seed;
  }
}

TEST(RandomGraphs, LargeOnesToo) {
  for (std::uint64_t seed = 1000; seed < 1012; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = 200, .wild_tables = true});
    Random random(seed);
    ASSERT_TRUE(none(check_gradients(g.inputs, g.function.results[0], random, {.differences = false}))) << "seed " << seed;
  }
}

TEST(RandomGraphs, SmoothOnesAgreeWithDifferences) {
  for (std::uint64_t seed = 2000; seed < 2200; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = nodes_of(seed, 5, 50), .smooth = true, .wild_tables = true});
    Random random(seed);
    ASSERT_TRUE(none(check_gradients(g.inputs, g.function.results[0], random))) << "seed " << seed;
  }
}

TEST(RandomGraphs, SecondOrder) {
  for (std::uint64_t seed = 3000; seed < 3080; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = nodes_of(seed, 5, 30), .smooth = true, .wild_tables = true});
    Random random(seed);
    Inputs inputs = g.inputs;
    const Ref& y = g.function.results[0];
    const Ref cotangent = inputs.add("g", y.dtype(), y.shape(), random_values(random, y.shape().elements()));
    const auto first = gradients(y, g.inputs.floating(), cotangent);
    ASSERT_TRUE(none(check_gradients(inputs, first[random.below(first.size())], random, {.difference_tolerance = 1e-5}))) << "seed " << seed;
  }
}

// Recording a node again from its own operands finds the node: normal forms and formulas are stable.
TEST(RandomGraphs, RebuildingFindsTheSameNodes) {
  for (std::uint64_t seed = 4000; seed < 4100; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = 60, .wild_tables = true});
    std::vector<Ref> roots = g.function.results;
    for (const Ref& d : gradients(roots[0], g.inputs.floating())) roots.push_back(d);
    for (Node* n : topological(roots)) {
      if (n->kind == Kind::leaf) continue;
      std::vector<Ref> operands;
      for (const Edge& e : n->operands()) operands.emplace_back(e);
      ASSERT_EQ(graph::rebuild(*n, operands)[0].node(), n) << "seed " << seed << ", a " << name_of(n->kind);
    }
  }
}

TEST(RandomGraphs, AreReproducible) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const RandomGraph a = random_graph(seed, {.nodes = 60}), b = random_graph(seed, {.nodes = 60});
    EXPECT_EQ(a.function.results, b.function.results);
    EXPECT_EQ(a.inputs.arrays(), b.inputs.arrays());
  }
}

// The generator reaches every kind of node and every elementwise row, and what it makes has gradients.
TEST(RandomGraphs, CoverTheTables) {
  std::set<std::string> rows;
  std::set<Kind> kinds;
  for (const ElementwiseRow& row : elementwise_rows()) rows.emplace(row.name);
  for (int k = 0; k <= static_cast<int>(Kind::check); ++k) kinds.insert(static_cast<Kind>(k));
  int moving = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = 60});
    for (const Node* n : topological(g.function.results)) {
      kinds.erase(n->kind);
      if (n->kind == Kind::map) rows.erase(n->formula().row);
    }
    bool nonzero = false;
    for (const reference::Array& a : g.inputs.run(gradients(g.function.results[0], g.inputs.floating())))
      nonzero |= std::any_of(a.values.begin(), a.values.end(), [](double v) { return v != 0; });
    moving += nonzero;
  }
  for (const std::string& name : rows) ADD_FAILURE() << name << " never occurs";
  for (Kind k : kinds) ADD_FAILURE() << name_of(k) << " never occurs";
  EXPECT_GT(moving, 350);
}

TEST(RandomGraphs, GiveFunctionsWithInputs) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Function f = random_function(seed, 30);
    for (const reference::Array& a : reference::evaluate(f, random_inputs(f, seed))) EXPECT_EQ(static_cast<std::int64_t>(a.values.size()), a.shape.elements());
  }
}

// A random sum as a node is what the definition says, and its gradients are exact transposes on whole numbers.
TEST(RandomSumNodes, ValueAndGradientsAreExact) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const DirectSum s = random_sum(seed);
    Inputs inputs;
    std::vector<Ref> factors, tables;
    for (std::size_t k = 0; k < s.factors.size(); ++k) {
      std::size_t same = k;  // equal tensors are one node: operands repeat
      for (std::size_t j = 0; j < k; ++j)
        if (s.factors[j].shape == s.factors[k].shape && s.factors[j].values == s.factors[k].values) same = std::min(same, j);
      factors.push_back(same < k ? factors[same] : inputs.add(fmt::format("x{}", k), f64, s.factors[k].shape, s.factors[k].values));
    }
    for (std::size_t t = 0; t < s.tables.size(); ++t) tables.push_back(inputs.add(fmt::format("t{}", t), i32, s.tables[t].shape, s.tables[t].values));
    const Ref y = graph::sum(s.spec, s.shape, factors, tables, f64);
    ASSERT_TRUE(none(differences("value", inputs.run(y), direct_sum(s).values, 0))) << "seed " << seed;
    Random random(seed);
    ASSERT_TRUE(none(check_gradients(inputs, y, random, {.tolerance = 0, .whole = true, .differences = false}))) << "seed " << seed;
  }
}

}  // namespace
}  // namespace cotan::testing
