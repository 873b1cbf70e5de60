// Whatever prints parses back to the same nodes: every kind, every row of every table.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <limits>

#include "graph/composites/composites.h"
#include "ops/sum_rows.h"
#include "tests/support/row_cases.h"
#include "tests/text/helpers.h"

namespace cotan::text_tests {
namespace {

using namespace formula_language;
using graph::parameter;
using ::testing::HasSubstr;

std::vector<Ref> parameters_for(std::span<const rows::OperandType> types) {
  std::vector<Ref> refs;
  for (std::size_t k = 0; k < types.size(); ++k) refs.push_back(parameter(fmt::format("x{}", k), types[k].dtype, types[k].shape));
  return refs;
}

std::vector<rows::OperandType> types_of(const std::vector<rows::CaseOperand>& operands) {
  std::vector<rows::OperandType> types;
  for (const rows::CaseOperand& o : operands) types.push_back({o.dtype(f32), o.shape});
  return types;
}

TEST(RoundTrip, TheExampleOfTheDocumentation) {
  const Function f = parse_function(R"(
    func step(x: f32[64,784], w: f32[784,128], b: f32[128], t: i32[64]) {
      %0: f32[64,128][n,m] = x[n,k] * w[k,m]
      %1: f32[64,128][n,m] = b[m]                  # broadcast is explicit, always
      %2: f32[64,128] = add(%0, %1)
      %3: f32[64,128] = relu(%2)
      %4: f32[64,128] = call log_softmax(%3) {dim=1}
      %5: f32[64][n] = %4[n,t[n]]                  # pick
      %6: f32[][] = -0.015625 * %5[n]
      return loss=%6, logits=%3
    })");
  EXPECT_EQ(f.name, "step");
  EXPECT_EQ(f.result_names, (std::vector<std::string>{"loss", "logits"}));
  const Ref x = parameter("x", f32, {64, 784}), w = parameter("w", f32, {784, 128}), b = parameter("b", f32, {128});
  EXPECT_TRUE(f.results[1] == graph::relu(graph::add(graph::matmul(x, w), b)));
  const std::string text = round_trip(f);
  EXPECT_THAT(text, HasSubstr("body log_softmax.0(#0: f32[64,128]) {"));
  EXPECT_THAT(text, HasSubstr("call log_softmax(%3) {dim=1} using log_softmax.0"));
  EXPECT_THAT(text, HasSubstr("return loss=%6, logits=%3"));
}

// Bounds of clip may be infinite, and the greatest numbers of nan_to_num are long.
TEST(RoundTrip, ParametersAtTheEndsOfTheRange) {
  const Ref x = parameter("x", f32, {3});
  EXPECT_THAT(round_trip(graph::clip(x, 0)), HasSubstr(") {min=0.0, max=inf}"));
  EXPECT_THAT(round_trip(graph::clip(x, -std::numeric_limits<double>::infinity(), 1)), HasSubstr(") {min=-inf, max=1.0}"));
  EXPECT_THAT(round_trip(graph::nan_to_num(x)), HasSubstr(") {nan=0.0, posinf=1.797"));
}

TEST(RoundTrip, EveryElementwiseRow) {
  for (const ElementwiseRow& row : elementwise_rows()) {
    for (DType dtype : {f32, f64, i32, u8, boolean}) {
      std::vector<Ref> operands;
      for (std::size_t k = 0; k < row.operands.size(); ++k)
        operands.push_back(parameter(fmt::format("x{}", k), row.operands[k] == "condition" ? boolean : dtype, {3, 4}));
      std::vector<double> parameters;
      for (const auto& p : row.parameters) parameters.push_back(p.standard + 0.1);
      Ref r;
      try {
        r = graph::elementwise(static_cast<ElementwiseId>(&row - elementwise_rows().data()), operands, parameters);
      } catch (const Error&) {
        continue;  // the row does not take this type
      }
      EXPECT_THAT(round_trip(r), HasSubstr(fmt::format(" = {}(", row.name)));
    }
  }
}

TEST(RoundTrip, EveryCaseOfEverySumRow) {
  std::size_t cases = 0;
  for (const SumRow& row : sum_rows())
    for (const auto& c : row.cases()) {
      SCOPED_TRACE(row.name);
      const auto types = types_of(c.operands);
      const std::vector<Ref> operands = parameters_for(types);
      round_trip(graph::from_definition(c.define(types), operands));
      ++cases;
    }
  EXPECT_GT(cases, 20u);
}

TEST(RoundTrip, AdjointsOfEverySumRow) {
  for (const SumRow& row : sum_rows())
    for (const auto& c : row.cases()) {
      SCOPED_TRACE(row.name);
      const auto types = types_of(c.operands);
      const std::vector<Ref> operands = parameters_for(types);
      const SumDef def = c.define(types);
      const Ref cotangent = parameter("g", types[0].dtype, def.shape);
      for (std::size_t k = 0; k < def.factors.size(); ++k) {
        std::vector<Ref> factors, tables;
        for (int i : def.factors) factors.push_back(operands[static_cast<std::size_t>(i)]);
        for (int i : def.tables) tables.push_back(operands[static_cast<std::size_t>(i)]);
        const Shape shape = factors[k].shape();
        if (factors[k].dtype() != cotangent.dtype()) continue;
        factors[k] = cotangent;
        round_trip(graph::sum(adjoint(def.spec, k), shape, factors, tables));
      }
    }
}

TEST(RoundTrip, EveryCaseOfEveryReduceRow) {
  for (const ReduceRow& row : reduce_rows())
    for (const auto& c : row.cases()) {
      SCOPED_TRACE(row.name);
      const auto types = types_of(c.operands);
      ReduceSpec spec = c.define(types);
      for (Reduction r : {Reduction::max, Reduction::min, Reduction::argmax, Reduction::argmin, Reduction::amax, Reduction::amin}) {
        spec.reduction = r;
        round_trip(graph::reduce(spec, parameters_for(types)[0]));
      }
    }
}

TEST(RoundTrip, EveryCaseOfEveryComposite) {
  for (const CompositeRow& row : composite_rows())
    for (const CompositeCase& c : row.cases()) {
      SCOPED_TRACE(row.name);
      round_trip(closed(c.record(testing::parameters_of(c.operands))));
    }
}

TEST(RoundTrip, ReducedIndicesInAnotherOrder) {
  const Ref x = parameter("x", f32, {5, 9});
  ReduceSpec spec{Reduction::argmax, {4, 5, 3}, 1, {index_of(1), 2 * index_of(0) + index_of(2) + IndexExpr(-1)}};
  const std::string usual = round_trip(graph::reduce(spec, x));
  EXPECT_THAT(usual, HasSubstr("i32[4,2][i] = argmax x[p,2*i+q-1]; q<3"));
  spec = {Reduction::argmax, {4, 3, 5}, 1, {index_of(2), 2 * index_of(0) + index_of(1) + IndexExpr(-1)}};
  EXPECT_THAT(round_trip(graph::reduce(spec, x)), HasSubstr("argmax[p,q] x[q,2*i+p-1]; p<3"));
  EXPECT_FALSE(parse_function(usual).results[0] == graph::reduce(spec, x));
}

TEST(RoundTrip, SumsWithGuardsSizesTablesAndCoefficients) {
  const Ref x = parameter("x", f32, {8, 16}), t = parameter("t", i32, {8});
  const IndexExpr i = index_of(0), j = index_of(1);
  round_trip(graph::sum({0.1, {8, 5}, {i}, {{i, 3 * j + IndexExpr(2)}}, {{i - j, 4}}}, {8}, std::vector{x}));
  round_trip(graph::sum({-1, {8, 16}, {entry_of(0, {i}), j}, {{i, j}}, {}}, {100, 16}, std::vector{x}, std::vector{t}));
  round_trip(graph::sum({-0.0, {8, 16}, {entry_of(0, {entry_of(0, {i})})}, {{i, j}}, {{entry_of(0, {i}) - j, 3}}}, {8}, std::vector{x}, std::vector{t}));
  round_trip(graph::sum({1, {8, 7}, {i}, {}, {{i - j, 3}}}, {8}, {}, {}, f64));
  round_trip(graph::sum({1, {4, 5}, {i}, {{i, IndexExpr(0)}}, {}}, {4}, std::vector{x}));  // an index that nothing names
  round_trip(graph::sum({std::numeric_limits<double>::infinity(), {8, 16}, {i}, {{i, j}}, {}}, {8}, std::vector{x}));
}

TEST(RoundTrip, TheOtherKinds) {
  const Ref a = parameter("a", f32, {3, 4}), b = parameter("b", f32, {3, 4}), t = parameter("t", i32, {5});
  EXPECT_THAT(round_trip(graph::scan(a, b, 1, true)), HasSubstr("scan(a, b) {axis=1, reverse=true}"));
  EXPECT_THAT(round_trip(graph::order(a, 0, false)), HasSubstr("order(a) {axis=0, descending=false}"));
  EXPECT_THAT(round_trip(graph::check(t, 10, "nothing", "Give some")), HasSubstr(R"(check(t) {below=10, what="nothing", remedy="Give some"})"));
  EXPECT_THAT(round_trip(graph::check(t, 10, "a \"quoted\"\n\x01 name")), HasSubstr(R"(check(t) {below=10, what="a \"quoted\"\n\x01 name"})"));
  EXPECT_THAT(round_trip(graph::cast(a, i32)), HasSubstr("i32[3,4] = cast(a)"));
  EXPECT_THAT(round_trip(graph::stop_gradient(a)), HasSubstr("stop_gradient(a)"));
  EXPECT_THAT(round_trip(graph::mul(a, graph::barrier(a, t))), HasSubstr("f32[3,4] = barrier(a, t)"));
  EXPECT_THAT(round_trip(graph::iota(f64, {2, 3}, 1)), HasSubstr("f64[2,3] = iota() {axis=1}"));
  EXPECT_THAT(round_trip(a), HasSubstr("return a"));
  EXPECT_THAT(round_trip(closed({a, a, b}, {"first", "", "return"})), HasSubstr("return first=a, a, \"return\"=b"));
}

TEST(RoundTrip, CallsOfSeveralResultsAndBodiesInBodies) {
  const Ref a = parameter("a", f32, {3}), b = parameter("b", f32, {3});
  const std::vector<Ref> operands{a, b};
  const auto inner = graph::make_function("inner", operands, [](std::span<const Ref> x) {
    return std::vector{graph::mul(x[0], x[1]), graph::cast(x[0], i32)};
  });
  const auto outer = graph::make_function("outer", operands, [&](std::span<const Ref> x) {
    const auto r = graph::call("pair", {{"size", std::vector<std::int64_t>{1, -2}}, {"rate", 0.5}, {"bias", true}, {"none", Attribute{}}}, x, inner);
    const auto again = graph::call("pair", {{"size", std::vector<std::int64_t>{}}}, x, inner);
    return std::vector{graph::add(r[0], again[0]), r[1]};
  });
  const auto r = graph::call("a name with blanks", {}, operands, outer);
  const std::string text = round_trip(closed({r[1], graph::exp(r[0])}));
  EXPECT_THAT(text, HasSubstr("{size=[1,-2], rate=0.5, bias=true, none=none} using pair.0"));
  EXPECT_THAT(text, HasSubstr("call \"a name with blanks\"(a, b) using body.0"));
  EXPECT_EQ(text.find("body pair.1"), std::string::npos) << "equal bodies print once";
  EXPECT_THAT(text, HasSubstr("%0, %1: f32[3], i32[3] = call"));
}

TEST(RoundTrip, NamesThatAreWordsNumbersOrAnything) {
  std::vector<Ref> all;
  for (const char* name :
       {"max", "return", "var", "nan", "call", "t0", "i", "p", "f32", "exp", "#7", "a b", "", "%1", "7", "encoder.0.weight", "\"", "caf\xc3\xa9", "a\\b"})
    all.push_back(parameter(name, f32, {2}));
  Ref r = all[0];
  for (std::size_t k = 1; k < all.size(); ++k) {
    r = graph::formula({r, all[k]}, [](std::span<const Ex> x) { return exp(x[0]) * exp(x[0]) + x[1]; });
    r = graph::mul(graph::sum({1, {2, 2}, {index_of(0)}, {{index_of(0)}, {index_of(1)}}, {}}, {2}, std::vector{r, all[k]}), all[k]);
  }
  round_trip(r);
}

TEST(RoundTrip, AChainOfTwoHundredThousandNodes) {
  const Ref x = parameter("x", f32, {4});
  Ref r = x;
  const auto one_minus = [](std::span<const Ex> in) { return 1 - in[0]; };
  for (int k = 0; k < 200000; ++k) r = k % 3 == 0 ? graph::add(r, x) : k % 3 == 1 ? graph::sin(r) : graph::formula({r}, one_minus);
  const Function f = closed({r});
  verify(f);
  const Function back = parse_function(to_text(f));
  EXPECT_TRUE(back.results[0] == r);
  EXPECT_GT(to_dot(f).size(), 200000u);
}

TEST(Leaves, OfARecordedProgramBecomeParameters) {
  const Ref w = graph::leaf(LeafRole::variable, "w", f32, {3}, nullptr), data = graph::leaf(LeafRole::data, "", f32, {3}, nullptr);
  const Ref twin = graph::leaf(LeafRole::variable, "w", f32, {3}, nullptr), x = parameter("x", f32, {3}), rate = graph::scalar(0.1, f32);
  const Ref wide = graph::broadcast(rate, {3});
  const Ref r = graph::sub(graph::mul(graph::mul(w, data), graph::add(twin, x)), wide);
  const std::vector<Ref> roots{r};
  std::vector<Ref> leaves;
  const Function f = close_over_leaves(roots, {"y"}, &leaves);
  verify(f);
  EXPECT_EQ(leaves, (std::vector{x, w, data, twin, rate}));
  std::vector<std::string> names;
  for (const Ref& p : f.parameters) names.push_back(p->as<LeafSpec>().name);
  EXPECT_EQ(names, (std::vector<std::string>{"x", "w", "x0", "w_0", "s0"}));

  // The open graph prints as the closed one, with the leaves' roles as remarks.
  const std::string text = to_text({"", {}, roots, {"y"}});
  EXPECT_THAT(text, HasSubstr("func (var w: f32[3], x0: f32[3], var w_0: f32[3], x: f32[3], scalar s0: f32[])"));
  EXPECT_TRUE(parse_function(text).results[0] == f.results[0]);
  round_trip(f);
}

TEST(Leaves, RandomOnesKeepKeyAndCounter) {
  const Ref r = graph::random(18446744073709551615ull, 3, f32, {2, 2});
  const std::string text = to_text(closed({r}));
  EXPECT_THAT(text, HasSubstr("random() {key=18446744073709551615, counter=3}"));
  const Function back = parse_function(text);
  EXPECT_FALSE(back.results[0] == r) << "each random leaf is its own";
  EXPECT_EQ(back.results[0]->as<LeafSpec>().key, 18446744073709551615ull);
  EXPECT_EQ(to_text(back), text);
}

TEST(Dot, ShowsNodesArrowsAndResults) {
  const Function f = parse_function("func f(x: f32[3]) { %0: f32[3] = exp(x) %1: f32[3] = add(%0, x) return \"a \\\"b\\\"\"=%1 }");
  const std::string dot = to_dot(f);
  EXPECT_THAT(dot, HasSubstr("digraph \"f\" {"));
  EXPECT_THAT(dot, HasSubstr("n1 [label=\"%0: f32[3] = exp(x)\""));
  EXPECT_THAT(dot, HasSubstr("n0 -> n1;"));
  EXPECT_THAT(dot, HasSubstr("n1 -> n2;"));
  EXPECT_THAT(dot, HasSubstr("label=\"a \\\"b\\\"\""));
}

}  // namespace
}  // namespace cotan::text_tests
