// Every row of the tables of operations in one form, for documentation: what the four tables say of an operation, and how to record it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/node.h"
#include "ops/elementwise.h"
#include "ops/sum_rows.h"

namespace cotan::tools {

// What the operation's row is one of.
enum class OpTable : std::uint8_t { elementwise, sum, reduction, call, composite };

// A parameter or an option, as C++ declares it.
struct OpOption {
  std::string type, name, standard;
};

// A convention about derivatives: where ("x = 0", "operands equal"), and the derivative by each operand there, in terms of the parameters.
struct OpConvention {
  std::string where, derivatives;
};

// The operation on operands of these types and shapes, with options applied.
struct OpCase {
  std::vector<rows::CaseOperand> operands;
  Attributes attributes;
  std::function<std::vector<Ref>(std::span<const Ref>)> record;  // the results that the user sees
};

struct Op {
  OpTable table = OpTable::sum;
  std::string family;  // the table's file: "windows"
  std::string name;
  std::string description;
  std::vector<std::string> operands;
  std::vector<bool> optional;
  bool takes_list = false;
  std::string result_type;           // "Tensor", a structure, or "std::vector<Tensor>"
  std::vector<std::string> results;  // their names in that structure
  std::vector<OpOption> options;
  std::string oracle;  // in PyTorch; for elementwise rows in the C++ standard library
  std::vector<OpCase> cases, bad_cases;
  // Of elementwise rows only.
  const ElementwiseRow* row = nullptr;
  std::vector<OpConvention> conventions;
};

// All rows, in the order of the tables.
[[nodiscard]] std::vector<Op> all_ops();

// The values that an elementwise row's parameters have in its example: the defaults, but 1 and -1 for infinite ones, which are no bounds.
[[nodiscard]] std::vector<double> parameters_of(const ElementwiseRow& row);

// The operands of a case as parameters, floating ones f32, named as the operation names them (x, tensors.0); empty where the case leaves one out.
[[nodiscard]] std::vector<Ref> parameters_of(const Op& op, std::span<const rows::CaseOperand> operands);

}  // namespace cotan::tools
