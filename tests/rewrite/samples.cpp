#include "tests/rewrite/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/builder.h"
#include "graph/rewrite/replacement.h"
#include "graph/text/text.h"

namespace cotan::rewrite_test {
namespace {

using rewrite::Form;
using rewrite::Pattern;
using rewrite::Rule;

struct Recorder {
  const rewrite::Variables& variables;
  std::span<const Ref> values;
  DType dtype;
  Shape full;
  int axis;

  // The pattern with a node for each operation, as a program records it.
  [[nodiscard]] Ref record(const Pattern& pattern, const Shape& shape) const {
    const Pattern::Node& n = pattern.node();
    if (n.kind == Pattern::Kind::variable) return values[static_cast<std::size_t>(variables.number(n.name))];
    if (n.kind == Pattern::Kind::literal) return graph::fill(n.literal, dtype, shape);
    Shape small = full;
    small[static_cast<std::size_t>(axis)] = 1;
    if (n.kind == Pattern::Kind::row) {
      std::vector<Ref> operands;
      for (const Pattern& p : n.operands) operands.push_back(record(p, shape));
      return graph::elementwise(static_cast<ElementwiseId>(n.row - elementwise_rows().data()), operands, defaults(*n.row));
    }
    const Ref x = record(n.operands[0], n.form == Form::spread ? small : full);
    const rewrite::Piece piece = rewrite::compiled(rewrite::form_pattern(n.form, rewrite::variable("x")), {{"x"}, {false}}, dtype, dtype);
    const Ref operand[] = {x};
    return rewrite::nodes_of(piece, operand, n.form == Form::total ? small : full, axis, full);
  }

  static std::vector<double> defaults(const ElementwiseRow& row) {
    std::vector<double> all;
    for (const ElementwiseRow::Parameter& p : row.parameters) all.push_back(p.standard);
    return all;
  }
};

// The sample with other numbers for those that fill its tensors: what is exact is so for zeros of both signs, infinities and NaN.
Function with_other_numbers(const Function& sample, testing::Random& random) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const double numbers[] = {0, -0.0, inf, -inf, std::nan(""), 1, -1, 0.1, 3, -1e-40, 1e30};
  std::vector<std::pair<Ref, Ref>> replacements;
  for (Node* n : topological(sample.results))
    if (n->kind == Kind::map && n->operand_count == 0 && is_floating(n->dtype))
      replacements.emplace_back(Ref(n), graph::fill(numbers[random.below(std::size(numbers))], n->dtype, n->shape));
  Function other = sample;
  other.results = graph::substitute(sample.results, replacements);
  return other;
}

}  // namespace

std::vector<Sample> samples_of(const Rule& rule, testing::Random& random, const Shape& shape, int axis) {
  std::vector<Sample> samples;
  if (rule.step) {
    const Function sample = parse_function(rule.sample);
    if (rule.rule_class != rewrite::RuleClass::exact) return {{rule.name, sample}};
    return {{rule.name, sample}, {rule.name + ", other numbers", with_other_numbers(sample, random)}};
  }
  for (DType dtype : rewrite::types_of(rule.types)) {
    std::vector<Ref> values, parameters;
    for (std::size_t v = 0; v < rule.variables.names.size(); ++v) {
      const std::string& name = rule.variables.names[v];
      const bool number = std::any_of(rule.conditions.begin(), rule.conditions.end(), [&](const auto& c) { return c.variable == name; });
      if (number) {
        const bool power = std::any_of(rule.conditions.begin(), rule.conditions.end(), [&](const auto& c) { return c.name.starts_with("power"); });
        values.push_back(graph::fill(power ? std::ldexp(1, static_cast<int>(random.integer(1, 8))) : random.uniform(1.5, 4), dtype, shape));
      } else {
        parameters.push_back(graph::parameter(name, rule.variables.type(v, dtype), shape));
        values.push_back(parameters.back());
      }
    }
    const Recorder recorder{rule.variables, values, dtype, shape, axis};
    const rewrite::Piece left = rewrite::compiled(*rule.left, rule.variables, dtype, dtype);
    samples.push_back({fmt::format("{}, {}, recorded", rule.name, name_of(dtype)), {"f", parameters, {recorder.record(*rule.left, shape)}, {}}});
    samples.push_back(
        {fmt::format("{}, {}, one formula", rule.name, name_of(dtype)), {"f", parameters, {rewrite::nodes_of(left, values, shape, axis, shape)}, {}}});
  }
  return samples;
}

}  // namespace cotan::rewrite_test
