// The engine: fixed points, the measure, reports, long chains, faults.
#include "graph/rewrite/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "graph/builder.h"
#include "graph/rewrite/live.h"
#include "graph/text/text.h"
#include "ops/error.h"

namespace cotan::rewrite_test {
namespace {

using rewrite::library_rules;
using rewrite::Pattern;
using rewrite::Report;
using rewrite::RuleClass;
using rewrite::RuleSet;
using rewrite::variable;
using ::testing::HasSubstr;

constexpr int long_chain = 200000;

Ref chain(Ref x, int length, const std::function<Ref(const Ref&)>& next) {
  for (int i = 0; i < length; ++i) x = next(x);
  return x;
}

TEST(Engine, AChainOfNegationsFolds) {
  const Ref x = graph::parameter("x", f32, {4});
  const Function f{"f", {x}, {chain(x, long_chain, [](const Ref& r) { return graph::neg(r); })}, {}};
  Report report;
  EXPECT_EQ(rewrite::rewrite(f, library_rules(), {}, &report).results[0], x);
  EXPECT_EQ(report.find("-(-x)")->hits, 1);  // after the first pair, every node is one that was met before
}

TEST(Engine, AChainWithoutMatchesStaysAsItIs) {
  const Ref x = graph::parameter("x", f32, {4});
  const Function f{"f", {x}, {chain(x, long_chain, [](const Ref& r) { return graph::sin(r); })}, {}};
  Report report;
  EXPECT_EQ(rewrite::rewrite(f, library_rules(), {}, &report).results[0], f.results[0]);
  EXPECT_EQ(report.walks, 1);
}

TEST(Engine, AChainOfSharedReadersIsWalkedOnce) {
  const Ref x = graph::parameter("x", f32, {4});
  const Function f{"f", {x}, {chain(x, 2000, [](const Ref& r) { return graph::add(graph::neg(graph::neg(r)), r); })}, {}};
  Report report;
  const Function after = rewrite::rewrite(f, library_rules(), {}, &report);
  EXPECT_EQ(report.find("-(-x)")->hits, 2000);
  EXPECT_EQ(topological(after.results).size(), 2001U);
}

TEST(Engine, ARuleThatLowersNothingIsRefused) {
  using namespace rewrite::language;
  const Pattern x = variable("x"), y = variable("y");
  RuleSet rules;
  rules.add(RuleClass::exact, "swap", x + y, y + x);
  rules.add(RuleClass::exact, "grow", exp(x), exp(x) + sin(x));
  const Function f = parse_function("func f(x: f32[8], y: f32[8]) { %0: f32[8] = add(x, y) %1: f32[8] = exp(%0) return %1 }");
  Report report;
  EXPECT_EQ(rewrite::rewrite(f, rules, {}, &report).results, f.results);
  EXPECT_EQ(report.find("swap")->hits + report.find("grow")->hits, 0);
  EXPECT_EQ(report.find("swap")->refused, 1);
  EXPECT_EQ(report.find("grow")->refused, 1);
  EXPECT_EQ(report.before, report.after);
}

TEST(Engine, TheBookOfReadersAgreesWithTheGraph) {
  const Function f =
      parse_function("func f(x: f32[8]) { %0: f32[8] = exp(x) %1: f32[8] = sin(%0) %2: f32[8] = add(%0, %1) %3: f32[8] = mul(%2, %2) return %3, %1 }");
  rewrite::LiveGraph live(f);
  EXPECT_EQ(live.total(), rewrite::measure_of(f));
  const Ref sum = f.results[0]->operand(0), sine = f.results[1];
  EXPECT_EQ(live.readers(sine.node()), 2);
  EXPECT_FALSE(live.replace_if_lower(sum, graph::exp(graph::exp(sum->operand(0)))));
  EXPECT_EQ(live.total(), rewrite::measure_of(f));
  EXPECT_TRUE(live.replace_if_lower(sum, sine));
  EXPECT_EQ(live.readers(sine.node()), 3);
  Function after = f;
  const std::pair<Ref, Ref> replaced[] = {{sum, sine}};
  after.results = graph::substitute(f.results, replaced);
  live.replace(f.results[0], after.results[0]);
  EXPECT_EQ(live.total(), rewrite::measure_of(after));
}

TEST(Engine, CallsThatNobodyComputesAreNotMade) {
  const Function f = parse_function("func f(x: f32[4,6]) { %0: f32[4,6] = call softmax(x) {dim=1} %1: f32[4,6] = log(%0) return %1 }");
  Report report;
  EXPECT_EQ(rewrite::rewrite(f, library_rules(), {.accepts_call = [](const Ref&) { return false; }}, &report).results, f.results);
  EXPECT_EQ(report.find("log(softmax(x))")->refused, 1);
}

TEST(Engine, ClassesAreSwitches) {
  const Function f =
      parse_function("func f(x: f32[8]) { %0: f32[8] = div(x, x) %1: f32[8] = { log(1 + x) } %2: f32[8] = neg(%1) %3: f32[8] = neg(%2) return %3, %0 }");
  auto hits = [&](const rewrite::Options& options) {
    Report r;
    (void)rewrite::rewrite(f, library_rules(), options, &r);
    return std::array{r.find("-(-x)")->hits, r.find("log(1 + x)")->hits, r.find("x / x")->hits};
  };
  EXPECT_EQ(hits({}), (std::array{1, 1, 0}));
  EXPECT_EQ(hits({.stable = false}), (std::array{1, 0, 0}));
  EXPECT_EQ(hits({.exact = false}), (std::array{0, 1, 0}));
  EXPECT_EQ(hits({.fast = true}), (std::array{1, 1, 1}));
}

TEST(Engine, TellsWhatStandsForWhat) {
  const Function f = parse_function("func f(x: f32[8]) { %0: f32[8] = sigmoid(x) %1: f32[8] = mul(%0, x) return %1 }");
  std::vector<Ref> gone, made;
  const rewrite::Options options{.replaced = [&](std::span<const Ref> from, const Ref& to) {
    gone.insert(gone.end(), from.begin(), from.end());
    made.push_back(to);
  }};
  const Function after = rewrite::rewrite(f, library_rules(), options);
  EXPECT_THAT(gone, ::testing::UnorderedElementsAre(f.results[0], f.results[0]->operand(0)));
  EXPECT_EQ(made, after.results);
}

TEST(Engine, TraceNamesTheRuleAndWhatItChanged) {
  const Function f = parse_function("func f(x: f32[8]) { %0: f32[8] = { log(1 + x) } return %0 }");
  Report report;
  (void)rewrite::rewrite(f, library_rules(), {.trace = true}, &report);
  ASSERT_EQ(report.trace.size(), 1U);
  EXPECT_EQ(report.trace[0].rule, "log(1 + x)");
  EXPECT_THAT(report.trace[0].before, HasSubstr("{ log(1 + #0) }"));
  EXPECT_THAT(report.trace[0].after, HasSubstr("log1p(#0)"));
  EXPECT_LT(report.trace[0].measure, report.before);
  EXPECT_THAT(report.text(), HasSubstr("1 hits"));
}

TEST(Explain, SaysWhereTheFurthestAttemptFailed) {
  auto why = [](const char* rule, const char* text) { return rewrite::explain(*library_rules().find(rule), parse_function(text).results[0]); };
  EXPECT_EQ(why("log(1 + x)", "func f(x: f32[8]) { %0: f32[8] = { log(1 + x) } return %0 }"), "");
  EXPECT_EQ(why("log(1 + x)", "func f(x: f32[8]) { %0: f32[8] = { log(2 + x) } return %0 }"), "the number 2.0 is not the number 1.0");
  EXPECT_EQ(why("log(1 + x)", "func f(x: f32[8]) { %0: f32[8] = { log(x) } return %0 }"), "a leaf is not 'add'");
  EXPECT_EQ(why("x / 2^n", "func f(x: f32[8]) { %0: f32[8] = { x / 3 } return %0 }"), "power_of_two(k) does not hold");
  EXPECT_EQ(why("x * sigmoid(x)", "func f(x: f32[8], y: f32[8]) { %0: f32[8] = sigmoid(x) %1: f32[8] = mul(%0, y) return %1 }"),
            "x stands for two expressions, a leaf is another one");
  EXPECT_EQ(why("log(softmax(x))", "func f(x: f32[8]) { %0: f32[8] = exp(x) return %0 }"), "no atom of the formula is the root of 'log(softmax(x))'");
}

TEST(RuleSet, FaultsAreNamed) {
  using namespace rewrite::language;
  const Pattern x = variable("x"), y = variable("y");
  RuleSet rules;
  rules.add(RuleClass::exact, "a", x + 0, x);
  auto message = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const InternalError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(message([&] { rules.add(RuleClass::exact, "a", exp(x), x); }), HasSubstr("two rules of the name 'a'"));
  EXPECT_THAT(message([&] { rules.add(RuleClass::exact, "b", exp(x), y); }), HasSubstr("rule 'b': variable y is on the right side only"));
  rules.add(RuleClass::exact, "c", -(-x), x);
  EXPECT_THAT(message([&] { (void)rules.with_root(Atom::neg); }), HasSubstr("rule 'c': the left side folds"));
  RuleSet steps;
  steps.add(
      RuleClass::exact, "d", Kind::map, [](const Ref& n) { return n->operand(0); }, "");
  const Function f = parse_function("func f(x: f32[8]) { %0: bool[8] = isnan(x) return %0 }");
  EXPECT_THAT(message([&] { (void)rewrite::rewrite(f, steps); }), HasSubstr("rule 'd' makes f32 (8,) of bool (8,)"));
}

}  // namespace
}  // namespace cotan::rewrite_test
