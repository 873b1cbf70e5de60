// The table of elementwise operations (elementwise.def) as values.
#pragma once

#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "ops/formula.h"

namespace cotan {

struct ElementwiseRow {
  struct Parameter {
    std::string_view name;
    double standard;
  };
  struct Range {
    double low, high;
  };
  // At `at` (for two operands: where both are equal) the derivatives are `derivatives` by convention. `derivatives` may depend on the parameters.
  struct Kink {
    bool tie = false;
    double at = 0;
    std::vector<double> derivatives;
  };
  using Value = Ex (*)(std::span<const Ex> operands, std::span<const double> parameters);

  std::string_view name;
  std::string_view description;
  std::vector<std::string_view> operands;
  std::vector<Parameter> parameters;
  Value value;
  std::vector<Ex> (*stated)(std::span<const Ex> operands, Ex value, std::span<const double> parameters);  // by the first operands; empty: derived
  std::vector<Range> samples;
  std::vector<Kink> (*kinks)(std::span<const double> parameters);
};

// All rows, in the order of the table.
[[nodiscard]] std::span<const ElementwiseRow> elementwise_rows();
// Null where there is none of that name.
[[nodiscard]] const ElementwiseRow* find_elementwise(std::string_view name);

// The row's number in the table, as a constant: ElementwiseId::relu.
enum class ElementwiseId : std::uint16_t {
#define ELEMENTWISE(name, ...) name,
#include "ops/elementwise.def"
#undef ELEMENTWISE
};

// The row's formula for operands of these types. `parameters` are all of them, in the row's order. Cached. Throws Error where the types do not fit.
[[nodiscard]] FormulaRef formula_of(ElementwiseId row, std::span<const DType> operands, std::span<const double> parameters = {});
[[nodiscard]] FormulaRef formula_of(const ElementwiseRow& row, std::span<const DType> operands, std::span<const double> parameters);

}  // namespace cotan
