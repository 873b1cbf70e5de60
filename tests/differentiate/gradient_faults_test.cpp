// Tests of the tests: wrong gradients and wrong derivatives are noticed by the checks that rows and random graphs go through.
#include <gtest/gtest.h>

#include "ops/intern.h"
#include "tests/support/gradient_checks.h"
#include "tests/support/random_graph.h"

namespace cotan::testing {
namespace {

using namespace graph;

// A graph in which every operand is used twice: a matrix product, a mean, a gather and maps.
struct Model {
  Inputs inputs;
  Ref output;

  Model() {
    Random random(1);
    const Ref x = inputs.add_random("x", rows::values({3, 3}), random), w = inputs.add_random("w", rows::values({3, 3}), random);
    const Ref t = inputs.add_random("t", rows::indices({3}, 3), random);
    const Ref h = graph::tanh(matmul(x, w));
    output = add(pick(mul(h, x), t), mean(mul(h, w), {.dim = 0}));
  }
};

Failures failures_with(const Gradients& wrong, bool differences = false) {
  const Model m;
  Random random(2);
  return check_gradients(m.inputs, m.output, random, {.differences = differences}, wrong);
}

// The right gradients, changed.
Gradients but(const std::function<void(std::vector<Ref>&)>& change) {
  return [change](const Ref& y, std::span<const Ref> wrt, const Ref& seed) {
    std::vector<Ref> g = gradients(y, wrt, seed);
    change(g);
    return g;
  };
}

TEST(PlantedGradients, NothingPlanted) { EXPECT_TRUE(none(failures_with(plain_gradients, true))); }
TEST(PlantedGradients, ALostOne) {
  EXPECT_TRUE(caught(failures_with(but([](auto& g) { g[1] = fill(0, f64, g[1].shape()); }))));
}
TEST(PlantedGradients, ExchangedOnes) {
  EXPECT_TRUE(caught(failures_with(but([](auto& g) { std::swap(g[0], g[1]); }))));
}
TEST(PlantedGradients, ATransposedOne) {
  EXPECT_TRUE(caught(failures_with(but([](auto& g) { g[0] = transpose(g[0]); }))));
}
TEST(PlantedGradients, AWrongSign) {
  EXPECT_TRUE(caught(failures_with(but([](auto& g) { g[0] = neg(g[0]); }))));
}
TEST(PlantedGradients, AForgottenFactor) {
  EXPECT_TRUE(caught(failures_with(but([](auto& g) { g[0] = mul(g[0], fill(1 + 1e-6, f64, g[0].shape())); }))));
}
TEST(PlantedGradients, AnIgnoredSeed) {
  EXPECT_TRUE(caught(failures_with([](const Ref& y, std::span<const Ref> wrt, const Ref&) { return gradients(y, wrt); })));
}
TEST(PlantedGradients, OneOfTheWrongShape) {
  EXPECT_TRUE(caught(failures_with(but([](auto& g) { g[0] = graph::sum(g[0], {.dim = 0}); }))));
}
TEST(PlantedGradients, OneThatIsNotANumber) {
  EXPECT_TRUE(caught(failures_with(but([](auto& g) { g[0] = graph::log(fill(-1, f64, g[0].shape())); }))));
}
// The last use overwrites the others instead of being added.
TEST(PlantedGradients, UsesThatAreNotAddedUp) {
  EXPECT_TRUE(caught(failures_with([](const Ref& y, std::span<const Ref> wrt, const Ref& seed) {
    std::vector<Ref> g = gradients(y, wrt, seed);
    for (Ref& r : g)
      if (r->kind == Kind::map && r->operand_count == 2) r = r->operand(0);
    return g;
  })));
}

// exp with a planted derivative: reverse and forward mode agree with each other, and differences with neither.
Failures failures_of_map(const std::function<Ex(std::span<const Ex>)>& derivative, const GradientCheck& options) {
  const DType in[] = {f64}, with_value[] = {f64, f64};
  Formula wrong = *make_formula(
      in, [](std::span<const Ex> x) { return formula_language::exp(x[0]); }, f64);
  wrong.derivatives = {make_formula(with_value, derivative, f64)};
  Inputs inputs;
  Random random(3);
  const Ref x = inputs.add_random("x", rows::values({5}), random);
  return check_gradients(inputs, map(interned(std::move(wrong)), {x}, {5}), random, options);
}

TEST(PlantedDerivativesOfMaps, AreSeenByDifferencesAlone) {
  const auto right = [](std::span<const Ex> x) { return x[1]; };
  const auto wrong = [](std::span<const Ex> x) {
    using namespace formula_language;
    return x[1] * x[0];
  };
  EXPECT_TRUE(none(failures_of_map(right, {})));
  EXPECT_TRUE(none(failures_of_map(wrong, {.differences = false})));
  EXPECT_TRUE(caught(failures_of_map(wrong, {})));
}

// The generator of random graphs is no lenient examiner: a planted fault shows in nearly every graph.
TEST(PlantedGradients, ShowInRandomGraphs) {
  int noticed = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = 40, .smooth = true});
    Random random(seed);
    noticed += static_cast<bool>(caught(check_gradients(g.inputs, g.function.results[0], random, {.differences = false}, but([](auto& all) {
                                                          for (Ref& r : all) r = mul(r, fill(1.001, f64, r.shape()));
                                                        }))));
  }
  EXPECT_GE(noticed, 50);
}

}  // namespace
}  // namespace cotan::testing
