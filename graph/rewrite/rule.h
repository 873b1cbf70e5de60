// Rules: what may stand for what, as data.
//
//     rules.add("log(1 + x)", log(1 + x), log1p(x)).ulp(2);
//     rules.add("x / c", x / c, x * (1 / c)).when(power_of_two("c"));
//
// A rule is of one of three classes:
//   exact    the same bits, NaN and infinities included; a rule that says so may change the sign of a zero
//   stable   where the left side is finite and nothing in it overflowed, both agree within `ulp`; elsewhere the right side is within `ulp` of its own value in
//            float64
//   fast     anything else: equal in real arithmetic where all is finite
//
// Most rules are two patterns. What patterns cannot say (which index of a sum goes where) is a *step*: a function from a node to what may stand for it, with a
// sample graph, so that it is tested as the patterns are. A rule is applied only where it lowers the measure (measure.h).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/node.h"
#include "graph/rewrite/match.h"
#include "graph/rewrite/pattern.h"

namespace cotan::rewrite {

enum class RuleClass : std::uint8_t { exact, stable, fast };
// "exact", "stable", "fast".
[[nodiscard]] std::string_view name_of(RuleClass rule_class);

// Which element types a rule is for.
enum class Types : std::uint8_t { floats, integers, numbers, booleans };
// The types themselves.
[[nodiscard]] std::span<const DType> types_of(Types types);

// A condition on what the variables of a left side stand for.
struct Condition {
  std::string name;  // as it is written: "constant(c)"
  std::string variable;
  std::function<bool(const Term&)> holds;
};
// c stands for one number.
[[nodiscard]] Condition constant(std::string variable);
// c stands for a power of two whose reciprocal is a normal number of every floating type.
[[nodiscard]] Condition power_of_two(std::string variable);

// What stands for the node's result, or nothing.
using Step = std::function<Ref(const Ref& node)>;

struct Rule {
  std::string name;
  RuleClass rule_class = RuleClass::exact;
  Types types = Types::floats;
  double ulps = 0;               // of stable and fast rules
  double ulp_size = 0;           // of a smaller value an ULP is that of this size
  // Two patterns and conditions, or a step: on nodes of this kind, with a sample.
  std::optional<Pattern> left, right;
  std::vector<Condition> conditions;
  Variables variables;
  Step step;
  Kind root = Kind::map;
  std::string sample;

  // The rule's number of ULPs; of values below `size`, ULPs of that size.
  Rule& ulp(double most, double size = 0) { return ulps = most, ulp_size = size, *this; }
  Rule& when(Condition condition) { return conditions.push_back(std::move(condition)), *this; }
  Rule& of(Types which) { return types = which, *this; }
};

// A rule for one element type, ready to match.
struct TypedRule {
  const Rule* rule = nullptr;
  std::size_t number = 0;  // of the rule in its list
  Piece left, right;
};

// A list of rules, under names of their own.
class RuleSet {
 public:
  RuleSet() = default;
  RuleSet(RuleSet&&) = default;
  RuleSet(const RuleSet&) = delete;  // the index points into the list
  RuleSet& operator=(RuleSet&&) = default;

  // The rule that `right` may stand for `left`. Throws InternalError for a name twice, and for a right side with a variable that the left one has not.
  Rule& add(RuleClass rule_class, std::string name, Pattern left, Pattern right);
  // The rule that what `step` gives may stand for a node of that kind.
  Rule& add(RuleClass rule_class, std::string name, Kind root, Step step, std::string sample);

  [[nodiscard]] const std::deque<Rule>& rules() const { return rules_; }
  // Null where there is none of that name.
  [[nodiscard]] const Rule* find(std::string_view name) const;
  // The patterns by the atom at the root of their left side; made when first asked for.
  [[nodiscard]] std::span<const TypedRule> with_root(Atom atom) const;
  // Those of the rules that are wanted.
  [[nodiscard]] RuleSet those(const std::function<bool(const Rule&)>& wanted) const;

 private:
  Rule& put(Rule rule);
  using Index = std::vector<std::vector<TypedRule>>;  // by atom
  std::deque<Rule> rules_;
  mutable std::shared_ptr<const Index> index_;
};

// The rules of the library, class by class, the exact ones first.
[[nodiscard]] const RuleSet& library_rules();
void add_exact_rules(RuleSet& rules);
void add_stable_rules(RuleSet& rules);
void add_fast_rules(RuleSet& rules);
void add_movement_steps(RuleSet& rules);
void add_one_hot_steps(RuleSet& rules);

}  // namespace cotan::rewrite
