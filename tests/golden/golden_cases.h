// The cases whose values, gradients and Hessian-vector products PyTorch has computed, with the numbers that go in. The program writes them as JSON for
// make_golden.py (cotan_golden_tests --cases), and the tests compare what they get with what the script stored.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/inputs.h"
#include "tests/support/row_cases.h"

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

// A case of a row with some of its dimensions emptied: "conv2d_0_x0" is case 0 of conv2d without a batch, "conv2d_0_3" the same with all sizes of 3 set to 0.
// What it records depends on whether the row refuses it, so it is recorded by whoever looks at it.
struct EmptyCase {
  std::string name;
  RowTestCase row;
};
inline void PrintTo(const EmptyCase& c, std::ostream* os) { *os << c.name << c.row.attributes.text(); }

// Each dimension of each operand of each case in turn, and all dimensions of one size together.
[[nodiscard]] const std::vector<EmptyCase>& empty_cases();
// The case's operands, drawn and recorded as parameters; empty for one left out.
[[nodiscard]] std::vector<Ref> add_operands(const EmptyCase& c, Inputs& inputs, DType floating);
[[nodiscard]] nlohmann::json described(const EmptyCase& c);

// What make_golden.py reads. The stored numbers are valid as long as this stays the same.
[[nodiscard]] nlohmann::json described(const GoldenCase& c);
// A number for the description, kept beside the stored numbers.
[[nodiscard]] std::string fingerprint(const nlohmann::json& description);

}  // namespace cotan::testing
