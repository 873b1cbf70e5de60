// Building nodes: what is merged, what is made explicit, what is refused.
#include "graph/builder.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "graph/composites/composites.h"
#include "ops/error.h"
#include "tests/support/inputs.h"

namespace cotan::testing {
namespace {

using namespace graph;

// The error that f throws, as "problem / remedy".
std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_FALSE(e.remedy().empty()) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Maps, NameEachOperandOnceAndOnlyThoseTheyRead) {
  const Ref x = parameter("x", f32, {3}), y = parameter("y", f32, {3});
  const Ref twice = formula({x, y, x}, [](auto in) { return formula_language::operator*(in[0], in[2]); });
  ASSERT_EQ(twice->operand_count, 1u);
  EXPECT_EQ(twice->operand(0), x);
  EXPECT_EQ(twice, formula({x}, [](auto in) { return formula_language::operator*(in[0], in[0]); }));
  EXPECT_EQ(formula({x, y}, [](auto in) { return in[1]; }), y) << "a formula that is one operand is that operand";
  EXPECT_EQ(add(x, x)->operand_count, 2u) << "a row keeps its operands as they are";
}

// Positions are i32: what has more entries than these count is refused where it is recorded, with its number.
TEST(Positions, AreRefusedWhereI32DoesNotCountThem) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  const Ref line = parameter("line", DType::u8, {most + 17}), square = parameter("square", DType::u8, {3, 65536, 65536}), fits = parameter("fits", DType::u8, {most});
  const auto refused = [](const std::function<Ref()>& f, std::string_view entries) {
    const std::string message = error_of([&] { static_cast<void>(f()); });
    EXPECT_TRUE(contains(message, entries)) << message;
    EXPECT_TRUE(contains(message, "i32")) << message;
  };
  refused([&] { return argmax(line, {}); }, "2147483664 entries");
  refused([&] { return argmin(line, {}); }, "2147483664 entries");
  refused([&] { return argmax(square, {}); }, "12884901888 entries");
  refused([&] { return max_with_indices(line, {.dim = 0}).indices; }, "2147483664 entries");
  refused([&] { return order(line, 0, false); }, "2147483664 entries");
  EXPECT_EQ(argmax(fits, {}).dtype(), DType::i32);
  EXPECT_EQ(argmax(square, {.dim = 1}).shape(), (Shape{3, 65536})) << "each result has its own entries";
  EXPECT_EQ(order(square, 0, true).shape(), square.shape());
  EXPECT_EQ(graph::max(line, {}).dtype(), DType::u8) << "a value needs no position";
}

TEST(Maps, FoldWhatIsExactAndNothingElse) {
  using namespace formula_language;
  const Ref x = parameter("x", f32, {3});
  EXPECT_EQ(formula({x}, [](auto in) { return 1 * in[0]; }), x);
  EXPECT_EQ(formula({x}, [](auto in) { return -(-in[0]); }), x);
  EXPECT_EQ(formula({x}, [](auto in) { return cotan::where(in[0] > 0, in[0], in[0]); }), x);
  EXPECT_EQ(formula({x}, [](auto in) { return in[0] * 0; })->operand_count, 1u) << "0 * x is NaN where x is";
  EXPECT_EQ(formula({x}, [](auto in) { return in[0] / in[0]; })->operand_count, 1u) << "x / x is NaN at 0";
  EXPECT_EQ(formula({x}, [](auto in) { return in[0] + 0; })->operand_count, 1u) << "-0 + 0 is 0";
}

TEST(Broadcasts, AreNodes) {
  const Ref x = parameter("x", f32, {3, 1}), y = parameter("y", f32, {4});
  const Ref z = add(x, y);
  EXPECT_EQ(z.shape(), (Shape{3, 4}));
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(z->operand(k)->kind, Kind::sum);
    EXPECT_EQ(z->operand(k).shape(), z.shape());
  }
  EXPECT_EQ(z->operand(0), broadcast_to(x, {.size = {3, 4}}));
  EXPECT_EQ(broadcast(x, {3, 1}), x);
  EXPECT_EQ(fill(2, f32, {3})->operand_count, 0u);
}

