// Numbers below the smallest normal one are zeros of their sign: whatever a program computes from them it computes from those zeros, to the bit.
#include <gtest/gtest.h>

#include <cfenv>
#include <thread>

#include "autograd/differentiate.h"
#include "graph/subnormals.h"
#include "graph/threads.h"
#include "ops/float_mode.h"
#include "tests/support/elementwise_checks.h"
#include "tests/support/keep_subnormals.h"
#include "tests/support/program_checks.h"

namespace cotan::testing {
namespace {

using reference::Array;

// Every number that is subnormal in its array's type as the zero that it stands for.
std::vector<Array> as_zeros(std::vector<Array> arrays) {
  for (Array& a : arrays)
    for (double& v : a.values)
      if (is_subnormal(a.dtype, v)) v = std::copysign(0.0, v);
  return arrays;
}

// Where two lists of results differ in any bit but the payload of a NaN, subnormal numbers being zeros.
Failures bit_differences(std::string_view what, const std::vector<Array>& some, const std::vector<Array>& others) {
  Failures failures;
  const std::vector<Array> a = as_zeros(some), b = as_zeros(others);
  for (std::size_t r = 0; r < a.size(); ++r)
    for (std::size_t i = 0; i < a[r].values.size(); ++i)
      if (!same_number(a[r].values[i], b[r].values[i], true))
        failures.push_back(fmt::format("{}: result {}, at {}: {} and {}", what, r, i, a[r].values[i], b[r].values[i]));
  return failures;
}

// Both modes of compilation and the reference see the zeros in the place of subnormal inputs.
void expect_zeros_seen(const Function& f, const std::vector<Array>& inputs) {
  const std::vector<Array> zeros = as_zeros(inputs);
  CompileOptions options;
  options.threads = 2;
  EXPECT_TRUE(none(bit_differences("fused", run_compiled(f, inputs, options), run_compiled(f, zeros, options))));
  options.passes = without_fusion();
  EXPECT_TRUE(none(bit_differences("unfused", run_compiled(f, inputs, options), run_compiled(f, zeros, options))));
  EXPECT_TRUE(none(bit_differences("reference", reference::evaluate(f, inputs), reference::evaluate(f, zeros))));
  EXPECT_TRUE(none(bit_differences("exact", reference::evaluate(f, inputs, {.exact = true}), reference::evaluate(f, zeros, {.exact = true}))));
}

// Numbers on both sides of every edge: of both signs, and ones whose bits would round up to a normal number of bf16.
std::vector<double> numbers_of(DType dtype) {
  if (!is_floating(dtype)) return {0, 1};
  const double least = dtype == f64 ? 0x1p-1022 : 0x1p-126, ulp = dtype == f64 ? 0x1p-1074 : dtype == bf16 ? 0x1p-133 : 0x1p-149;
  std::vector<double> numbers{0, ulp, least / 2, least - ulp, least, 3 * least, 0.5, 1, 2.5, INFINITY};
  for (std::size_t i = 0, n = numbers.size(); i < n; ++i) numbers.push_back(-numbers[i]);
  numbers.push_back(NAN);
  return numbers;
}

// All combinations of such numbers, one list for each operand.
std::vector<std::vector<double>> all_combinations(std::span<const DType> types) {
  std::size_t count = 1;
  for (DType t : types) count *= numbers_of(t).size();
  std::vector<std::vector<double>> columns;
  std::size_t turn = 1;
  for (DType t : types) {
    const std::vector<double> numbers = numbers_of(t);
    std::vector<double> column;
    for (std::size_t i = 0; i < count; ++i) column.push_back(numbers[i / turn % numbers.size()]);
    turn *= numbers.size();
    columns.push_back(std::move(column));
  }
  return columns;
}

class SubnormalRows : public ::testing::TestWithParam<std::size_t> {};

TEST_P(SubnormalRows, SeeZeros) {
  const ElementwiseRow& row = elementwise_rows()[GetParam()];
  for (const DType floating : {f32, f64}) {
    SCOPED_TRACE(name_of(floating));
    const std::vector<DType> types = signature_of(row, floating).value();
    std::vector<std::vector<double>> columns = all_combinations(types);
    Inputs inputs;
    std::vector<Ref> operands;
    for (std::size_t k = 0; k < types.size(); ++k) {
      const auto count = static_cast<std::int64_t>(columns[k].size());
      operands.push_back(inputs.add(fmt::format("x{}", k), types[k], {count}, std::move(columns[k])));
    }
    Function f;
    f.parameters = inputs.parameters();
    f.results = {graph::elementwise(static_cast<ElementwiseId>(GetParam()), operands, standard_parameters(row))};
    if (is_floating(f.results[0].dtype()))
      for (const Ref& g : gradients(f.results[0], inputs.floating(), graph::fill(1, floating, f.results[0].shape()))) f.results.push_back(g);
    expect_zeros_seen(f, inputs.arrays());
  }
}

INSTANTIATE_TEST_SUITE_P(All, SubnormalRows, ::testing::Range(std::size_t{0}, elementwise_rows().size()),
                         [](const auto& info) { return std::string(elementwise_rows()[info.param].name); });

class SubnormalCases : public ::testing::TestWithParam<RowTestCase> {};

// Sums, reductions and composites, with every third entry of a floating operand below the smallest normal number.
TEST_P(SubnormalCases, SeeZeros) {
  const RowTestCase& c = GetParam();
  for (const DType dtype : {f32, f64}) {
    Random random(c.name(), 1);
    Inputs inputs;
    std::vector<Ref> operands;
    for (std::size_t k = 0; k < c.operands.size(); ++k) operands.push_back(inputs.add_random(c.names[k], c.operands[k], random, dtype));
    std::vector<Array> arrays = rounded(inputs.arrays());
    for (Array& a : arrays)
      for (std::size_t i = 0; is_floating(a.dtype) && i < a.values.size(); i += 3) a.values[i] *= a.dtype == f64 ? 0x1p-1023 : 0x1p-128;
    arrays = rounded(std::move(arrays));
    const Function f = with_gradients(inputs, c.record(operands), random);
    expect_zeros_seen(f, arrays);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SubnormalCases, ::testing::ValuesIn(row_test_cases()), case_name);

TEST(Subnormals, CastsSeeZeros) {
  for (const DType from : {f32, f64, bf16})
    for (const DType to : {f32, f64, bf16, i32, i64, u8, boolean}) {
      SCOPED_TRACE(fmt::format("{} to {}", name_of(from), name_of(to)));
      const std::vector<double> numbers = numbers_of(from);
      Inputs inputs;
      const Ref x = inputs.add("x", from, {static_cast<std::int64_t>(numbers.size())}, numbers);
      expect_zeros_seen({"", inputs.parameters(), {graph::cast(x, to)}, {}}, inputs.arrays());
    }
}

// What the processor rounds to the smallest normal number stays, what it does not is zero: in programs as in the reference.
TEST(Subnormals, ResultsBelowTheSmallestNormalNumberAreZeros) {
  struct Case {
    double a, b, product;
  };
  const double least = 0x1p-126;
  const std::vector<Case> cases = {{least, 1, least},       {least, -0.5, -0.0},   {-least, 0.5, -0.0},    {3 * least, 0.25, 0},   {3 * least, 0.5, 1.5 * least},
                                   {least / 2, 0x1p100, 0}, {0x1p-149, 0x1p127, 0}, {0x1.fffffcp-127, 1, 0}, {0x1p-100, 0x1p-100, 0}, {0x1p-63, -0x1p-63, -least}};
  Array a{f32, {static_cast<std::int64_t>(cases.size())}, {}}, b = a, want = a;
  for (const Case& c : cases) {
    a.values.push_back(c.a);
    b.values.push_back(c.b);
    want.values.push_back(c.product);
  }
  const Ref x = graph::parameter("x", f32, a.shape), y = graph::parameter("y", f32, a.shape);
  const Function f{"", {x, y}, {graph::mul(x, y)}, {}};
  for (const std::vector<Array>& got : {run_compiled(f, std::vector{a, b}), reference::evaluate(f, std::vector{a, b}),
                                        reference::evaluate(f, std::vector{a, b}, {.exact = true})})
    for (std::size_t i = 0; i < cases.size(); ++i) EXPECT_TRUE(same_number(got[0].values[i], want.values[i], true)) << cases[i].a << " * " << cases[i].b;
}

TEST(Subnormals, AreKeptOnRequest) {
  const Ref x = graph::parameter("x", f32, {2}), y = graph::parameter("y", f64, {2});
  const Function f{"", {x, y}, {graph::mul(x, graph::fill(0.5, f32, {2})), graph::log(y), graph::exp(x)}, {}};
  const std::vector<Array> in{{f32, {2}, {0x1p-126, -100}}, {f64, {2}, {0x1p-1074, 0x1p-1030}}};
  CompileOptions options;
  const auto program = compile_program(f, topological(f.results), options);  // one program for both
  const KeepSubnormals kept;
  const auto expect_kept = [](const std::vector<Array>& got) {
    EXPECT_EQ(got[0].values[0], 0x1p-127);
    EXPECT_NEAR(got[1].values[0], -1074 * std::log(2), 1e-9);
    EXPECT_NEAR(got[2].values[1], 3.783506e-44, 1.5e-45);
  };
  expect_kept(run_compiled(f, in));
  expect_kept(reference::evaluate(f, in, {.flush_subnormals = false}));
  set_flush_subnormals(true);
  const auto flushed = run_compiled(f, in);
  EXPECT_EQ(flushed[0].values[0], 0);
  EXPECT_EQ(flushed[1].values[0], -INFINITY);
  EXPECT_EQ(flushed[2].values[1], 0);
}

// What is folded when a program is made has the bits that the run would give, in either mode.
TEST(Subnormals, ConstantsAreFoldedForBothModes) {
  const auto number = [](double v) { return graph::fill(v, f32, {4}); };
  const Ref tiny = graph::mul(number(1e-20), number(1e-20));
  const Function f{"", {}, {graph::mul(tiny, number(1e20)), graph::cast(graph::lt(number(0), tiny), f32), graph::mul(number(0.5), number(0.25))}, {}};
  const auto expect = [&](double big, double positive) {
    for (const std::string_view passes : {"", "-all", "-fold_constants"}) {
      CompileOptions options;
      options.passes = PassSwitches(passes);
      const auto got = run_compiled(f, {}, options);
      EXPECT_NEAR(got[0].values[3], big, 1e-24) << passes;
      EXPECT_EQ(got[1].values[3], positive) << passes;
      EXPECT_EQ(got[2].values[3], 0.125) << passes;
    }
  };
  expect(0, 0);
  const KeepSubnormals kept;
  expect(1e-20, 1);
}

// A program's mode is its own: the thread's is as it was, also behind an error, and the thread's own one does not reach the program.
TEST(Subnormals, TheCallersModeStaysItsOwn) {
  const Ref x = graph::parameter("x", f32, {1 << 20}), index = graph::parameter("i", i32, {1});
  const Function good{"", {x}, {graph::mul(x, graph::fill(0.5, f32, {1 << 20}))}, {}};
  const Function bad{"", {index}, {graph::check(index, 4, "index")}, {}};
  const std::vector<Array> in{{f32, {1 << 20}, std::vector<double>(1 << 20, 3 * 0x1p-126)}};
  const int rounding = std::fegetround();
  for (const bool flushes : {false, true}) {
    const FloatScope outer(FloatMode::of_programs(flushes));
    std::fesetround(FE_UPWARD);
    const FloatMode before = FloatMode::current();
    for (const int threads : {1, 4}) {
      set_threads(threads);
      EXPECT_EQ(run_compiled(good, in, threads)[0].values.back(), 0x1.8p-126);
      EXPECT_TRUE(FloatMode::current() == before);
      EXPECT_THROW(static_cast<void>(run_compiled(bad, std::vector<Array>{{i32, {1}, {7}}}, threads)), CheckFailed);
      EXPECT_TRUE(FloatMode::current() == before);
    }
    set_threads(0);
    std::fesetround(rounding);
  }
}

}  // namespace
}  // namespace cotan::testing
