// Random graphs and random indexed sums as nodes: reverse against forward mode, against differences, second order, exactness on whole numbers.
#include "tests/support/random_graph.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/gradient_checks.h"

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

// The generator is a function of its seed, and reaches every kind and every elementwise row.
TEST(RandomGraphs, AreReproducibleAndCoverTheTables) {
  std::set<std::string> rows;
  std::set<Kind> kinds;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = 60});
    for (const Node* n : topological(g.function.results)) {
      kinds.insert(n->kind);
      if (n->kind == Kind::map) rows.insert(n->formula().row);
    }
    if (seed % 10 == 0) {
      const RandomGraph again = random_graph(seed, {.nodes = 60});
      EXPECT_EQ(again.function.results, g.function.results);
      EXPECT_EQ(again.inputs.arrays(), g.inputs.arrays());
    }
  }
  for (const ElementwiseRow& row : elementwise_rows()) EXPECT_TRUE(rows.contains(std::string(row.name))) << row.name << " never occurs";
  for (Kind k : {Kind::leaf, Kind::map, Kind::sum, Kind::reduce, Kind::scan, Kind::order, Kind::call, Kind::cast, Kind::stop_gradient, Kind::check})
    EXPECT_TRUE(kinds.contains(k)) << name_of(k) << " never occurs";
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
