// Exact rules: both sides have the same bits for every operand, the sign of a zero among them; NaNs are one number. What building a formula folds by itself (1 * x, -(-x) in one formula, where(c, x, x)) is here
// where it arises between formulas.
#include "graph/rewrite/rule.h"

namespace cotan::rewrite {

void add_exact_rules(RuleSet& rules) {
  using namespace language;
  const Pattern x = variable("x"), y = variable("y"), z = variable("z"), k = variable("k");
  const Pattern c = condition("c");
  auto rule = [&](std::string name, const Pattern& left, const Pattern& right) -> Rule& {
    return rules.add(RuleClass::exact, std::move(name), left, right).of(Types::numbers);
  };

  rule("(-x) * (-y)", (-x) * (-y), x * y);
  rule("(-x) / (-y)", (-x) / (-y), x / y).of(Types::floats);
  rule("x - 0", x - 0, x).of(Types::floats);  // which is x + -0; x + 0 turns -0 into 0 (rules_fast.cpp)
  rule("x + 0, integers", x + 0, x).of(Types::integers);
  rule("x * 0, integers", x * 0, 0).of(Types::integers);
  rule("x - x, integers", x - x, 0).of(Types::integers);
  rule("x / 2^n", x / k, x * (1 / k)).of(Types::floats).when(power_of_two("k"));
  rule("max(x, x)", maximum(x, x), x);
  rule("min(x, x)", minimum(x, x), x);
  rule("x < x", x < x, 0);
  rule("x <= x, integers", x <= x, 1).of(Types::integers);
  rule("floor(floor(x))", floor(floor(x)), floor(x)).of(Types::floats);
  rule("round(round(x))", round(round(x)), round(x)).of(Types::floats);

  rule("where(c, where(c, x, y), z)", where(c, where(c, x, y), z), where(c, x, z));
  rule("where(c, x, where(c, y, z))", where(c, x, where(c, y, z)), where(c, x, z));
  rule("where(!c, x, y)", where(!c, x, y), where(c, y, x));
  rule("where(c, -x, -y)", where(c, -x, -y), -where(c, x, y));
  rule("where(c, x * y, x * z)", where(c, x * y, x * z), x * where(c, y, z));

  rule("relu(relu(x))", relu(relu(x)), relu(x));
  rule("abs(abs(x))", abs(abs(x)), abs(x)).of(Types::floats);
  rule("cos(-x)", cos(-x), cos(x)).of(Types::floats);

  rule("!(x < y), integers", !(x < y), y <= x).of(Types::integers);
  rule("!(x <= y), integers", !(x <= y), y < x).of(Types::integers);
  auto logic = [&](std::string name, const Pattern& left, const Pattern& right) { rule(std::move(name), left, right).of(Types::booleans); };
  logic("!!c", !!c, c);
  logic("c && c", c && c, c);
  logic("c || c", c || c, c);
}

}  // namespace cotan::rewrite
