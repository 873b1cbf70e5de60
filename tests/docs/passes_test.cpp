// docs/passes.md has a section for each pass and each fusion, in their order; what it shows before and after is what each gives by itself.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "graph/fusion/fusion.h"
#include "graph/layouts/blocking.h"
#include "graph/passes/pass.h"
#include "graph/text/print.h"
#include "graph/text/text.h"
#include "graph/verify.h"
#include "tests/docs/pages.h"

namespace cotan::project {
namespace {

std::string the_page() { return page("passes.md"); }

// The names in the page's headings "### `name`", in order.
std::vector<std::string> sections() {
  std::vector<std::string> names;
  std::istringstream in(the_page());
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("### `") && line.ends_with("`")) names.push_back(line.substr(5, line.size() - 6));
  return names;
}

std::vector<std::string> passes_and_fusions() {
  std::vector<std::string> names;
  for (const Pass& p : pipeline()) names.emplace_back(p.name);
  for (const Fusion& f : fusions()) names.emplace_back(f.name);
  return names;
}

TEST(PassesPage, ListsThePipelineAndTheFusions) { EXPECT_EQ(sections(), passes_and_fusions()); }

// A result that has a parameter's name is the parameter's next value.
std::vector<Update> updates_of(const Function& f) {
  std::vector<Update> updates;
  for (std::size_t r = 0; r < f.result_names.size(); ++r)
    for (std::size_t p = 0; p < f.parameters.size(); ++p)
      if (f.parameters[p]->as<LeafSpec>().name == f.result_names[r]) updates.push_back({static_cast<int>(r), static_cast<int>(p)});
  return updates;
}

// Groups::text() with the names that the function's text has: it counts parameters as well.
std::string with_names(const Groups& groups) {
  const std::vector<Node*> order = topological(groups.function().results);
  const text_form::Names names(groups.function());
  std::string out;
  std::istringstream in(groups.text());
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    out += word;
    while (words >> word) out += fmt::format(" {}", names.of({order.at(std::stoul(word.substr(1))), 0}));
    out += "\n";
  }
  return out;
}

// The channels of a block in which the backends want the function's convolutions; 1: none.
std::int64_t blocks_of(const Function& f) {
  for (Node* n : topological(f.results))
    for (const Backend* backend : backends())
      for (const Blocking& blocking : backend->blockings(Ref(n), {}))
        if (const auto split = one_split(blocking)) return split->block;
  return 1;
}

// What the page shows before and after the pass or fusion of this name, under `example`, is what it does.
void expect_shown(const std::string& name, const std::string& example) {
  const std::string before = block_after(the_page(), "before " + example), after = block_after(the_page(), "after " + example);
  ASSERT_NE(before, "") << example;
  ASSERT_NE(after, "") << example;
  const Function f = parse_function(before, "docs/passes.md");
  EXPECT_EQ(to_text(f), before);
  CompileOptions options;
  options.passes = PassSwitches("-all");
  if (name != "inline_calls") options.passes = options.passes.with(name, true);  // which always runs
  options.updates = updates_of(f);
  const std::vector<Node*> order = topological(f.results);
  Positions positions(order);
  Claims claims(options.backends);
  PassContext context{options, positions, claims};
  std::vector<PassRecord> records;
  const Function made = run_passes(f, context, records);
  verify(made);
  bool is_fusion = false;
  for (const Fusion& fusion : fusions()) is_fusion |= fusion.name == name;
  if (!is_fusion) {
    // The page shows blocks of sixteen channels. Where the library wants others, the net is in those.
    if (name != "layouts" || blocks_of(f) == 16) {
      EXPECT_EQ(to_text(made), after);
    } else {
      EXPECT_EQ(to_text(made) == before, blocks_of(f) == 1);
    }
    return;
  }
  EXPECT_EQ(to_text(made), before);
  Groups groups(made, context);
  run_fusions(groups, records);
  EXPECT_EQ(with_names(groups), after);
}

class PassesPage : public ::testing::TestWithParam<std::string> {};

TEST_P(PassesPage, ShowsWhatItDoes) { expect_shown(GetParam(), GetParam()); }

TEST(PassesPage, ShowsRegionsOfImages) { expect_shown("fuse_regions", "fuse_regions: images"); }

INSTANTIATE_TEST_SUITE_P(Each, PassesPage, ::testing::ValuesIn(passes_and_fusions()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace cotan::project
