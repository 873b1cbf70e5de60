// Fast rules, off unless asked for: equal in real arithmetic, but other numbers where something is infinite, NaN or rounded.
#include "graph/rewrite/rule.h"

namespace cotan::rewrite {

void add_fast_rules(RuleSet& rules) {
  using namespace language;
  const Pattern x = variable("x"), y = variable("y"), z = variable("z"), k = variable("k"), l = variable("l");
  auto rule = [&](std::string name, const Pattern& left, const Pattern& right) -> Rule& {
    return rules.add(RuleClass::fast, std::move(name), left, right).ulp(64);
  };

  rule("x + 0", x + 0, x);  // but for the sign of a zero
  rule("x * 0", x * 0, 0);
  rule("x / x", x / x, 1);
  rule("x - x", x - x, 0);
  rule("x / k", x / k, x * (1 / k)).when(constant("k"));
  rule("x / y / z", x / y / z, x / (y * z));
  rule("x * k * l", x * k * l, x * (k * l)).when(constant("k")).when(constant("l"));
  rule("x + k + l", x + k + l, x + (k + l)).when(constant("k")).when(constant("l"));
  rule("x * z + y * z", x * z + y * z, (x + y) * z);
  rule("exp(x) * exp(y)", exp(x) * exp(y), exp(x + y));
  rule("exp(log(x))", exp(log(x)), x);
  rule("sqrt(x) * sqrt(x)", sqrt(x) * sqrt(x), x);
  rule("sqrt(x) * sqrt(y)", sqrt(x) * sqrt(y), sqrt(x * y));
}

}  // namespace cotan::rewrite
