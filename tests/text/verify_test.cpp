// The verifier accepts what the builder makes and names what nobody may make.
#include <gmock/gmock.h>

#include <thread>

#include "graph/composites/composites.h"
#include "ops/intern.h"
#include "tests/support/row_cases.h"
#include "tests/text/helpers.h"

namespace cotan::text_tests {
namespace {

using graph::parameter;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Past the builder and its checks, as a faulty pass would.
template <class Spec>
Ref raw(Kind kind, const ResultType& type, Spec spec, std::initializer_list<Ref> operands) {
  auto shared = std::make_shared<const Spec>(std::move(spec));
  const std::uint64_t h = shared->hash();
  return NodeTable::current().make(kind, type, h, std::move(shared), std::span(operands.begin(), operands.size()));
}

// The fault that verify finds in the function of this result and these parameters.
std::string fault(const Ref& r, std::vector<Ref> parameters) {
  try {
    verify({"f", std::move(parameters), {r}, {}});
  } catch (const InternalError& e) {
    return e.what();
  }
  ADD_FAILURE() << "no fault in\n" << to_text({"f", {}, {r}, {}});
  return "";
}

const Ref& x() {
  static thread_local const Ref r = parameter("x", f32, {3});
  return r;
}

TEST(Verify, ShowsTheNeighbourhood) {
  const Ref a = graph::exp(x());
  const Ref bad = raw(Kind::check, {f32, {3}}, CheckSpec{3, "t"}, {a});
  const Ref reader = graph::add(bad, x());
  EXPECT_THAT(fault(graph::sin(reader), {x()}),
              AllOf(HasSubstr("verify: a check of values that are not integers, in the function f:"),
                    HasSubstr("\n    %0: f32[3] = exp(x)\n  > %1: f32[3] = check(%0)"), HasSubstr("\n    %2: f32[3] = add(%1, x)")));
}

TEST(Verify, OperandsOfEveryKind) {
  const Ref y = parameter("y", f32, {4}), t = parameter("t", i32, {3});
  EXPECT_THAT(fault(raw(Kind::scan, {f32, {3}}, ScanSpec{0, false}, {x(), y}), {x(), y}), HasSubstr("the operands of a scan differ in type"));
  EXPECT_THAT(fault(raw(Kind::scan, {f32, {3}}, ScanSpec{1, false}, {x(), x()}), {x()}), HasSubstr("axis 1 of a scan of rank 1"));
  EXPECT_THAT(fault(raw(Kind::order, {f32, {3}}, OrderSpec{0, false}, {x()}), {x()}), HasSubstr("order gives f32 instead of i32"));
  EXPECT_THAT(fault(raw(Kind::check, {i32, {4}}, CheckSpec{3, "t"}, {t}), {t}), HasSubstr("check of another shape than its operand"));
  EXPECT_THAT(fault(NodeTable::current().make(Kind::cast, {f32, {3}}, 0, nullptr, std::vector{x()}), {x()}),
              HasSubstr("a cast to the type that its operand has"));
  EXPECT_THAT(fault(NodeTable::current().make(Kind::stop_gradient, {f64, {3}}, 0, nullptr, std::vector{x()}), {x()}), HasSubstr("stop_gradient gives f64"));
  EXPECT_THAT(fault(NodeTable::current().make(Kind::barrier, {f32, {3}}, 0, nullptr, std::vector{x()}), {x()}),
              HasSubstr("barrier with 1 operands instead of 2"));
  EXPECT_THAT(fault(NodeTable::current().make(Kind::barrier, {f32, {4}}, 0, nullptr, std::vector{x(), y}), {x(), y}),
              HasSubstr("a barrier of another type than its operand"));
  EXPECT_THAT(fault(NodeTable::current().make(Kind::order, {i32, {3}}, 0, nullptr, std::vector{x()}), {x()}), HasSubstr("a order without a specification"));
}

TEST(Verify, Maps) {
  const Ref y = parameter("y", f32, {4}), z = parameter("z", f32, {3}), d = parameter("d", f64, {3});
  const FormulaRef sum = make_formula({f32, f32}, [](std::span<const Ex> in) { return formula_language::add(in[0], in[1]); });
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, *sum, {x()}), {x()}), HasSubstr("map with 1 operands instead of 2"));
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, *sum, {x(), y}), {x(), y}), HasSubstr("operand 1 has shape (4,), the map (3,)"));
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, *sum, {x(), d}), {x(), d}), HasSubstr("operand 1 is f64, the formula takes f32"));
  EXPECT_THAT(fault(raw(Kind::map, {f64, {3}}, *sum, {x(), z}), {x(), z}), HasSubstr("a map of type f64 whose formula gives f32"));
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, *sum, {x(), x()}), {x()}), HasSubstr("the same operand twice"));
  Formula f = *sum;
  f.row = "mul";
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, f, {x(), z}), {x(), z}), HasSubstr("a formula named 'mul' that is not the row's"));
  f.row = "no_such";
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, f, {x(), z}), {x(), z}), HasSubstr("the row 'no_such', which there is not"));
  f = *sum;
  f.nodes.back().b = 2;
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, f, {x(), z}), {x(), z}), HasSubstr("names a later or no node"));
  f = *sum;
  f.nodes.back().dtype = boolean;
  EXPECT_THAT(fault(raw(Kind::map, {boolean, {3}}, f, {x(), z}), {x(), z}), HasSubstr("has the wrong type"));
  f = *sum;
  f.nodes.push_back({Atom::constant, f32, -1, -1, -1, 1});
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, f, {x(), z}), {x(), z}), HasSubstr("is not needed"));
  f.nodes.back().literal = 0.1;
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, f, {x(), z}), {x(), z}), HasSubstr("f32 cannot hold"));
  f.nodes.clear();
  EXPECT_THAT(fault(raw(Kind::map, {f32, {3}}, f, {x(), z}), {x(), z}), HasSubstr("an empty formula"));
}

