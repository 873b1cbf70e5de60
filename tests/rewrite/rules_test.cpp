// Every rule of the table keeps what its class promises, and rules that do not are found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rewrite/rule_checks.h"

namespace cotan::rewrite_test {
namespace {

using rewrite::library_rules;
using rewrite::Pattern;
using rewrite::Rule;
using rewrite::RuleClass;
using rewrite::RuleSet;
using rewrite::variable;

class EachRule : public ::testing::TestWithParam<const Rule*> {};

TEST_P(EachRule, KeepsWhatItsClassPromises) {
  const auto wrong = fuzz_rule(*GetParam(), library_rules(), 12);
  EXPECT_FALSE(wrong.has_value()) << *wrong;
  ;
}

std::vector<const Rule*> all_rules() {
  std::vector<const Rule*> all;
  for (const Rule& rule : library_rules().rules()) all.push_back(&rule);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Library, EachRule, ::testing::ValuesIn(all_rules()),
                         [](const auto& info) { return std::string(rewrite::name_of(info.param->rule_class)) + std::to_string(info.index); });

TEST(Rules, WrongOnesAreFoundInEveryClass) {
  using namespace rewrite::language;
  const Pattern x = variable("x"), y = variable("y");
  RuleSet wrong;
  wrong.add(RuleClass::exact, "loses NaN", x * 0, 0);
  wrong.add(RuleClass::exact, "loses the sign of zero", x + 0, x);
  wrong.add(RuleClass::exact, "rounds twice", x / 3, x * (1.0 / 3));
  wrong.add(RuleClass::exact, "swaps operands", maximum(x - y, x - y), y - x);
  wrong.add(RuleClass::stable, "cancels", sigmoid(x) * 2 - 1, tanh(x)).ulp(4);
  wrong.add(RuleClass::fast, "forgets the half", sqrt(x) * sqrt(y), x * y).ulp(64);
  for (const Rule& rule : wrong.rules()) EXPECT_THAT(fuzz_rule(rule, wrong, 12).value_or("nothing"), ::testing::HasSubstr(rule.name + ": entry")) << rule.name;
}

}  // namespace
}  // namespace cotan::rewrite_test
