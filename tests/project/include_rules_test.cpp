// The direction of includes: that the checker finds planted violations, and that the project has none.
#include "tests/project/include_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cotan::project {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A small project that keeps the rules; each test breaks one.
Sources lawful() {
  return {
      {"ops/shape.h", "#pragma once\n#include <vector>\n"},
      {"graph/node.h", "#include \"ops/shape.h\"\n"},
      {"graph/executor.h", "#include \"graph/node.h\"\n"},
      {"autograd/tensor.h", "#include \"graph/executor.h\"\n"},
      {"backends/loops/kernel.h", "#include \"graph/node.h\"\n"},
      {"backends/onednn/primitive.h", "#include <oneapi/dnnl/dnnl.hpp>\n"},
      {"backends/onednn/claims.h", "#include \"graph/executor.h\"\n"},
      {"backends/onednn/claims.cpp", "#include \"backends/onednn/claims.h\"\n#include \"backends/onednn/primitive.h\"\n"},
      {"backends/parallel/team.h", "#include \"ops/shape.h\"\n"},
      {"backends/parallel/team.cpp", "#include \"backends/parallel/team.h\"\n#include <tbb/task_arena.h>\n"},
      {"training/loader.cpp", "#include <tbb/flow_graph.h>\n"},
      {"training/cotan/cotan.h", "#include \"autograd/tensor.h\"\n"},
      {"examples/c1.cpp", "#include <cotan/cotan.h>\n"},
      {"tools/main.cpp", "#include \"backends/onednn/claims.h\"\n"},
      {"tests/onednn/a_test.cpp", "#include \"backends/onednn/primitive.h\"\n"},
  };
}

std::vector<std::string> violations_with(const std::string& path, const std::string& text) {
  Sources sources = lawful();
  sources[path] = text;
  return include_violations(sources);
}

TEST(IncludeRules, ALawfulProjectHasNoViolation) { EXPECT_THAT(include_violations(lawful()), IsEmpty()); }

TEST(IncludeRules, FindsAnIncludeAgainstTheDirection) {
  EXPECT_THAT(violations_with("ops/bad.h", "#include \"ops/shape.h\"\n#include \"graph/node.h\"\n"),
              ElementsAre("ops/bad.h:2 includes graph/node.h: ops/ may include from ops only"));
  EXPECT_THAT(violations_with("graph/bad.cpp", "#include \"autograd/tensor.h\"\n"), ElementsAre(HasSubstr("graph/ may include from graph, ops only")));
  EXPECT_THAT(violations_with("backends/bad.h", "#include <cotan/cotan.h>\n"), ElementsAre(HasSubstr("backends/bad.h:1 includes cotan/cotan.h")));
  EXPECT_THAT(violations_with("training/bad.h", "#include \"tests/onednn/a_test.cpp\"\n"), testing::Contains(HasSubstr("training/ may include from")));
}

TEST(IncludeRules, KeepsAutogradAndBackendsApart) {
  EXPECT_THAT(violations_with("autograd/bad.h", "#include \"backends/loops/kernel.h\"\n"), ElementsAre(HasSubstr("autograd/bad.h:1")));
  EXPECT_THAT(violations_with("backends/loops/bad.h", "\n\n  #  include \"autograd/tensor.h\"\n"), ElementsAre(HasSubstr("backends/loops/bad.h:3")));
}

TEST(IncludeRules, KeepsOneDnnInItsFolder) {
  EXPECT_THAT(violations_with("backends/loops/bad.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n"), ElementsAre(HasSubstr("oneDNN is for backends/onednn/")));
  EXPECT_THAT(violations_with("graph/bad.cpp", "#include <dnnl.hpp>\n"), ElementsAre(HasSubstr("oneDNN is for")));
}

TEST(IncludeRules, FindsALibrarySeenThroughOtherHeaders) {
  Sources sources = lawful();
  sources["backends/onednn/claims.h"] = "#include \"backends/onednn/primitive.h\"\n";
  EXPECT_THAT(include_violations(sources), ElementsAre(HasSubstr("tools/main.cpp:1 includes backends/onednn/claims.h: oneDNN is for")));
}

TEST(IncludeRules, KeepsTbbInItsFolders) {
  EXPECT_THAT(violations_with("graph/bad.cpp", "#include <tbb/parallel_for.h>\n"), ElementsAre(HasSubstr("TBB is for backends/parallel/")));
  EXPECT_THAT(violations_with("backends/parallel/team.h", "#include <oneapi/tbb.h>\n"), IsEmpty());
}

TEST(IncludeRules, WantsIncludesFromTheRoot) {
  EXPECT_THAT(violations_with("graph/bad.h", "#include \"node.h\"\n"), ElementsAre(HasSubstr("from the repository's root")));
  EXPECT_THAT(violations_with("graph/bad.h", "#include \"../ops/shape.h\"\n"), ElementsAre(HasSubstr("from the repository's root")));
  EXPECT_THAT(violations_with("graph/bad.h", "#include \"ops/absent.h\"\n"), ElementsAre(HasSubstr("there is no such file")));
}

TEST(IncludeRules, LeavesCommentsAndOtherLibrariesAlone) {
  EXPECT_THAT(violations_with("ops/fine.h", "// #include \"graph/node.h\"\n/* a\n#include \"graph/node.h\"\n*/\n#include <graphviz/cgraph.h>\n"), IsEmpty());
  EXPECT_THAT(violations_with("ops/bad.h", "/* a */\n/* b\n*/\n#include \"graph/node.h\"\n"), ElementsAre(HasSubstr("ops/bad.h:4")));
}

TEST(IncludeRules, HoldInThisProject) {
  const Sources sources = read_sources(COTAN_SOURCE_DIR);
  EXPECT_EQ(sources.count("ops/error.h"), 1U);
  EXPECT_EQ(sources.count("tests/project/include_rules.h"), 1U);
  EXPECT_THAT(include_violations(sources), IsEmpty());
}

}  // namespace
}  // namespace cotan::project
