// docs/add-a-fusion.md does what it says: the build carried out its example (CMakeLists.txt here).
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "graph/fusion/fusion.h"
#include "tests/project/process.h"

namespace cotan::project {
namespace {

TEST(AddAFusion, TheProgramPrintsWhatThePageSays) {
  const std::string expected = content_of(std::filesystem::path(COTAN_FUSION_FOLDER) / "expected.txt");
  ASSERT_NE(expected, "");
  const Outcome outcome = run(quoted(COTAN_FUSION_PROGRAM));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output, expected);
}

// With a fusion of that name in the library, another example is wanted.
TEST(AddAFusion, TheExampleIsNew) {
  for (const Fusion& f : fusions()) EXPECT_NE(f.name, "fuse_small_maps");
}

}  // namespace
}  // namespace cotan::project
