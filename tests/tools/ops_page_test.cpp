// docs/ops.md is what `cotan ops` prints, names every operation, and its graphs are graphs; `cotan ops NAME` describes one.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "graph/composites/composites.h"
#include "graph/text/text.h"
#include "graph/verify.h"
#include "ops/elementwise.h"
#include "ops/sum_rows.h"
#include "tests/tools/command.h"

namespace cotan::tools_tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* remedy = "docs/ops.md is not what the tables give now; write it anew: build/release/cotan ops > docs/ops.md";

std::string stored_page() {
  std::ifstream in(COTAN_SOURCE_DIR "/docs/ops.md");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(OpsPage, IsWhatTheCommandPrints) {
  const Workplace place;
  const Outcome o = place.cotan("ops");
  ASSERT_EQ(o.status, 0) << o.err;
  const std::string stored = stored_page();
  const std::vector<std::string> want = lines_of(o.out), have = lines_of(stored);
  for (std::size_t i = 0; i < std::min(want.size(), have.size()); ++i) ASSERT_EQ(have[i], want[i]) << "line " << i + 1 << ". " << remedy;
  EXPECT_EQ(have.size(), want.size()) << remedy;
  EXPECT_TRUE(stored == o.out) << remedy;
}

TEST(OpsPage, HasASectionForEveryRow) {
  const std::string page = stored_page();
  const auto expect_section = [&](std::string_view name) {
    EXPECT_NE(page.find(fmt::format("\n### {}\n", name)), std::string::npos) << name << ". " << remedy;
    EXPECT_NE(page.find(fmt::format("[{0}](#{0})", name)), std::string::npos) << name << ". " << remedy;
  };
  for (const ElementwiseRow& row : elementwise_rows()) expect_section(row.name);
  for (const SumRow& row : sum_rows()) expect_section(row.name);
  for (const ReduceRow& row : reduce_rows()) expect_section(row.name);
  for (const CompositeRow& row : composite_rows()) expect_section(row.name);
}

TEST(OpsPage, ShowsGraphsThatAreRead) {
  const std::string page = stored_page();
  std::size_t graphs = 0;
  for (std::size_t begin = page.find("```text\n"); begin != std::string::npos; begin = page.find("```text\n", begin)) {
    begin += 8;
    const std::size_t end = page.find("\n```\n", begin);
    ASSERT_NE(end, std::string::npos);
    const std::string text = page.substr(begin, end + 1 - begin);
    begin = end + 5;
    if (!text.starts_with("func") && !text.starts_with("body")) continue;
    const Function f = parse_function(text, "docs/ops.md");
    verify(f);
    EXPECT_EQ(to_text(f), text);
    ++graphs;
  }
  EXPECT_EQ(graphs, elementwise_rows().size() + sum_rows().size() + reduce_rows().size() + composite_rows().size());
}

TEST(OpsCommand, DescribesOneOperation) {
  const Workplace place;
  const Outcome o = place.cotan("ops leaky_relu");
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, AllOf(HasSubstr("Tensor leaky_relu(Tensor x, double negative_slope = 0.01)"), HasSubstr("{ where(0 < x, x, 0.01 * x) }"),
                           HasSubstr("derivative negative_slope at x = 0"), HasSubstr("return y=%0, d_x=%1"), Not(HasSubstr("```")), Not(HasSubstr("**"))));
  EXPECT_THAT(place.cotan("ops matmul").out,
              AllOf(HasSubstr("a[i,p]"), HasSubstr("oneDNN (matmul)"), HasSubstr("inner sizes differ"), HasSubstr("torch.matmul(a, b)")));
}

TEST(OpsCommand, RefusesAnUnknownNameAndNamesSimilarOnes) {
  const Workplace place;
  const Outcome o = place.cotan("ops conv2");
  EXPECT_EQ(o.status, 2);
  EXPECT_EQ(o.out, "");
  EXPECT_THAT(o.err, AllOf(HasSubstr("no operation has the name conv2"), HasSubstr("conv2d")));
  EXPECT_THAT(place.cotan("ops wobble").err, HasSubstr("docs/ops.md"));
}

}  // namespace
}  // namespace cotan::tools_tests
