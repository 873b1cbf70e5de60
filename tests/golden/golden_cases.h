// The cases whose values, gradients and Hessian-vector products PyTorch has computed, with the numbers that go in. The program writes them as JSON for
// make_golden.py (cotan_golden_tests --cases), and the tests compare what they get with what the script stored.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/inputs.h"

namespace cotan::testing {

// One recorded case: parameters with values, results, and for each floating result a cotangent, for each floating parameter a tangent.
struct GoldenCase {
  std::string table, row, name;
  std::string oracle;  // in PyTorch; "" for an elementwise row: the function of the row's name
  Attributes attributes;
  std::vector<std::string> operand_names;  // those of a list: "tensors.0", "tensors.1", ...
  std::vector<Ref> operands;               // parameters; empty for one left out
  Inputs inputs;
  std::vector<Ref> results;
  std::vector<Ref> cotangents;  // parameters; empty for a result that is not floating
  std::vector<Ref> tangents;    // parameters, for the floating operands in order
};

// How GoogleTest shows the parameter of a failed test.
inline void PrintTo(const GoldenCase& c, std::ostream* os) { *os << c.table << " " << c.name << c.attributes.text(); }

// All cases of sums, reductions and composites, and one case of each elementwise row.
[[nodiscard]] std::vector<GoldenCase> golden_cases();

// What make_golden.py reads. The stored numbers are valid as long as this stays the same.
[[nodiscard]] nlohmann::json described(const GoldenCase& c);
// A number for the description, kept beside the stored numbers.
[[nodiscard]] std::string fingerprint(const GoldenCase& c);

}  // namespace cotan::testing
