// The reference against values computed by hand or by plain C++ in the test.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/reference/reference.h"
#include "graph/builder.h"
#include "ops/philox.h"

namespace cotan::reference {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

Array array(DType dtype, const Shape& shape, std::vector<double> values) { return {dtype, shape, std::move(values)}; }

// f's value on these inputs; its parameters are made for them.
Array value_of(const std::vector<Array>& inputs, const std::function<Ref(std::span<const Ref>)>& f, const Options& options = {}) {
  Function function;
  for (std::size_t k = 0; k < inputs.size(); ++k) function.parameters.push_back(graph::parameter(fmt::format("p{}", k), inputs[k].dtype, inputs[k].shape));
  function.results = {f(function.parameters)};
  return evaluate(function, inputs, options)[0];
}

Ref map_of(std::span<const Ref> x, const std::function<Ex(std::span<const Ex>)>& body) {
  std::vector<DType> types;
  for (const Ref& r : x) types.push_back(r.dtype());
  return graph::map(make_formula(types, body), x, x[0].shape());
}

TEST(Reference, MapsRoundAfterEachAtomUnlessExact) {
  using namespace formula_language;
  const float third = 1.0F / 3.0F;
  const std::vector<Array> in{array(f32, {2}, {third, 5})};
  auto f = [](std::span<const Ref> x) { return map_of(x, [](std::span<const Ex> e) { return e[0] * e[0] * e[0]; }); };
  const float squared = third * third, cubed = squared * third;
  EXPECT_EQ(value_of(in, f).values[0], static_cast<double>(cubed));
  const double wide = third;
  EXPECT_EQ(value_of(in, f, {.exact = true}).values[0], wide * wide * wide);
  EXPECT_EQ(value_of(in, f).values[1], 125);
}

TEST(Reference, InputsAreRoundedUnlessExact) {
  auto same = [](std::span<const Ref> x) { return graph::stop_gradient(x[0]); };
  EXPECT_EQ(value_of({array(f32, {}, {0.1})}, same).values[0], static_cast<double>(0.1F));
  EXPECT_EQ(value_of({array(f32, {}, {0.1})}, same, {.exact = true}).values[0], 0.1);
}

TEST(Reference, LeavesWithoutInputs) {
  auto numbers = value_of({}, [](auto) { return graph::iota(i32, {2, 3}, 1); });
  EXPECT_THAT(numbers.values, ElementsAre(0, 1, 2, 0, 1, 2));
  EXPECT_THAT(value_of({}, [](auto) { return graph::iota(f32, {2, 3}, 0); }).values, ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_THAT(value_of({}, [](auto) { return graph::scalar(0.1, f32); }).values, ElementsAre(static_cast<double>(0.1F)));
  const auto draws = value_of({}, [](auto) { return graph::random(3, 9, f64, {5}); });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(draws.values[static_cast<std::size_t>(i)], philox::uniform(3, 9, i, f64));
}

TEST(Reference, ALeafWithoutAValueIsAFault) {
  Function f;
  f.results = {graph::leaf(LeafRole::data, "d", f32, {2}, nullptr)};
  EXPECT_THROW((void)evaluate(f, {}), InternalError);
  f.parameters = f.results;
  EXPECT_THAT(evaluate(f, std::vector{array(f32, {2}, {1, 2})})[0].values, ElementsAre(1, 2));
  EXPECT_THROW((void)evaluate(f, std::vector{array(f32, {3}, {1, 2, 3})}), InternalError);
}

TEST(Reference, Casts) {
  const std::vector<Array> in{array(f64, {6}, {1.9, -1.9, 300, nan, 0, 1e10})};
  auto to = [&](DType dtype) { return value_of(in, [&](auto x) { return graph::cast(x[0], dtype); }).values; };
  EXPECT_THAT(to(i32), ElementsAre(1, -1, 300, 0, 0, 2147483647));
  EXPECT_THAT(to(u8), ElementsAre(1, 0, 255, 0, 0, 255));
  EXPECT_THAT(to(boolean), ElementsAre(1, 1, 1, 1, 0, 1));
  EXPECT_EQ(to(f32)[0], static_cast<double>(1.9F));
}

Ref matmul(const Ref& a, const Ref& b) {
  SumSpec s;
  s.domain = {a.shape()[0], b.shape()[1], a.shape()[1]};
  s.output = {index_of(0), index_of(1)};
  s.factors = {{index_of(0), index_of(2)}, {index_of(2), index_of(1)}};
  const Ref operands[] = {a, b};
  return graph::sum(s, {a.shape()[0], b.shape()[1]}, operands);
}

TEST(Reference, Matmul) {
  const std::vector<Array> in{array(f32, {2, 3}, {1, 2, 3, 4, 5, 6}), array(f32, {3, 2}, {7, 8, 9, 10, 11, 12})};
  EXPECT_THAT(value_of(in, [](auto x) { return matmul(x[0], x[1]); }).values, ElementsAre(58, 64, 139, 154));
}

TEST(Reference, SumsAccumulateInDoubleAndRoundOnce) {
  SumSpec s;
  s.domain = {3};
  s.factors = {{index_of(0)}};
  const std::vector<Array> in{array(f32, {3}, {1e8, 1, -1e8})};
  auto total = [&](std::span<const Ref> x) { return graph::sum(s, {}, x); };
  EXPECT_THAT(value_of(in, total).values, ElementsAre(1));
  s.coefficient = 0.1;
  EXPECT_EQ(value_of(in, total).values[0], static_cast<double>(0.1F));
  EXPECT_EQ(value_of(in, total, {.exact = true}).values[0], 0.1);
}

TEST(Reference, ConvolutionWithPaddingAndStride) {
  // y[o] = sum over p of x[2*o + p - 1] * w[p], points outside x left out.
  SumSpec s;
  s.domain = {3, 3};
  s.output = {index_of(0)};
  s.factors = {{2 * index_of(0) + index_of(1) - IndexExpr(1)}, {index_of(1)}};
  const std::vector<Array> in{array(f64, {5}, {1, 2, 3, 4, 5}), array(f64, {3}, {10, 100, 1000})};
  auto y = [&](std::span<const Ref> x) { return graph::sum(s, {3}, x); };
  EXPECT_THAT(value_of(in, y).values, ElementsAre(2100, 4320, 540));
}

TEST(Reference, GuardsAndTables) {
  // out[i] = sum over j with 0 <= i - j < 2 of x[t[j]].
  SumSpec s;
  s.domain = {3, 3};
  s.output = {index_of(0)};
  s.factors = {{entry_of(0, {index_of(1)})}};
  s.guards = {{index_of(0) - index_of(1), 2}};
  const std::vector<Array> in{array(f32, {4}, {1, 10, 100, 1000}), array(i32, {3}, {3, 0, 2})};
  EXPECT_THAT(value_of(in, [&](auto x) { return graph::sum(s, {3}, x.first(1), x.subspan(1)); }).values, ElementsAre(1000, 1001, 101));
}

TEST(Reference, ScatterAddsWhereATableSays) {
  SumSpec s;
  s.domain = {4};
  s.output = {entry_of(0, {index_of(0)})};
  s.factors = {{index_of(0)}};
  const std::vector<Array> in{array(f32, {4}, {1, 2, 4, 8}), array(i32, {4}, {2, 0, 2, 2})};
  EXPECT_THAT(value_of(in, [&](auto x) { return graph::sum(s, {3}, x.first(1), x.subspan(1)); }).values, ElementsAre(2, 0, 13));
}

TEST(Reference, ViewsKeepTheSignOfZeroAndPadsArePositive) {
  SumSpec s;
  s.domain = {2};
  s.output = {index_of(0) + IndexExpr(1)};
  s.factors = {{IndexExpr(1) - index_of(0)}};
  s.coefficient = -1;
  const Array y = value_of({array(f32, {2}, {0.0, 5})}, [&](auto x) { return graph::sum(s, {4}, x); });
  EXPECT_THAT(y.values, ElementsAre(0, -5, 0, 0));
  EXPECT_FALSE(std::signbit(y.values[0]));
  EXPECT_TRUE(std::signbit(y.values[2]));
  EXPECT_FALSE(std::signbit(y.values[3]));
}

TEST(Reference, IntegerSumsWrapAndBooleanSumsAreAny) {
  SumSpec s;
  s.domain = {3};
  s.factors = {{index_of(0)}};
  auto total = [&](std::span<const Ref> x) { return graph::sum(s, {}, x); };
  EXPECT_THAT(value_of({array(i32, {3}, {2147483647, 1, 5})}, total).values, ElementsAre(-2147483643.0));
  EXPECT_THAT(value_of({array(u8, {3}, {200, 100, 1})}, total).values, ElementsAre(45));
  EXPECT_THAT(value_of({array(boolean, {3}, {1, 0, 1})}, total).values, ElementsAre(1));
  EXPECT_THAT(value_of({array(boolean, {3}, {0, 0, 0})}, total).values, ElementsAre(0));
}

TEST(Reference, EmptySums) {
  SumSpec s;
  s.domain = {2, 0};
  s.output = {index_of(0)};
  s.factors = {{index_of(0), index_of(1)}};
  EXPECT_THAT(value_of({array(f32, {2, 0}, {})}, [&](auto x) { return graph::sum(s, {2}, x); }).values, ElementsAre(0, 0));
  SumSpec count;
  count.domain = {3, 4};
  count.output = {index_of(0)};
  count.guards = {{index_of(0) - index_of(1), 3}};
  count.coefficient = 0.5;
  EXPECT_THAT(value_of({}, [&](auto) { return graph::sum(count, {3}, {}, {}, f64); }).values, ElementsAre(0.5, 1, 1.5));
}

ReduceSpec over_last(Reduction reduction, std::int64_t rows, std::int64_t columns) { return {reduction, {rows, columns}, 1, {index_of(0), index_of(1)}}; }

TEST(Reference, ExtremesWithNanTiesAndEmptyWindows) {
  const Array x = array(f32, {3, 3}, {1, 7, 7, nan, 9, nan, -inf, -inf, -inf});
  auto reduced = [&](Reduction r) { return value_of({x}, [&](auto in) { return graph::reduce(over_last(r, 3, 3), in[0]); }).values; };
  const auto max = reduced(Reduction::max);
  EXPECT_EQ(max[0], 7);
  EXPECT_TRUE(std::isnan(max[1]));
  EXPECT_EQ(max[2], -inf);
  EXPECT_THAT(reduced(Reduction::argmax), ElementsAre(1, 0, 0));
  EXPECT_THAT(reduced(Reduction::argmin), ElementsAre(0, 0, 0));

  // Windows of two with stride three, shifted out of x at both ends.
  ReduceSpec window{Reduction::max, {3, 2}, 1, {3 * index_of(0) + index_of(1) - IndexExpr(2)}};
  const std::vector<Array> line{array(f32, {4}, {4, 3, 2, 1})};
  EXPECT_THAT(value_of(line, [&](auto in) { return graph::reduce(window, in[0]); }).values, ElementsAre(-inf, 3, -inf));
  window.reduction = Reduction::min;
  EXPECT_THAT(value_of(line, [&](auto in) { return graph::reduce(window, in[0]); }).values, ElementsAre(inf, 2, inf));
  window.reduction = Reduction::argmin;
  EXPECT_THAT(value_of(line, [&](auto in) { return graph::reduce(window, in[0]); }).values, ElementsAre(0, 1, 0));

  window.reduction = Reduction::max;
  EXPECT_EQ(value_of({array(i32, {4}, {4, 3, 2, 1})}, [&](auto in) { return graph::reduce(window, in[0]); }).values[0], -2147483648.0);
  EXPECT_EQ(value_of({array(u8, {4}, {4, 3, 2, 1})}, [&](auto in) { return graph::reduce(window, in[0]); }).values[0], 0);
}

TEST(Reference, ArgmaxOfAWindowNamesBothCoordinates) {
  const ReduceSpec spec{Reduction::argmax, {2, 3}, 0, {index_of(0), index_of(1)}};
  EXPECT_THAT(value_of({array(f32, {2, 3}, {1, 2, 3, 4, 9, 9})}, [&](auto in) { return graph::reduce(spec, in[0]); }).values, ElementsAre(1, 1));
}

TEST(Reference, ScansBothWays) {
  const std::vector<Array> in{array(f64, {2, 3}, {9, 2, 3, 1, 1, 1}), array(f64, {2, 3}, {1, 1, 1, 1, 2, 3})};
  EXPECT_THAT(value_of(in, [](auto x) { return graph::scan(x[0], x[1], 1, false); }).values, ElementsAre(1, 3, 10, 1, 3, 6));
  EXPECT_THAT(value_of(in, [](auto x) { return graph::scan(x[0], x[1], 1, true); }).values, ElementsAre(28, 3, 1, 6, 5, 3));
  EXPECT_THAT(value_of(in, [](auto x) { return graph::scan(x[0], x[1], 0, false); }).values, ElementsAre(1, 1, 1, 2, 3, 4));
}

TEST(Reference, OrderIsStableWithNanLargest) {
  const std::vector<Array> in{array(f32, {6}, {3, nan, 1, 3, -inf, 1})};
  EXPECT_THAT(value_of(in, [](auto x) { return graph::order(x[0], 0, false); }).values, ElementsAre(4, 2, 5, 0, 3, 1));
  EXPECT_THAT(value_of(in, [](auto x) { return graph::order(x[0], 0, true); }).values, ElementsAre(1, 0, 3, 2, 5, 4));
}

TEST(Reference, ChecksNameTheBadEntry) {
  const std::vector<Array> in{array(i32, {2, 3}, {0, 9, 2, 3, 10, -1})};
  try {
    (void)value_of(in, [](auto x) { return graph::check(x[0], 10, "target"); });
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.problem(), HasSubstr("target 10 at position 4 is outside 0..9"));
    EXPECT_THAT(e.remedy(), HasSubstr("stay below"));
  }
  EXPECT_EQ(value_of({array(i32, {2}, {0, 9})}, [](auto x) { return graph::check(x[0], 10, "target"); }).values[1], 9);
}

TEST(Reference, ChecksMaySayWhatIsWrongInTheirOwnWords) {
  try {
    (void)value_of({array(i32, {}, {-1})}, [](auto x) { return graph::check(x[0], 10, "nothing to count", "Give something"); });
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.problem(), "nothing to count");
    EXPECT_EQ(e.remedy(), "Give something");
  }
}

