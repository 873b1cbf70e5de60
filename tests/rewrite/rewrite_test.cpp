// Graphs before and after, each with the rules that must have done something; and that no rule is idle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "graph/builder.h"
#include "graph/rewrite/engine.h"
#include "graph/text/text.h"
#include "graph/verify.h"
#include "ops/error.h"
#include "tests/rewrite/samples.h"
#include "tests/rewrite/suite.h"

namespace cotan::rewrite_test {
namespace {

using rewrite::library_rules;
using rewrite::Measure;
using rewrite::Options;
using rewrite::Report;

class Graphs : public ::testing::TestWithParam<Case> {};

TEST_P(Graphs, BecomeWhatTheTableSays) {
  const Case& c = GetParam();
  const Function before = parse_function(c.before);
  Report report;
  const Function after = rewrite::rewrite(before, library_rules(), {.fast = c.fast, .trace = true}, &report);
  verify(after);
  EXPECT_EQ(to_text(after), to_text(parse_function(c.after))) << report.text();
  for (const std::string& name : c.rules) {
    ASSERT_NE(report.find(name), nullptr) << name;
    EXPECT_GT(report.find(name)->hits, 0) << name;
  }
  // What is done stays done.
  EXPECT_EQ(rewrite::rewrite(after, library_rules(), {.fast = c.fast}).results, after.results);
}

INSTANTIATE_TEST_SUITE_P(Suite, Graphs, ::testing::ValuesIn(suite()), [](const auto& info) { return info.param.name; });

TEST(Rules, EachIsMissedSomewhere) {
  testing::Random random(1);
  std::vector<Function> graphs;
  for (const Case& c : suite()) graphs.push_back(parse_function(c.before));
  for (const rewrite::Rule& rule : library_rules().rules())
    for (const Sample& s : samples_of(rule, random, {4, 6}, 1)) graphs.push_back(s.function);
  // A class is on with those before it.
  using rewrite::RuleClass;
  for (RuleClass c : {RuleClass::exact, RuleClass::stable, RuleClass::fast}) {
    auto measures = [&](const rewrite::RuleSet& rules) {
      std::vector<Measure> all;
      for (const Function& f : graphs)
        all.push_back(rewrite::measure_of(rewrite::rewrite(f, rules, {.stable = c != RuleClass::exact, .fast = c == RuleClass::fast})));
      return all;
    };
    const std::vector<Measure> with = measures(library_rules());
    for (const rewrite::Rule& rule : library_rules().rules()) {
      if (rule.rule_class != c) continue;
      const std::vector<Measure> without = measures(library_rules().those([&](const rewrite::Rule& r) { return r.name != rule.name; }));
      bool worse = false;
      for (std::size_t i = 0; i < with.size(); ++i) worse |= without[i] > with[i];
      EXPECT_TRUE(worse) << rule.name;
    }
  }
}

}  // namespace
}  // namespace cotan::rewrite_test
