// docs/add-an-op.md does what it says: the build carried out its example (CMakeLists.txt here), and these tests look at the outcome.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/project/process.h"

namespace cotan::project {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string row_tests(const std::string& arguments) { return fmt::format("{} {}", quoted(COTAN_PAGE_ROW_TESTS), arguments); }

// The tests that were generated from the page's rows, as GoogleTest names them.
class GeneratedTests : public ::testing::TestWithParam<std::string> {};

TEST_P(GeneratedTests, ExistAndPass) {
  const Outcome list = run(row_tests(fmt::format("--gtest_list_tests --gtest_filter={}", quoted(fs::path(GetParam())))));
  ASSERT_EQ(list.status, 0) << list.output;
  EXPECT_NE(list.output, "") << "no test is named " << GetParam();
  const Outcome outcome = run(row_tests(fmt::format("--gtest_filter={}", quoted(fs::path(GetParam())))));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("[  PASSED  ]"));
}

INSTANTIATE_TEST_SUITE_P(OfTheNewRows, GeneratedTests,
                         ::testing::Values("All/ElementwiseRows.ValueEqualsTheOracleInFloat64/squash",
                                           "All/ElementwiseRows.ValueEqualsTheOracleInFloat32/squash", "All/ElementwiseRows.DerivativesEqualDifferences/squash",
                                           "All/ElementwiseRows.StatedDerivativesEqualDerivedOnes/squash", "All/ElementwiseRows.*/squash",
                                           "All/RowDerivatives.*/polynomial_product_0", "All/RowDerivatives.*/polynomial_product_1",
                                           "All/BadCases.*/polynomial_product_*", "All/RowDerivatives.*/relative_loss_0",
                                           "All/RowDerivatives.*/relative_loss_1", "All/BadCases.*/relative_loss_*"),
                         [](const auto& info) { return fmt::format("Filter{}", info.index); });

TEST(AddAnOp, TheProgramPrintsWhatThePageSays) {
  const std::string expected = content_of(fs::path(COTAN_PAGE_FOLDER) / "expected.txt");
  ASSERT_NE(expected, "");
  const Outcome outcome = run(quoted(COTAN_PAGE_PROGRAM));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output, expected);
}

// The page adds rows that the library does not have: with one of its own, another example is wanted.
TEST(AddAnOp, TheExampleIsNew) {
  for (const char* table : {"ops/elementwise.def", "ops/sums.def", "graph/composites/composites.def"}) {
    const std::string rows = content_of(fs::path(COTAN_SOURCE_DIR) / table);
    ASSERT_NE(rows, "") << table;
    for (const char* row : {"(squash,", "SUM(polynomial_product,", ", relative_loss,"}) EXPECT_EQ(rows.find(row), std::string::npos) << table << " has " << row;
  }
}

// What carries the page out notices a page that is not as it expects.
class ApplyPage : public ::testing::Test {
 protected:
  [[nodiscard]] Outcome apply(const std::string& page) const {
    scratch_.write("page.md", page);
    scratch_.write("checkout/a.def", "old row\n");
    fs::create_directories(scratch_.path() / "to");
    return run(fmt::format("awk -v root={0}/checkout -v to={0}/to -f {1} {0}/page.md", quoted(scratch_.path()),
                           quoted(fs::path(COTAN_SOURCE_DIR) / "tests/docs/apply_page.awk")));
  }
  [[nodiscard]] std::string made(const std::string& name) const { return content_of(scratch_.path() / "to" / name); }

  ScratchFolder scratch_;
};

TEST_F(ApplyPage, AppendsCreatesAndKeepsWhatIsPrinted) {
  const Outcome outcome = apply(
      "# Page\n```cpp\nnot marked\n```\n<!-- append to: a.def -->\n```cpp\nrow 1\n```\ntext\n\n<!-- append to: a.def -->\n```cpp\nrow 2\n```\n"
      "<!-- new file: b.cpp -->\n```cpp\nint b;\n```\n\nprints\n\n```text\n42\n```\n");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(made("a.def"), "old row\nrow 1\nrow 2\n");
  EXPECT_EQ(made("b.cpp"), "int b;\n");
  EXPECT_EQ(made("expected.txt"), "42\n");
}

TEST_F(ApplyPage, InsertsBeforeTheOneLineThatBeginsSo) {
  const std::string block = "-->\n```cpp\n  new row\n```\n", append = "<!-- append to: a.def -->\n```cpp\nlast row\n```\n";
  const Outcome outcome = apply("<!-- insert in: a.def before: old " + block + append);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(made("a.def"), "  new row\nold row\nlast row\n");
  EXPECT_NE(apply("<!-- insert in: a.def before: another " + block).status, 0);
}

TEST_F(ApplyPage, RefusesAPageWithoutMarksOrWithoutTheBlock) {
  EXPECT_NE(apply("# Page\n```cpp\nint a;\n```\n").status, 0);
  EXPECT_NE(apply("<!-- new file: b.cpp -->\ntext in between\n```cpp\nint b;\n```\n").status, 0);
  EXPECT_NE(apply("<!-- append to: missing.def -->\n```cpp\nrow\n```\n").status, 0);
  EXPECT_NE(apply("<!-- new file: b.cpp -->\n```cpp\nnever closed\n").status, 0);
}

}  // namespace
}  // namespace cotan::project
