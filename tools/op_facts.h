// What is found out about an operation by trying it.
#pragma once

#include <string>
#include <vector>

#include "tools/op_rows.h"

namespace cotan::tools {

// An example of an operation, recorded and differentiated.
struct OpExample {
  Attributes attributes;              // the options taken
  std::string text;                   // results and the gradients of <g, results> as a function in text form
  bool differentiable = false;        // some result and some operand are floating
  std::vector<std::string> constant;  // floating operands that no gradient reaches
};
[[nodiscard]] OpExample example_of(const Op& op);

// What computes results and gradients of a large f32 example, see runs_of().
struct OpRuns {
  std::string value;
  std::vector<std::pair<std::string, std::string>> gradients;  // by operand
};
[[nodiscard]] OpRuns large_runs_of(const Op& op);

// The value of an elementwise row as a formula over its operands, parameters as in the example: "{ where(x <= 0, 0, x) }".
[[nodiscard]] std::string formula_of(const Op& op);

// The types that all floating (or all bool) operands of an elementwise row may have.
[[nodiscard]] std::vector<std::string> types_of(const Op& op);

// A mistake and what is thrown for it.
struct OpRefusal {
  std::string problem, remedy;
  bool operator==(const OpRefusal&) const = default;
};
// Those of the bad cases, each once.
[[nodiscard]] std::vector<OpRefusal> refusals_of(const Op& op);
// What elementwise operations refuse: a type that they do not take, one for storage, two types, and shapes that do not broadcast.
[[nodiscard]] std::vector<OpRefusal> elementwise_refusals();

}  // namespace cotan::tools
