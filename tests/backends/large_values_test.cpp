// Entries that are large beside what they differ by, and entries whose squares a type does not hold: statistics, norms and normalised values in float32 against
// what they are, compiled with fusions and without, and on the reference.
#include <gtest/gtest.h>

#include <cmath>

#include "graph/composites/composites.h"
#include "graph/threads.h"
#include "tests/support/program_checks.h"

namespace cotan::testing {
namespace {

struct LargeCase {
  const char* name;
  std::function<std::vector<Ref>(std::span<const Ref>)> record;
  Shape shape;
  std::vector<double> x;
  std::vector<std::vector<double>> expected;  // of each result
};
void PrintTo(const LargeCase& c, std::ostream* os) { *os << c.name; }

// Rows of {1e7, 1e7 + 1, ...}: means end in a half, which float32 does not hold there.
std::vector<double> alternating(std::int64_t count) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < count; ++i) v.push_back(1e7 + static_cast<double>(i % 2));
  return v;
}
// What normalising them gives.
std::vector<double> plus_and_minus(std::int64_t count, double size) {
  std::vector<double> v;
  for (std::int64_t i = 0; i < count; ++i) v.push_back(i % 2 == 0 ? -size : size);
  return v;
}
std::vector<double> repeated(double value, std::size_t count) { return std::vector<double>(count, value); }

constexpr double eps = 1e-5;
const double normal = 0.5 / std::sqrt(0.25 + eps);

std::vector<LargeCase> large_cases() {
  using In = std::span<const Ref>;
  const std::vector<double> rows = alternating(8);
  return {
      {"var", [](In in) { return std::vector<Ref>{graph::var(in[0], {.dim = 1, .correction = 0})}; }, {4, 2}, rows, {repeated(0.25, 4)}},
      {"var_unbiased", [](In in) { return std::vector<Ref>{graph::var(in[0], {.dim = 1})}; }, {4, 2}, rows, {repeated(0.5, 4)}},
      {"std", [](In in) { return std::vector<Ref>{graph::std(in[0], {.dim = 1, .correction = 0})}; }, {4, 2}, rows, {repeated(0.5, 4)}},
      {"var_mean", [](In in) { return graph::var_mean_results(in, {.dim = 1, .correction = 0}); }, {4, 2}, rows, {repeated(0.25, 4), repeated(1e7, 4)}},
      {"var_of_equals", [](In in) { return std::vector<Ref>{graph::std(in[0], {.dim = 1})}; }, {1, 7}, repeated(16777217.0 / 3, 7), {{0}}},
      {"layer_norm", [](In in) { return std::vector<Ref>{graph::layer_norm(in[0], {}, {})}; }, {4, 2}, rows, {plus_and_minus(8, normal)}},
      {"layer_norm_wide",
       [](In in) { return std::vector<Ref>{graph::layer_norm(in[0], {}, {})}; },
       {64, 96},
       alternating(6144),
       {plus_and_minus(6144, normal)}},
      {"batch_norm",
       [](In in) { return graph::batch_norm_training_results(std::array{in[0], Ref(), Ref()}, {}); },
       {2, 2, 2},
       rows,
       {plus_and_minus(8, normal), repeated(1e7, 2), repeated(0.25, 2)}},
      {"batch_norm_wide",
       [](In in) { return graph::batch_norm_training_results(std::array{in[0], Ref(), Ref()}, {}); },
       {8, 40, 64},
       alternating(20480),
       {plus_and_minus(20480, normal), repeated(1e7, 40), repeated(0.25, 40)}},
      {"group_norm",
       [](In in) { return std::vector<Ref>{graph::group_norm(in[0], {}, {}, {.num_groups = 2})}; },
       {2, 2, 2},
       rows,
       {plus_and_minus(8, normal)}},
      {"instance_norm", [](In in) { return std::vector<Ref>{graph::instance_norm(in[0], {}, {}, {}, {})}; }, {2, 2, 2}, rows,
       {plus_and_minus(8, normal)}},
      {"norm", [](In in) { return std::vector<Ref>{graph::norm(in[0], {.dim = 1})}; }, {3, 2}, {3e25, 4e25, 3e-25, 4e-25, 3, 4}, {{5e25, 5e-25, 5}}},
      {"norm_of_three", [](In in) { return std::vector<Ref>{graph::norm(in[0], {.p = 3, .dim = 1})}; }, {2, 2}, {1e25, 1e25, 1e-25, 1e-25},
       {{1e25 * std::cbrt(2.0), 1e-25 * std::cbrt(2.0)}}},
      {"vector_norm", [](In in) { return std::vector<Ref>{graph::vector_norm(in[0])}; }, {2, 2}, {1e30, 1e30, 1e30, 1e30}, {{2e30}}},
      {"cosine_similarity",
       [](In in) { return std::vector<Ref>{graph::cosine_similarity(in[0], in[0])}; },
       {3, 2},
       {3e25, 4e25, 3e-3, 4e-3, 1e15, 2e15},
       {{1, 1, 1}}},
      {"norm_of_zeros", [](In in) { return std::vector<Ref>{graph::norm(in[0])}; }, {2}, {0, 0}, {{0}}},
      {"norm_of_infinity", [](In in) { return std::vector<Ref>{graph::norm(in[0])}; }, {2}, {1, INFINITY}, {{INFINITY}}},
      {"norm_of_nan", [](In in) { return std::vector<Ref>{graph::norm(in[0])}; }, {2}, {1e30, NAN}, {{NAN}}},
  };
}

