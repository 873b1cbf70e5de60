// docs/ir.md shows a function; the tool reads it as it stands there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/tools/command.h"

namespace cotan::tools_tests {
namespace {

TEST(Documentation, ItsExampleIsRead) {
  std::ifstream in(COTAN_SOURCE_DIR "/docs/ir.md");
  const std::string page(std::istreambuf_iterator<char>(in), {});
  const std::size_t begin = page.find("    func step("), end = page.find("\n    }\n", begin);
  ASSERT_NE(end, std::string::npos);
  const Workplace place;
  const Outcome o = place.cotan("show -", page.substr(begin, end + 7 - begin));
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.out, ::testing::HasSubstr("return loss=%6, logits=%3"));
}

}  // namespace
}  // namespace cotan::tools_tests
