#include "graph/rewrite/rule.h"

#include <fmt/format.h>

#include <cmath>
#include <mutex>

#include "ops/error.h"

namespace cotan::rewrite {

std::string_view name_of(RuleClass rule_class) {
  constexpr std::string_view names[] = {"exact", "stable", "fast"};
  return names[static_cast<std::size_t>(rule_class)];
}

std::span<const DType> types_of(Types types) {
  static constexpr DType numbers[] = {f32, f64, i32, i64, u8, u32}, conditions[] = {boolean};
  const std::span<const DType> all(numbers);
  switch (types) {
    case Types::floats: return all.first(2);
    case Types::integers: return all.subspan(2);
    case Types::numbers: return all;
    case Types::booleans: return conditions;
  }
  return {};
}

Condition constant(std::string variable) {
  std::string name = fmt::format("constant({})", variable);
  return {std::move(name), std::move(variable), [](const Term& t) { return t.constant().has_value(); }};
}

Condition power_of_two(std::string variable) {
  std::string name = fmt::format("power_of_two({})", variable);
  return {std::move(name), std::move(variable), [](const Term& t) {
            int exponent = 0;
            return t.constant() && std::isfinite(*t.constant()) && std::abs(std::frexp(*t.constant(), &exponent)) == 0.5 && std::abs(exponent) < 120;
          }};
}

Rule& RuleSet::add(RuleClass rule_class, std::string name, Pattern left, Pattern right) {
  Rule rule;
  rule.name = std::move(name);
  rule.rule_class = rule_class;
  rule.variables.collect(left);
  Variables both = rule.variables;
  both.collect(right);
  if (both.names.size() != rule.variables.names.size())
    throw InternalError(fmt::format("rule '{}': variable {} is on the right side only", rule.name, both.names.back()));
  if (left.node().kind != Pattern::Kind::row) throw InternalError(fmt::format("rule '{}': the left side is no elementwise operation", rule.name));
  rule.left = std::move(left);
  rule.right = std::move(right);
  return put(std::move(rule));
}

Rule& RuleSet::add(RuleClass rule_class, std::string name, Kind root, Step step, std::string sample) {
  Rule rule;
  rule.name = std::move(name);
  rule.rule_class = rule_class;
  rule.root = root;
  rule.step = std::move(step);
  rule.sample = std::move(sample);
  return put(std::move(rule));
}

Rule& RuleSet::put(Rule rule) {
  if (find(rule.name) != nullptr) throw InternalError(fmt::format("two rules of the name '{}'", rule.name));
  index_.reset();
  return rules_.emplace_back(std::move(rule));
}

const Rule* RuleSet::find(std::string_view name) const {
  for (const Rule& rule : rules_)
    if (rule.name == name) return &rule;
  return nullptr;
}

RuleSet RuleSet::those(const std::function<bool(const Rule&)>& wanted) const {
  RuleSet rest;
  for (const Rule& rule : rules_)
    if (wanted(rule)) rest.rules_.push_back(rule);
  return rest;
}

std::span<const TypedRule> RuleSet::with_root(Atom atom) const {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (!index_) {
    auto index = std::make_shared<Index>(static_cast<std::size_t>(Atom::xor_) + 1);
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const Rule& rule = rules_[i];
      if (!rule.left) continue;
      for (DType dtype : types_of(rule.types)) {
        Piece left = compiled(*rule.left, rule.variables, dtype, dtype);
        Piece right = compiled(*rule.right, rule.variables, dtype, left.formula->dtype());
        const FormulaNode& root = left.formula->nodes.back();
        if (arity_of(root.atom) == 0) throw InternalError(fmt::format("rule '{}': the left side folds when it is built", rule.name));
        (*index)[static_cast<std::size_t>(root.atom)].push_back({&rule, i, std::move(left), std::move(right)});
      }
    }
    index_ = std::move(index);
  }
  return (*index_)[static_cast<std::size_t>(atom)];
}

const RuleSet& library_rules() {
  static const RuleSet& rules = *new RuleSet([] {
    RuleSet all;
    add_exact_rules(all);
    add_movement_steps(all);
    add_one_hot_steps(all);
    add_stable_rules(all);
    add_fast_rules(all);
    return all;
  }());
  return rules;
}

}  // namespace cotan::rewrite