class LargeValues : public ::testing::TestWithParam<LargeCase> {
 protected:
  static void expect(std::string_view what, const std::vector<reference::Array>& got, const std::vector<std::vector<double>>& expected) {
    for (std::size_t r = 0; r < expected.size(); ++r) {
      ASSERT_EQ(got[r].values.size(), expected[r].size());
      for (std::size_t i = 0; i < expected[r].size(); ++i)
        ASSERT_TRUE(close(got[r].values[i], expected[r][i], 2e-6, 0))
            << what << ", result " << r << " at " << i << ": " << got[r].values[i] << " for " << expected[r][i];
    }
  }
};

TEST_P(LargeValues, AreExactToARounding) {
  const LargeCase& c = GetParam();
  Inputs inputs;
  Function f;
  const Ref x = inputs.add("x", f32, c.shape, c.x);
  f.parameters = {x};
  f.results = c.record(std::array{x});
  const auto in = rounded(inputs.arrays());
  expect("reference", reference::evaluate(f, in), c.expected);
  for (const int threads : {1, 3}) {
    CompileOptions options;
    options.threads = threads;
    expect("fused", run_compiled(f, in, options), c.expected);
    options.passes = without_fusion();
    expect("unfused", run_compiled(f, in, options), c.expected);
  }
}

INSTANTIATE_TEST_SUITE_P(All, LargeValues, ::testing::ValuesIn(large_cases()), [](const auto& info) { return info.param.name; });

// Gradients of what normalises such entries against the reference in float64, which reads the same entries.
TEST(LargeValuesInNorms, HaveTheGradientsOfTheReference) {
  using In = std::span<const Ref>;
  const std::vector<std::pair<std::string, std::function<Ref(In)>>> norms = {
      {"layer_norm", [](In in) { return graph::layer_norm(in[0], in[1], in[2]); }},
      {"layer_norm without weights", [](In in) { return graph::layer_norm(in[0], {}, {}); }},
      {"batch_norm", [](In in) { return graph::batch_norm_training(in[0], in[3], in[4]).y; }},
      {"group_norm", [](In in) { return graph::group_norm(in[0], in[3], in[4], {.num_groups = 2}); }},
      {"var", [](In in) { return graph::var(in[0], {.dim = 2}); }},
  };
  for (const auto& [name, record] : norms) {
    SCOPED_TRACE(name);
    Random random(name, 3);
    Inputs inputs;
    const Shape shape{6, 20, 64};
    std::vector<double> x = alternating(shape.elements());
    for (std::size_t i = 0; i < x.size(); i += 3) x[i] += 2;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (i / 64 % 20 < 10) x[i] = random.uniform(-1, 1);  // half of the channels are ordinary
    std::vector<Ref> in{inputs.add("x", f32, shape, x)};
    for (const auto& [parameter, size] : {std::pair("w", 64), {"b", 64}, {"v", 20}, {"c", 20}})
      in.push_back(inputs.add(parameter, f32, {size}, random_values(random, size)));
    Function f;
    f.parameters = in;
    const Ref y = record(in), seed = inputs.add("g", f32, y.shape(), random_values(random, y.shape().elements()));
    f.parameters.push_back(seed);
    for (const Ref& g : vjp(std::span(&y, 1), std::span(&seed, 1), in))
      if (g) f.results.push_back(g);
    EXPECT_TRUE(none(compare_three(f, rounded(inputs.arrays()), {1e-4, 1e-4}, 2)));
  }
}

}  // namespace
}  // namespace cotan::testing