TEST(Casts, ToTheSameTypeAreNothing) {
  const Ref x = parameter("x", f32, {3});
  EXPECT_EQ(cast(x, f32), x);
  EXPECT_EQ(cast(x, f64).dtype(), f64);
  EXPECT_EQ(cast(cast(x, f64), f32)->kind, Kind::cast) << "a way over another type is kept: it may round";
}

TEST(Sums, DoNotDependOnTheOrderOfTheirFactors) {
  const Ref x = parameter("x", f32, {3, 4}), y = parameter("y", f32, {4, 5});
  SumSpec forward, backward;
  forward.domain = {3, 5, 4};
  forward.output = {index_of(0), index_of(1)};
  forward.factors = {{index_of(0), index_of(2)}, {index_of(2), index_of(1)}};
  backward.domain = {4, 5, 3};
  backward.output = {index_of(2), index_of(1)};
  backward.factors = {{index_of(0), index_of(1)}, {index_of(2), index_of(0)}};
  const Ref xy[] = {x, y}, yx[] = {y, x};
  EXPECT_EQ(graph::sum(forward, {3, 5}, xy), graph::sum(backward, {3, 5}, yx));
  EXPECT_EQ(graph::sum(forward, {3, 5}, xy), matmul(x, y));
}

TEST(Sums, MergeEqualTables) {
  const Ref x = parameter("x", f32, {4, 4}), t = parameter("t", i32, {3});
  SumSpec s;
  s.domain = {3};
  s.output = {index_of(0)};
  s.factors = {{entry_of(0, {index_of(0)}), entry_of(1, {index_of(0)})}};
  const Ref factors[] = {x}, tables[] = {t, t};
  const Ref y = graph::sum(s, {3}, factors, tables);
  EXPECT_EQ(y->operand_count, 2u);
}

TEST(Sums, WithoutFactorsHaveTheTypeAskedFor) {
  Inputs inputs;
  SumSpec count;  // how many (i, j) have i + j < 3
  count.domain = {3, 4};
  count.guards = {{index_of(0) + index_of(1), 3}};
  const Ref n = graph::sum(count, {}, {}, {}, f64);
  EXPECT_EQ(n.dtype(), f64);
  EXPECT_EQ(inputs.run(n), std::vector<double>{6});
}

TEST(Rows, CheckTheirIndices) {
  Inputs inputs;
  const Ref x = inputs.add("x", f32, {2, 3}, {1, 2, 3, 4, 5, 6});
  const Ref good = inputs.add("good", i32, {2}, {2, 0}), bad = inputs.add("bad", i32, {2}, {0, 3});
  EXPECT_EQ(inputs.run(pick(x, good)), (std::vector<double>{3, 4}));
  const std::string text = error_of([&] { static_cast<void>(inputs.run(pick(x, bad))); });
  EXPECT_TRUE(contains(text, "3")) << text;
  const Ref y = pick(x, good);
  ASSERT_EQ(y->operand_count, 2u);
  EXPECT_EQ(y->operand(1)->kind, Kind::check);
  EXPECT_EQ(y->operand(1)->as<CheckSpec>().below, 3);
}

TEST(Refusals, AreErrorsWithARemedy) {
  const Ref x = parameter("x", f32, {3}), b = parameter("b", DType::boolean, {3});
  EXPECT_TRUE(contains(error_of([] { static_cast<void>(parameter("x", f32, {1 << 20, 1 << 20, 1 << 20})); }), "too large"));
  EXPECT_TRUE(contains(error_of([] { static_cast<void>(parameter("x", f32, {3, -1})); }), "negative"));
  EXPECT_TRUE(contains(error_of([] { static_cast<void>(fill(1, f32, {1, 1, 1, 1, 1, 1, 1, 1, 1})); }), "8 dimensions"));
  EXPECT_TRUE(contains(error_of([] { static_cast<void>(graph::random(1, 2, i32, {3})); }), "i32"));
  EXPECT_TRUE(contains(error_of([&] { static_cast<void>(graph::sum(b)); }), "bool"));
  EXPECT_TRUE(contains(error_of([&] {
                         static_cast<void>(formula({x, b}, [](auto in) { return formula_language::operator+(in[0], in[1]); }));
                       }),
                       "f32 and bool"));
}

