// Stable rules: the right side is at least as accurate as the left, and finite where the left one overflows. Bounds are in ULPs of the type, over all of its
// numbers.
#include "graph/rewrite/rule.h"

namespace cotan::rewrite {

void add_stable_rules(RuleSet& rules) {
  using namespace language;
  const Pattern x = variable("x"), y = variable("y");
  auto rule = [&](std::string name, const Pattern& left, const Pattern& right) -> Rule& { return rules.add(RuleClass::stable, std::move(name), left, right); };

  // ---- logarithms and exponentials
  rule("log(1 + x)", log(1 + x), log1p(x)).ulp(1);
  rule("exp(x) - 1", exp(x) - 1, expm1(x)).ulp(1);
  rule("log(exp(x))", log(exp(x)), x).ulp(0);
  rule("pow(x, 2)", pow(x, 2), square(x)).ulp(1);
  rule("pow(x, 1)", pow(x, 1), x).ulp(0);
  rule("pow(x, -1)", pow(x, -1), reciprocal(x)).ulp(1);
  rule("pow(x, 1/2)", pow(x, 0.5), sqrt(x)).ulp(1);

  rule("1 / x * y", 1 / x * y, y / x).ulp(1);

  // ---- activations
  rule("x * sigmoid(x)", x * sigmoid(x), silu(x)).ulp(4, 1e-30);
  rule("1 - sigmoid(x)", 1 - sigmoid(x), sigmoid(-x)).ulp(4);
  rule("log(sigmoid(x))", log(sigmoid(x)), log_sigmoid(x)).ulp(4);

  // ---- softmax. The shift by the largest entry is rounded, which the exponential multiplies: a ULP for each unit of the difference.
  rule("log(softmax(x))", log(softmax(x)), log_softmax(x)).ulp(128, 1);
  rule("exp(log_softmax(x))", exp(log_softmax(x)), softmax(x)).ulp(128, 1);
  rule("exp(x) / sum(exp(x))", exp(x) / spread(total(exp(x))), softmax(x)).ulp(128, 1);
  rule("x - log(sum(exp(x)))", x - spread(log(total(exp(x)))), log_softmax(x)).ulp(128, 1);
}

}  // namespace cotan::rewrite