TEST(Verify, SumsAndReductions) {
  const Ref y = parameter("y", f32, {3, 4}), t = parameter("t", i32, {3});
  const IndexExpr i = index_of(0), j = index_of(1);
  EXPECT_THAT(fault(raw(Kind::sum, {f32, {3}}, SumSpec{1, {3, 4}, {i}, {{i}}, {}}, {y}), {y}),
              HasSubstr("factor 0 of a sum has 1 index expressions for shape (3, 4)"));
  EXPECT_THAT(fault(raw(Kind::sum, {f32, {3}}, SumSpec{1, {3}, {i}, {{i, j}}, {}}, {y}), {y}), HasSubstr("index 1 of a domain of 1"));
  EXPECT_THAT(fault(raw(Kind::sum, {f32, {4}}, SumSpec{1, {3, 4}, {j}, {{i, j}}, {}}, {y}), {y}), HasSubstr("not in normal form"));
  EXPECT_THAT(fault(raw(Kind::sum, {f32, {3}}, SumSpec{1, {3, 4}, {i}, {{i, j}}, {{i, 3}}}, {y}), {y}), HasSubstr("not in normal form"));
  EXPECT_THAT(fault(raw(Kind::sum, {f32, {3}}, SumSpec{1, {3, 4}, {i}, {{i, j}}, {}}, {y, t}), {y, t}), HasSubstr("a table that the sum does not read"));
  EXPECT_THAT(fault(raw(Kind::sum, {f32, {3}}, SumSpec{1, {3}, {i}, {{i, entry_of(0, {i})}}, {}}, {y, x()}), {y, x()}), HasSubstr("table 0 of a sum is f32"));
  EXPECT_THAT(fault(raw(Kind::sum, {f32, {3}}, SumSpec{1, {3}, {i}, {{i, entry_of(1, {i})}}, {}}, {y, t}), {y, t}), HasSubstr("table 1 of 1"));
  EXPECT_THAT(fault(raw(Kind::sum, {f64, {3}}, SumSpec{1, {3, 4}, {i}, {{i, j}}, {}}, {y}), {y}), HasSubstr("factor 0 of a sum of f64 is f32"));
  EXPECT_THAT(fault(raw(Kind::reduce, {f32, {3}}, ReduceSpec{Reduction::max, {4, 4}, 1, {i, j}}, {y}), {y}),
              HasSubstr("a reduction of shape (3,) whose domain gives (4,)"));
  EXPECT_THAT(fault(raw(Kind::reduce, {f32, {3}}, ReduceSpec{Reduction::argmax, {3, 4}, 1, {i, j}}, {y}), {y}), HasSubstr("a reduction of f32 gives f32"));
  EXPECT_THAT(fault(raw(Kind::reduce, {f32, {3}}, ReduceSpec{Reduction::max, {3}, 1, {i, entry_of(0, {i})}}, {y}), {y}), HasSubstr("table 0 of 0"));
}

TEST(Verify, CallsAndTheirBodies) {
  const Ref z = parameter("z", f32, {4});
  const auto body = graph::make_function("b", std::vector{x()}, [](std::span<const Ref> in) { return std::vector{graph::exp(in[0])}; });
  EXPECT_THAT(fault(raw(Kind::call, {f32, {3}}, CallSpec{"c", {}, body, {{f32, {3}}}}, {z}), {z}), HasSubstr("operand 0 of a call of c does not fit the body"));
  EXPECT_THAT(fault(raw(Kind::call, {f64, {3}}, CallSpec{"c", {}, body, {{f64, {3}}}}, {x()}), {x()}), HasSubstr("result 0 of a call of c has another type"));
  const auto open = graph::make_function("open", std::vector{x()}, [&](std::span<const Ref>) { return std::vector{graph::exp(x())}; });
  EXPECT_THAT(fault(graph::call("c", {}, std::vector{x()}, open)[0], {x()}), HasSubstr("a parameter that the function does not list, in the body open"));
  const Ref cell = graph::leaf(LeafRole::variable, "w", f32, {3}, nullptr);
  const auto leaky = graph::make_function("leaky", std::vector{x()}, [&](std::span<const Ref> in) { return std::vector{graph::add(in[0], cell)}; });
  EXPECT_THAT(fault(graph::call("c", {}, std::vector{x()}, leaky)[0], {x()}), HasSubstr("a body that reads a leaf beside its parameters"));
}

TEST(Verify, Functions) {
  EXPECT_THAT(fault(graph::exp(x()), {}), HasSubstr("a parameter that the function does not list"));
  EXPECT_THAT(fault(graph::exp(x()), {x(), x()}), HasSubstr("a parameter stands twice"));
  EXPECT_THAT(fault(graph::exp(x()), {x(), graph::exp(x())}), HasSubstr("a parameter is not a leaf"));
  EXPECT_THAT(fault(Ref(graph::exp(x()).node(), 1), {x()}), HasSubstr("the function returns result 1, there are 1"));
  Ref foreign;
  std::thread([&] { foreign = graph::fill(1, f32, {3}); }).join();
  EXPECT_THAT(fault(foreign, {}), HasSubstr("a node of another thread"));
}

TEST(Verify, AcceptsEveryComposite) {
  for (const CompositeRow& row : composite_rows())
    for (const CompositeCase& c : row.cases()) {
      EXPECT_NO_THROW(verify(closed(c.record(testing::parameters_of(c.operands))))) << row.name;
    }
}

}  // namespace
}  // namespace cotan::text_tests
