// No object at namespace scope of the library is made before main(): a program's own may be made first, and use it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/project/process.h"

namespace cotan::project {
namespace {

// The names of a library's object files that have something to do before main() or register destructors there.
std::string with_initializers(const std::string& library) {
  const Outcome listed = run(fmt::format("{} --print-file-name {}", project::quoted(COTAN_NM), project::quoted(library)));
  if (listed.status != 0) return listed.output;
  std::string found;
  std::istringstream lines(listed.output);
  for (std::string line; std::getline(lines, line);)
    if (line.find(" _GLOBAL__sub_I_") != std::string::npos || line.find(" __cxx_global_var_init") != std::string::npos) found += line + "\n";
  return found;
}

TEST(Initializers, TheLibraryHasNone) { EXPECT_EQ(with_initializers(COTAN_LIBRARY), ""); }

TEST(Initializers, AreFound) {
  const ScratchFolder scratch;
  const auto source = scratch.write("dynamic.cpp", "#include <string>\nextern const std::string name(\"made before main\");\n");
  const Outcome built = run(fmt::format("cd {} && {} -c -o dynamic.o {}", project::quoted(scratch.path()), project::quoted(COTAN_CXX), project::quoted(source)));
  ASSERT_EQ(built.status, 0) << built.output;
  EXPECT_NE(with_initializers((scratch.path() / "dynamic.o").string()), "");
}

}  // namespace
}  // namespace cotan::project
