// Every case of every row of sums.def, reductions.def and composites.def in one list, recorded by the function that users call: a new row is a new entry here
// without a line of test.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "graph/composites/composites.h"
#include "ops/sum_rows.h"

namespace cotan::testing {

struct RowTestCase {
  std::string table;  // "sums", "reductions", "composites"
  std::string row;
  std::size_t number = 0;          // among the row's cases, or among its bad cases
  std::vector<std::string> names;  // of the operands; those of a list are "tensors.0", "tensors.1", ...
  std::vector<rows::CaseOperand> operands;
  Attributes attributes;
  std::string_view oracle;  // in PyTorch; empty for a bad case
  std::function<std::vector<Ref>(std::span<const Ref>)> record;
  std::string error;  // of a bad case

  // "conv2d_2": for names of tests.
  [[nodiscard]] std::string name() const { return fmt::format("{}_{}", row, number); }
};

// How GoogleTest shows the parameter of a failed test.
inline void PrintTo(const RowTestCase& c, std::ostream* os) { *os << c.table << " row " << c.row << ", case " << c.number << c.attributes.text(); }

// The operands of a case as parameters of these names and kinds; empty for those left out.
[[nodiscard]] inline std::vector<Ref> parameters_of(std::span<const rows::CaseOperand> operands, DType floating = DType::f32) {
  std::vector<Ref> parameters;
  for (std::size_t k = 0; k < operands.size(); ++k)
    parameters.push_back(
        operands[k].kind == rows::CaseOperand::Kind::absent ? Ref() : graph::parameter(fmt::format("p{}", k), operands[k].dtype(floating), operands[k].shape));
  return parameters;
}

// All cases, or all bad ones, of all tables.
[[nodiscard]] std::vector<RowTestCase> row_test_cases(bool bad = false);

[[nodiscard]] inline std::string case_name(const ::testing::TestParamInfo<RowTestCase>& info) { return info.param.name(); }

}  // namespace cotan::testing