TEST(Reference, CallsRunTheirBodies) {
  const std::vector<Array> in{array(f32, {2}, {2, 3}), array(f32, {2}, {10, 20})};
  Function f;
  for (std::size_t k = 0; k < 2; ++k) f.parameters.push_back(graph::parameter(fmt::format("p{}", k), f32, {2}));
  const auto body = graph::make_function("both", f.parameters, [](std::span<const Ref> x) {
    using namespace formula_language;
    return std::vector<Ref>{map_of(x, [](std::span<const Ex> e) { return e[0] + e[1]; }), map_of(x, [](std::span<const Ex> e) { return e[0] * e[1]; })};
  });
  f.results = graph::call("both", {}, f.parameters, body);
  const auto results = evaluate(f, in);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_THAT(results[0].values, ElementsAre(12, 23));
  EXPECT_THAT(results[1].values, ElementsAre(20, 60));
}

TEST(Reference, LongChainsNeitherRecurseNorPileUp) {
  using namespace formula_language;
  const std::vector<Array> in{array(f64, {}, {0})};
  const Array y = value_of(in, [](std::span<const Ref> x) {
    Ref r = x[0];
    for (int i = 0; i < 200000; ++i) r = map_of(std::span(&r, 1), [](std::span<const Ex> e) { return e[0] + 1; });
    return r;
  });
  EXPECT_EQ(y.values[0], 200000);
}

TEST(Reference, BuffersWithStrides) {
  const std::vector<float> data{1, 2, 3, 4, 5, 6};
  const View backwards{f32, {2, 3}, {1, -2}, 0};
  const Array a = from_buffer(data.data() + 4, backwards);
  EXPECT_THAT(a.values, ElementsAre(5, 3, 1, 6, 4, 2));
  std::vector<float> copy(6, 0.0F);
  to_buffer(a, copy.data() + 4, backwards);
  EXPECT_EQ(copy, data);
  std::vector<std::uint8_t> bytes(2);
  to_buffer(array(f64, {2}, {300, -4}), bytes.data(), View::dense(u8, {2}));
  EXPECT_EQ(bytes[0], 255);
  EXPECT_EQ(bytes[1], 0);
}

}  // namespace
}  // namespace cotan::reference
