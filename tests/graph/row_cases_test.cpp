// The cases that rows bring with them are enough to say what the rows do: several shapes, and every option used.
#include "tests/support/row_cases.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace cotan::testing {
namespace {

struct RowUnderTest {
  std::string name;
  Attributes defaults;
  std::vector<RowTestCase> cases;
};

// How GoogleTest shows the parameter of a failed test.
void PrintTo(const RowUnderTest& row, std::ostream* os) { *os << row.name << row.defaults.text(); }

std::vector<RowUnderTest> rows_with_cases() {
  std::map<std::string, Attributes> defaults;
  for (const SumRow& row : sum_rows()) defaults.emplace(row.name, row.defaults);
  for (const ReduceRow& row : reduce_rows()) defaults.emplace(row.name, row.defaults);
  for (const CompositeRow& row : composite_rows()) defaults.emplace(row.name, row.defaults);
  std::map<std::string, RowUnderTest> rows;
  for (const auto& [name, options] : defaults) rows[name] = {name, options, {}};
  for (RowTestCase& c : row_test_cases()) rows.at(c.row).cases.push_back(c);
  std::vector<RowUnderTest> all;
  for (auto& [name, row] : rows) all.push_back(std::move(row));
  return all;
}

class RowCoverage : public ::testing::TestWithParam<RowUnderTest> {};

TEST_P(RowCoverage, ThreeShapesOrMore) {
  std::set<std::vector<std::vector<std::int64_t>>> shapes;
  for (const RowTestCase& c : GetParam().cases) {
    std::vector<std::vector<std::int64_t>> of_case;
    for (const rows::CaseOperand& o : c.operands) of_case.emplace_back(o.shape.begin(), o.shape.end());
    shapes.insert(std::move(of_case));
  }
  EXPECT_GE(shapes.size(), 3U);
}

TEST_P(RowCoverage, EveryOptionTakesAnotherValueThanItsDefault) {
  for (const auto& [name, standard] : GetParam().defaults) {
    if (name == "dropout_p") continue;  // a graph has no generator to draw from
    bool varies = false;
    for (const RowTestCase& c : GetParam().cases) varies |= *c.attributes.find(name) != standard;
    EXPECT_TRUE(varies) << "no case sets " << name;
  }
}

TEST_P(RowCoverage, OptionalOperandsAreGivenAndLeftOut) {
  const CompositeRow* row = find_composite(GetParam().name);
  if (row == nullptr) return;
  for (std::size_t k = 0; k < row->operands.size(); ++k) {
    if (!row->optional[k]) continue;
    std::set<bool> left_out;
    for (const RowTestCase& c : GetParam().cases) left_out.insert(c.operands.at(k).kind == rows::CaseOperand::Kind::absent);
    EXPECT_EQ(left_out.size(), 2U) << row->operands[k] << " is always given, or never";
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowCoverage, ::testing::ValuesIn(rows_with_cases()), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cotan::testing
