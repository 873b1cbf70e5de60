// Compiled programs against the reference: every case of every row with its gradients, and random graphs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/differentiate.h"
#include "backends/reference/reference.h"
#include "graph/threads.h"
#include "tests/support/close.h"
#include "tests/support/random_graph.h"
#include "tests/support/row_cases.h"
#include "tests/support/run_compiled.h"

namespace cotan::testing {
namespace {

// Inputs as float32 holds them, so that both sides start from the same numbers.
std::vector<reference::Array> rounded(std::vector<reference::Array> arrays) {
  for (reference::Array& a : arrays)
    for (double& v : a.values) v = round_to(a.dtype, v);
  return arrays;
}

Failures compare(const Function& f, const std::vector<reference::Array>& inputs, double tolerance, int threads) {
  const auto expected = reference::evaluate(f, inputs, {.exact = true});
  const auto got = run_compiled(f, inputs, threads);
  Failures failures;
  for (std::size_t r = 0; r < expected.size(); ++r)  // beside values of about one: what cancels leaves rounding errors
    for (std::size_t i = 0; i < expected[r].values.size(); ++i)
      if (!close(got[r].values[i], expected[r].values[i], tolerance))
        failures.push_back(fmt::format("result {} at {} threads, at {}: got {}, expected {}", r, threads, i, got[r].values[i], expected[r].values[i]));
  return failures;
}

// The results, and the gradients of the floating ones by every floating parameter.
Function with_gradients(const Inputs& inputs, std::vector<Ref> results, Random& random) {
  Function f;
  f.parameters = inputs.parameters();
  f.results = results;
  for (const Ref& r : results) {
    if (!is_floating(r.dtype())) continue;
    const Ref weight = graph::fill(random.uniform(0.5, 1.5), r.dtype(), r.shape());
    const Ref outputs[] = {r}, cotangents[] = {graph::mul(weight, graph::sin(r))};
    for (const Ref& g : vjp(outputs, cotangents, inputs.floating()))
      if (g) f.results.push_back(g);
  }
  return f;
}

class RowPrograms : public ::testing::TestWithParam<RowTestCase> {};

TEST_P(RowPrograms, AgreeWithTheReference) {
  const RowTestCase& c = GetParam();
  for (const DType dtype : {f32, f64}) {
    Random random(c.name(), 1);
    Inputs inputs;
    std::vector<Ref> operands;
    for (std::size_t k = 0; k < c.operands.size(); ++k) operands.push_back(inputs.add_random(std::string(c.names[k]), c.operands[k], random, dtype));
    const Function f = with_gradients(inputs, c.record(operands), random);
    for (const int threads : {1, 2, 4}) {
      set_threads(threads);
      EXPECT_TRUE(none(compare(f, rounded(inputs.arrays()), dtype == f32 ? 1e-5 : 1e-12, threads))) << name_of(dtype);
    }
    set_threads(0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowPrograms, ::testing::ValuesIn(row_test_cases()), case_name);

class RandomPrograms : public ::testing::TestWithParam<int> {};

TEST_P(RandomPrograms, AgreeWithTheReference) {
  for (int i = 0; i < 10; ++i) {
    const auto seed = static_cast<std::uint64_t>(GetParam() * 10 + i);
    Random random(seed + 7000);
    const RandomGraph g = random_graph(seed, {.nodes = static_cast<int>(5 + 195 * (seed % 40) / 39)});
    const Function f = with_gradients(g.inputs, g.function.results, random);
    set_threads(1 + static_cast<int>(seed % 4));
    EXPECT_TRUE(none(compare(f, g.inputs.arrays(), 1e-8, threads()))) << "seed " << seed;
    set_threads(0);
  }
}

TEST_P(RandomPrograms, AgreeInFloat32WhereSmooth) {
  for (int i = 0; i < 5; ++i) {
    const auto seed = static_cast<std::uint64_t>(100000 + GetParam() * 5 + i);
    const RandomGraph g = random_graph(seed, {.nodes = 25, .floating = f32, .smooth = true});
    EXPECT_TRUE(none(compare(g.function, rounded(g.inputs.arrays()), 2e-3, 2))) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPrograms, ::testing::Range(0, 20));

TEST(Programs, AFaultIsSeen) {
  const Ref x = graph::parameter("x", f32, {3});
  Function right, wrong;
  right.parameters = wrong.parameters = {x};
  right.results = {graph::exp(x)};
  wrong.results = {graph::add(graph::exp(x), graph::fill(1e-3, f32, {3}))};
  const std::vector<reference::Array> in{{f32, {3}, {0, 1, 2}}};
  const auto expected = reference::evaluate(right, in, {.exact = true});
  EXPECT_TRUE(caught(differences("planted", run_compiled(wrong, in, 1)[0].values, expected[0].values, 1e-5)));
}

}  // namespace
}  // namespace cotan::testing
