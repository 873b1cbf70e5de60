// Patterns: both sides of a rewrite rule, written as expressions.
//
//     const Pattern x = variable("x");
//     rules.add("x*sigmoid(x)", x * sigmoid(x), silu(x));
//
// Every row of elementwise.def is a function over patterns, C++'s operators stand for add, sub, mul, div and the comparisons. Beside them are the kinds that
// are no formulas: total, spread, softmax, log_softmax. A pattern has no element type: `compiled` gives it one and makes formulas of it with ops/formula.h, so
// that a pattern has exactly the atoms that the same expression has in a graph, folded alike.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/elementwise.h"
#include "ops/row_macros.h"

namespace cotan::rewrite {

// What is no formula: a node of its own in the graph. All those of one rule go along the same axis.
enum class Form : std::uint8_t {
  total,    // the sum of x along the axis
  spread,   // x broadcast along the axis
  softmax,  // the calls of these names along the axis
  log_softmax,
};
// The word for it in texts.
[[nodiscard]] std::string_view name_of(Form form);

// An expression over variables, as a value.
class Pattern {
 public:
  enum class Kind : std::uint8_t { variable, literal, row, form };
  struct Node {
    Kind kind = Kind::literal;
    std::string name;      // a variable's
    double literal = 0;    // of a literal
    bool boolean = false;  // a variable of conditions, whatever type the others have
    const ElementwiseRow* row = nullptr;
    Form form = Form::total;
    std::vector<Pattern> operands;
  };

  Pattern(double literal) : Pattern(literal_node(literal)) {}                    // NOLINT: literals are written plainly
  Pattern(int literal) : Pattern(literal_node(static_cast<double>(literal))) {}  // NOLINT
  Pattern(bool) = delete;
  explicit Pattern(Node node) : node_(std::make_shared<const Node>(std::move(node))) {}
  [[nodiscard]] const Node& node() const { return *node_; }

 private:
  static Node literal_node(double value);
  std::shared_ptr<const Node> node_;
};

// Stands for any expression of the rule's type, the same one wherever the name occurs in a rule.
[[nodiscard]] Pattern variable(std::string name);
// Stands for any condition.
[[nodiscard]] Pattern condition(std::string name);
[[nodiscard]] Pattern row_pattern(ElementwiseId row, std::vector<Pattern> operands);
[[nodiscard]] Pattern form_pattern(Form form, Pattern x);

// The functions that rules are written with.
namespace language {
// Parameters of rows have their defaults.
#define COTAN_PATTERN_PARAMETER(name) Pattern name
#define ELEMENTWISE(name_, operands_, ...) [[nodiscard]] Pattern name_(COTAN_LIST(COTAN_PATTERN_PARAMETER, COTAN_UNWRAP operands_));
#include "ops/elementwise.def"
#undef ELEMENTWISE
#undef COTAN_PATTERN_PARAMETER
[[nodiscard]] inline Pattern total(Pattern x) { return form_pattern(Form::total, std::move(x)); }
[[nodiscard]] inline Pattern spread(Pattern x) { return form_pattern(Form::spread, std::move(x)); }
[[nodiscard]] inline Pattern softmax(Pattern x) { return form_pattern(Form::softmax, std::move(x)); }
[[nodiscard]] inline Pattern log_softmax(Pattern x) { return form_pattern(Form::log_softmax, std::move(x)); }
[[nodiscard]] Pattern operator-(Pattern x);
[[nodiscard]] Pattern operator+(Pattern x, Pattern other);
[[nodiscard]] Pattern operator-(Pattern x, Pattern other);
[[nodiscard]] Pattern operator*(Pattern x, Pattern other);
[[nodiscard]] Pattern operator/(Pattern x, Pattern other);
[[nodiscard]] Pattern operator<(Pattern x, Pattern other);
[[nodiscard]] Pattern operator<=(Pattern x, Pattern other);
[[nodiscard]] Pattern operator&&(Pattern x, Pattern other);
[[nodiscard]] Pattern operator||(Pattern x, Pattern other);
[[nodiscard]] Pattern operator!(Pattern x);
}  // namespace language

// A pattern as a formula of some type. The formula's operands are the rule's variables, by number, then `forms`.
struct Piece {
  struct FormUse {
    Form form = Form::total;
    std::shared_ptr<const Piece> x;
  };
  FormulaRef formula;
  std::vector<FormUse> forms;
  const ElementwiseRow* row = nullptr;  // where the whole piece is a row on operands of the formula: which
  std::vector<std::size_t> row_operands;
};

// The variables of both sides of a rule, by number.
struct Variables {
  std::vector<std::string> names;
  std::vector<bool> boolean;
  [[nodiscard]] int number(const std::string& name) const;  // -1: none of that name
  void collect(const Pattern& pattern);                     // those of the pattern that are not there yet
  [[nodiscard]] DType type(std::size_t v, DType dtype) const { return boolean[v] ? DType::boolean : dtype; }
};

// Throws Error where the atoms do not take that type. `literal_dtype` is for a pattern that is a bare literal.
[[nodiscard]] Piece compiled(const Pattern& pattern, const Variables& variables, DType dtype, DType literal_dtype);

// The pattern in C++'s notation.
[[nodiscard]] std::string text_of(const Pattern& pattern);

}  // namespace cotan::rewrite
