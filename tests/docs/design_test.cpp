// docs/design.md shows a graph and its gradient: both texts are what the library prints.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "autograd/differentiate.h"
#include "graph/text/text.h"
#include "tests/project/process.h"

namespace cotan::project {
namespace {

// The block after the line <!-- mark -->; empty if there is none.
std::string block_after(const std::string& page, const std::string& mark) {
  const std::string opening = "\n<!-- " + mark + " -->\n```text\n";
  const std::size_t at = page.find(opening);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + opening.size(), end = page.find("```\n", begin);
  return end == std::string::npos ? "" : page.substr(begin, end - begin);
}

TEST(DesignPage, ShowsTheGradientThatIsGenerated) {
  const std::string page = content_of(std::filesystem::path(COTAN_SOURCE_DIR) / "docs/design.md");
  const std::string graph = block_after(page, "graph"), gradient = block_after(page, "gradient");
  ASSERT_NE(graph, "");
  ASSERT_NE(gradient, "");
  Function f = parse_function(graph, "docs/design.md");
  EXPECT_EQ(to_text(f), graph);
  std::vector<Ref> wrt;
  for (const Ref& p : f.parameters)
    for (const char* name : {"w", "b"})
      if (p->as<LeafSpec>().name == name) wrt.push_back(p);
  ASSERT_EQ(wrt.size(), 2U);
  for (const Ref& g : gradients(f.results[0], wrt)) f.results.push_back(g);
  f.result_names.insert(f.result_names.end(), {"d_w", "d_b"});
  EXPECT_EQ(to_text(f), gradient);
}

}  // namespace
}  // namespace cotan::project
