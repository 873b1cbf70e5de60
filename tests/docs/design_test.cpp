// docs/design.md shows a graph and its gradient: both texts are what the library prints.
#include <gtest/gtest.h>

#include <string>

#include "autograd/differentiate.h"
#include "graph/text/text.h"
#include "tests/docs/pages.h"

namespace cotan::project {
namespace {

TEST(DesignPage, ShowsTheGradientThatIsGenerated) {
  const std::string text = page("design.md"), graph = block_after(text, "graph"), gradient = block_after(text, "gradient");
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
