#include "graph/rewrite/pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "ops/attributes.h"
#include "ops/error.h"

namespace cotan::rewrite {

std::string_view name_of(Form form) {
  constexpr std::string_view names[] = {"total", "spread", "softmax", "log_softmax"};
  return names[static_cast<std::size_t>(form)];
}

Pattern::Node Pattern::literal_node(double value) {
  Node n;
  n.literal = value;
  return n;
}

Pattern variable(std::string name) {
  Pattern::Node n;
  n.kind = Pattern::Kind::variable;
  n.name = std::move(name);
  return Pattern(std::move(n));
}

Pattern condition(std::string name) {
  Pattern::Node n;
  n.kind = Pattern::Kind::variable;
  n.name = std::move(name);
  n.boolean = true;
  return Pattern(std::move(n));
}

Pattern row_pattern(ElementwiseId row, std::vector<Pattern> operands) {
  Pattern::Node n;
  n.kind = Pattern::Kind::row;
  n.row = &elementwise_rows()[static_cast<std::size_t>(row)];
  n.operands = std::move(operands);
  return Pattern(std::move(n));
}

Pattern form_pattern(Form form, Pattern x) {
  Pattern::Node n;
  n.kind = Pattern::Kind::form;
  n.form = form;
  n.operands.push_back(std::move(x));
  return Pattern(std::move(n));
}

namespace language {
#define COTAN_PATTERN_PARAMETER(name) Pattern name
#define ELEMENTWISE(name_, operands_, ...)                                                  \
  Pattern name_(COTAN_LIST(COTAN_PATTERN_PARAMETER, COTAN_UNWRAP operands_)) {              \
    return row_pattern(ElementwiseId::name_, std::vector<Pattern>{COTAN_UNWRAP operands_}); \
  }
#include "ops/elementwise.def"
#undef ELEMENTWISE
#undef COTAN_PATTERN_PARAMETER
Pattern operator-(Pattern x) { return neg(std::move(x)); }
Pattern operator+(Pattern x, Pattern other) { return add(std::move(x), std::move(other)); }
Pattern operator-(Pattern x, Pattern other) { return sub(std::move(x), std::move(other)); }
Pattern operator*(Pattern x, Pattern other) { return mul(std::move(x), std::move(other)); }
Pattern operator/(Pattern x, Pattern other) { return div(std::move(x), std::move(other)); }
Pattern operator<(Pattern x, Pattern other) { return lt(std::move(x), std::move(other)); }
Pattern operator<=(Pattern x, Pattern other) { return le(std::move(x), std::move(other)); }
Pattern operator&&(Pattern x, Pattern other) { return logical_and(std::move(x), std::move(other)); }
Pattern operator||(Pattern x, Pattern other) { return logical_or(std::move(x), std::move(other)); }
Pattern operator!(Pattern x) { return logical_not(std::move(x)); }
}  // namespace language

int Variables::number(const std::string& name) const {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

void Variables::collect(const Pattern& pattern) {
  const Pattern::Node& n = pattern.node();
  if (n.kind == Pattern::Kind::variable && number(n.name) < 0) {
    names.push_back(n.name);
    boolean.push_back(n.boolean);
  }
  for (const Pattern& p : n.operands) collect(p);
}

namespace {

// The forms that the piece reads, in the order in which `value_of` meets them.
void collect_forms(const Pattern& pattern, std::vector<const Pattern::Node*>& forms) {
  const Pattern::Node& n = pattern.node();
  if (n.kind == Pattern::Kind::form) return forms.push_back(&n);
  for (const Pattern& p : n.operands) collect_forms(p, forms);
}

Ex value_of(const Pattern& pattern, const Variables& variables, std::span<const Ex> operands, std::size_t& next_form) {
  const Pattern::Node& n = pattern.node();
  switch (n.kind) {
    case Pattern::Kind::variable: return operands[static_cast<std::size_t>(variables.number(n.name))];
    case Pattern::Kind::literal: return Ex(n.literal);
    case Pattern::Kind::form: return operands[next_form++];
    case Pattern::Kind::row: break;
  }
  std::vector<Ex> in;
  for (const Pattern& p : n.operands) in.push_back(value_of(p, variables, operands, next_form));
  std::vector<double> parameters;
  for (const ElementwiseRow::Parameter& p : n.row->parameters) parameters.push_back(p.standard);
  return n.row->value(in, parameters);
}

}  // namespace

Piece compiled(const Pattern& pattern, const Variables& variables, DType dtype, DType literal_dtype) {
  Piece piece;
  std::vector<const Pattern::Node*> forms;
  collect_forms(pattern, forms);
  std::vector<DType> types;
  for (std::size_t v = 0; v < variables.names.size(); ++v) types.push_back(variables.type(v, dtype));
  for (const Pattern::Node* form : forms) {
    types.push_back(dtype);
    piece.forms.push_back({form->form, std::make_shared<const Piece>(compiled(form->operands[0], variables, dtype, dtype))});
  }
  piece.formula = make_formula(
      types,
      [&](std::span<const Ex> operands) {
        std::size_t next_form = variables.names.size();
        return value_of(pattern, variables, operands, next_form);
      },
      literal_dtype);
  const Pattern::Node& root = pattern.node();
  std::size_t next_form = variables.names.size();
  for (const Pattern& p : root.operands)
    if (p.node().kind == Pattern::Kind::variable || p.node().kind == Pattern::Kind::form)
      piece.row_operands.push_back(p.node().kind == Pattern::Kind::form ? next_form++ : static_cast<std::size_t>(variables.number(p.node().name)));
  if (root.kind == Pattern::Kind::row && piece.row_operands.size() == root.operands.size()) piece.row = root.row;
  return piece;
}

std::string text_of(const Pattern& pattern) {
  const Pattern::Node& n = pattern.node();
  switch (n.kind) {
    case Pattern::Kind::variable: return n.name;
    case Pattern::Kind::literal: return literal_text(n.literal);
    case Pattern::Kind::form: return fmt::format("{}({})", name_of(n.form), text_of(n.operands[0]));
    case Pattern::Kind::row: break;
  }
  std::string operands;
  for (const Pattern& p : n.operands) operands += (operands.empty() ? "" : ", ") + text_of(p);
  return fmt::format("{}({})", n.row->name, operands);
}

}  // namespace cotan::rewrite
