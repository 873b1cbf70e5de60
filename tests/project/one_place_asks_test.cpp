// Who asks the system about the machine: one place for the compiler, and those that count threads, map memory or measure. A decision that asked by itself would
// make plans, and what tests expect of them, depend on the processor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "tests/project/process.h"

namespace cotan::project {
namespace {

namespace fs = std::filesystem;

// Words that ask the processor or the system what there is.
bool asks(const std::string& text) {
  static const std::regex words(R"(\bsysconf\b|\bgetauxval\b|__builtin_cpu|\bcpuid\b|xbyak_util|)"
                                R"(SupportedTargets|get_effective_cpu_isa|hardware_concurrency|/proc/cpuinfo)");
  return std::regex_search(std::regex_replace(text, std::regex("//[^\n]*"), ""), words);
}

TEST(OnePlaceAsks, TheWordsAreFound) {
  EXPECT_TRUE(asks("const long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);"));
  EXPECT_TRUE(asks("if (__builtin_cpu_supports(\"avx512f\")) return 1;"));
  EXPECT_FALSE(asks("// sysconf would\nreturn target.second_cache;"));
}

TEST(OnePlaceAsks, OfAllThatCompiles) {
  const std::set<std::string> may{
      "graph/target.cpp",                    // the compiler's one place
      "backends/loops/jit/code_memory.cpp",  // how large a page is
      "backends/machine.cpp",                // measures peaks for profiles
      "backends/parallel/threads.cpp",       // the number of threads
  };
  std::set<std::string> found;
  for (const char* folder : {"ops", "graph", "autograd", "backends"})
    for (const fs::directory_entry& file : fs::recursive_directory_iterator(fs::path(COTAN_SOURCE_DIR) / folder))
      if (file.is_regular_file() && asks(content_of(file.path()))) found.insert(fs::relative(file.path(), COTAN_SOURCE_DIR).string());
  EXPECT_EQ(found, may);
}

}  // namespace
}  // namespace cotan::project
