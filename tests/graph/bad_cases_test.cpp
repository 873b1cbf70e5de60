// Mistakes that the rows foresee: each throws an error with the row's text, the row's name as the function, and a remedy.
#include <gtest/gtest.h>

#include "graph/builder.h"
#include "ops/error.h"
#include "tests/support/elementwise_points.h"
#include "tests/support/row_cases.h"

namespace cotan::testing {
namespace {

class BadCases : public ::testing::TestWithParam<RowTestCase> {};

TEST_P(BadCases, ThrowWithTheRowsTextNameAndARemedy) {
  const RowTestCase& c = GetParam();
  const std::vector<Ref> operands = parameters_of(c.operands);
  try {
    static_cast<void>(c.record(operands));
    FAIL() << "nothing was thrown; expected an error with \"" << c.error << "\"";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(c.error), std::string::npos) << e.what();
    EXPECT_EQ(e.function(), c.row) << e.what();
    EXPECT_FALSE(e.remedy().empty()) << e.what();
    EXPECT_FALSE(c.error.empty()) << "a bad case says what its error contains";
    for (const std::string& text : {e.problem(), e.remedy()}) EXPECT_NE(text.back(), '.') << "both texts are phrases without a final period: " << e.what();
  }
}

INSTANTIATE_TEST_SUITE_P(All, BadCases, ::testing::ValuesIn(row_test_cases(true)), case_name);

// The user's line and the public function's name come with the error.
TEST(CallSites, NameTheUsersLineAndTheRow) {
  const Ref a = graph::parameter("a", f32, {3, 4}), b = graph::parameter("b", f32, {5, 2});
  const CallSite user("forward", SourceLine("model.cpp", 12));
  try {
    static_cast<void>(graph::matmul(a, b));
    FAIL() << "a matrix product of sizes that do not fit was recorded";
  } catch (const Error& e) {
    EXPECT_EQ(e.function(), "matmul");
    EXPECT_EQ(e.where(), SourceLine("model.cpp", 12));
    EXPECT_NE(std::string(e.what()).find("(3, 4) x (5, 2)"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("(at model.cpp:12)"), std::string::npos) << e.what();
  }
}

// Every elementwise row refuses operands of two types, and says which; but those that ask each operand whether it is true.
class ElementwiseErrors : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ElementwiseErrors, MixedTypesNameTheRowTheTypesAndTheCast) {
  const ElementwiseRow& row = elementwise_rows()[GetParam()];
  if (row.operands.size() < 2 || row.name.starts_with("logical_")) return;
  std::vector<Ref> operands(row.operands.size(), graph::parameter("x", f32, {2}));
  operands.back() = graph::parameter("n", i32, {2});
  if (row.operands.size() == 3) operands[0] = graph::parameter("condition", DType::boolean, {2});
  try {
    static_cast<void>(graph::elementwise(static_cast<ElementwiseId>(GetParam()), operands, standard_parameters(row)));
    FAIL() << row.name << " of f32 and i32 was recorded";
  } catch (const Error& e) {
    EXPECT_EQ(e.function(), row.name) << e.what();
    EXPECT_TRUE(e.problem().find("f32") != std::string::npos || e.problem().find("i32") != std::string::npos) << e.what();
    EXPECT_NE(e.remedy().find("ast"), std::string::npos) << "the remedy is a cast: " << e.what();
  }
}

TEST_P(ElementwiseErrors, ShapesThatDoNotBroadcastAreNamed) {
  const ElementwiseRow& row = elementwise_rows()[GetParam()];
  if (row.operands.size() < 2) return;
  const std::vector<DType> types = signature_of(row, f32).value();
  std::vector<Ref> operands;
  for (std::size_t k = 0; k < types.size(); ++k)
    operands.push_back(graph::parameter(std::string(row.operands[k]), types[k], {static_cast<std::int64_t>(k) + 3}));
  try {
    static_cast<void>(graph::elementwise(static_cast<ElementwiseId>(GetParam()), operands, standard_parameters(row)));
    FAIL() << row.name << " of (3,) and (4,) was recorded";
  } catch (const Error& e) {
    EXPECT_EQ(e.function(), row.name) << e.what();
    EXPECT_NE(e.problem().find("(3,)"), std::string::npos) << e.what();
    EXPECT_NE(e.problem().find("(4,)"), std::string::npos) << e.what();
    EXPECT_FALSE(e.remedy().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(All, ElementwiseErrors, ::testing::Range(std::size_t{0}, elementwise_rows().size()),
                         [](const auto& info) { return std::string(elementwise_rows()[info.param].name); });

// Every case of every row on every type: it records, or the error is the user's, under the row's name.
class RowDtypes : public ::testing::TestWithParam<RowTestCase> {};

TEST_P(RowDtypes, RecordsOrSaysWhyNot) {
  const RowTestCase& c = GetParam();
  int recorded = 0;
  for (DType t : {f32, f64, i32, u8, DType::boolean}) {
    const std::vector<Ref> operands = parameters_of(c.operands, t);
    try {
      const std::vector<Ref> results = c.record(operands);
      ASSERT_FALSE(results.empty());
      ++recorded;
    } catch (const Error& e) {
      EXPECT_FALSE(is_floating(t)) << e.what();
      EXPECT_EQ(e.function(), c.row) << e.what();
      EXPECT_NE(e.problem().find(name_of(t)), std::string::npos) << "the type is named: " << e.what();
      EXPECT_FALSE(e.remedy().empty()) << e.what();
    }
  }
  EXPECT_GE(recorded, 2);
}

INSTANTIATE_TEST_SUITE_P(All, RowDtypes, ::testing::ValuesIn(row_test_cases()), case_name);

}  // namespace
}  // namespace cotan::testing