// What only a fault of this library can ask for is not the user's error.
TEST(Faults, AreInternal) {
  const Ref x = parameter("x", f32, {3}), y = parameter("y", f32, {4}), d = parameter("d", f64, {3});
  const DType two[] = {f32, f32};
  const FormulaRef plus = formula_of(ElementwiseId::add, two);
  EXPECT_THROW(static_cast<void>(map(plus, {x, y}, {3})), InternalError);
  EXPECT_THROW(static_cast<void>(map(plus, {x, d}, {3})), InternalError);
  EXPECT_THROW(static_cast<void>(map(plus, {x}, {3})), InternalError);
  EXPECT_THROW(static_cast<void>(scan(x, y, 0, false)), InternalError);
  EXPECT_THROW(static_cast<void>(iota(i32, {3}, 1)), InternalError);
  EXPECT_THROW(static_cast<void>(check(x, 3, "x")), InternalError);
  SumSpec s;
  const Ref factors[] = {x};
  EXPECT_THROW(static_cast<void>(graph::sum(s, {}, factors)), InternalError);
  s.factors = {{IndexExpr(0), IndexExpr(0)}};
  EXPECT_THROW(static_cast<void>(graph::sum(s, {}, factors)), InternalError);
}

TEST(Substitution, ReplacesResultsAndRebuildsWhatReadsThem) {
  const Ref x = parameter("x", f32, {3, 3}), y = parameter("y", f32, {3, 3}), z = parameter("z", f32, {3, 3});
  const Ref before = add(matmul(x, y), graph::exp(y));
  const Ref roots[] = {before, y};
  const std::pair<Ref, Ref> replacements[] = {{x, z}, {graph::exp(y), y}};
  const std::vector<Ref> after = substitute(roots, replacements);
  EXPECT_EQ(after[0], add(matmul(z, y), y));
  EXPECT_EQ(after[1], y);
}

TEST(Substitution, ReplacesOneResultOfACall) {
  const Ref x = parameter("x", f32, {3});
  const Ref operands[] = {x};
  const auto body = make_function("two", operands, [](auto p) { return std::vector<Ref>{graph::exp(p[0]), graph::sin(p[0])}; });
  const std::vector<Ref> results = call("two", {}, operands, body);
  const Ref roots[] = {add(results[0], results[1])};
  const std::pair<Ref, Ref> replacements[] = {{results[1], x}};
  EXPECT_EQ(substitute(roots, replacements)[0], add(results[0], x));
}

TEST(Functions, HaveParametersTypedLikeTheirOperands) {
  const Ref x = parameter("x", f64, {2, 3}), t = parameter("t", i32, {2});
  const Ref operands[] = {x, t};
  const auto f = make_function("f", operands, [](auto p) { return std::vector<Ref>{pick(p[0], p[1])}; });
  ASSERT_EQ(f->parameters.size(), 2u);
  EXPECT_EQ(f->parameters[0].shape(), (Shape{2, 3}));
  EXPECT_EQ(f->parameters[0].dtype(), f64);
  EXPECT_EQ(f->parameters[1].dtype(), i32);
  EXPECT_EQ(f->results[0].shape(), (Shape{2}));
  EXPECT_THROW(static_cast<void>(call("f", {}, std::span(operands, 1), f)), InternalError);
  const Ref exchanged[] = {t, x};
  EXPECT_THROW(static_cast<void>(call("f", {}, exchanged, f)), InternalError);
}

}  // namespace
}  // namespace cotan::testing
