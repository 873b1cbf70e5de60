// Cotan as other programs use it: installed below a prefix, found by find_package, linked. The README's first program is built the same way and run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "tests/project/process.h"

namespace cotan::project {
namespace {

namespace fs = std::filesystem;

class InstalledPackage : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_.emplace();
    const Outcome installed = run(fmt::format("{} --install {} --prefix {}", quoted(COTAN_CMAKE), quoted(COTAN_BINARY_DIR), quoted(prefix())));
    ASSERT_EQ(installed.status, 0) << installed.output;
  }
  static void TearDownTestSuite() { scratch_.reset(); }

  static fs::path prefix() { return scratch_->path() / "prefix"; }

  // Builds a program of one source against the installed package, with this project's warnings, in a folder of its own; what running it gave.
  static Outcome build_and_run(const std::string& name, const std::string& source) { return build_and_run(name, {{"main.cpp", source}}); }
  // The same of several files.
  static Outcome build_and_run(const std::string& name, const std::map<std::string, std::string>& files) {
    std::string sources;
    for (const auto& [file, text] : files) {
      scratch_->write(fs::path(name) / file, text);
      sources += " " + file;
    }
    scratch_->write(fs::path(name) / "CMakeLists.txt",
                    "cmake_minimum_required(VERSION 3.25)\n"
                    "project(consumer CXX)\n"
                    "find_package(cotan 0.1 REQUIRED)\n"
                    "add_executable(consumer" + sources + ")\n"
                    "target_compile_options(consumer PRIVATE -Wall -Wextra -Werror)\n"
                    "target_link_libraries(consumer PRIVATE cotan::cotan)\n");
    const fs::path folder = scratch_->path() / name;
    const Outcome built =
        run(fmt::format("{0} -G Ninja -S {1} -B {1}/build -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH={2} -DCMAKE_CXX_COMPILER={3} && {0} --build {1}/build",
                        quoted(COTAN_CMAKE), quoted(folder), quoted(prefix()), quoted(COTAN_CXX)));
    if (built.status != 0) return {built.status, fmt::format("the program was not built:\n{}", built.output)};
    return run(fmt::format("cd {} && build/consumer", quoted(folder)));
  }

 private:
  static std::optional<ScratchFolder> scratch_;
};

std::optional<ScratchFolder> InstalledPackage::scratch_;

TEST_F(InstalledPackage, HasItsHeadersBelowItsOwnName) {
  EXPECT_TRUE(fs::is_regular_file(prefix() / "include/cotan/ops/error.h"));
  EXPECT_TRUE(fs::is_regular_file(prefix() / "include/cotan/training/mnist.h"));
  EXPECT_TRUE(fs::is_regular_file(prefix() / "include/cotan/cotan.h"));
  EXPECT_FALSE(fs::exists(prefix() / "include/cotan/training/cotan")) << "the umbrella header is installed twice";
  for (const auto& entry : fs::directory_iterator(prefix() / "include")) EXPECT_EQ(entry.path().filename(), "cotan");
}

// oneDNN is the library's own business: what a program includes must not need its headers.
TEST_F(InstalledPackage, InstallsNoHeaderThatNeedsOneDnn) {
  for (const auto& entry : fs::recursive_directory_iterator(prefix() / "include")) {
    if (entry.is_regular_file()) {
      EXPECT_EQ(content_of(entry.path()).find("#include <oneapi/"), std::string::npos) << entry.path();
    }
  }
}

TEST_F(InstalledPackage, IsFoundCompiledAgainstAndLinked) {
  const Outcome outcome = build_and_run("consumer",
                                        "#include <cotan/cotan.h>\n"
                                        "#include <cotan/ops/error.h>\n"
                                        "#include <cotan/training/mnist.h>\n"
                                        "#include <iostream>\n"
                                        "int main() {\n"
                                        "  try {\n"
                                        "    (void)cotan::training::load_mnist(\"/nowhere\");\n"
                                        "  } catch (const cotan::Error& error) {\n"
                                        "    std::cout << error.function() << '\\n';\n"
                                        "    return 0;\n"
                                        "  }\n"
                                        "  return 1;\n"
                                        "}\n");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "load_mnist\n");
}

// Tensors, variables, layers, generators, optimizers and compiled functions that are made before main() and used before, in and behind it, in two files and
// by threads that end.
TEST_F(InstalledPackage, ObjectsAtNamespaceScopeWorkBeforeAndBehindMain) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(fs::path(COTAN_SOURCE_DIR) / "tests/project/static_objects"))
    files[entry.path().stem().string()] = content_of(entry.path());  // "one.cpp.in"
  const Outcome outcome = build_and_run("static_objects", files);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  for (const char* line :
       {"one: 25", "two: 17", "one, in a thread: 25", "at the end of a thread: 4", "a tensor of a thread that is gone: 8", "before the objects of one: 12",
        "a step: 4.5", "everything with them: 14", "compiled: 3", "a model: 2", "behind the objects of one: 6", "everything behind them: 14", "behind two: 20",
        "a draw: 6"})
    EXPECT_NE(("\n" + outcome.output).find(std::string("\n") + line + "\n"), std::string::npos) << line << "\nin\n" << outcome.output;
  EXPECT_NE(outcome.output.find("one that was not computed: Error: "), std::string::npos) << outcome.output;
}

// The first block of README.md that is marked as C++; empty if there is none.
std::string first_cpp_block(const std::string& markdown) {
  const std::string opening = "\n```cpp\n";
  const std::size_t begin = markdown.find(opening);
  if (begin == std::string::npos) return "";
  const std::size_t end = markdown.find("\n```", begin + opening.size());
  if (end == std::string::npos) return "";
  return markdown.substr(begin + opening.size(), end + 1 - begin - opening.size());
}

TEST(FirstCppBlock, IsWhatStandsBetweenItsFences) {
  EXPECT_EQ(first_cpp_block("# A\n```bash\nls\n```\n```cpp\nint a;\n\nint b;\n```\n```cpp\nint c;\n```\n"), "int a;\n\nint b;\n");
  EXPECT_EQ(first_cpp_block("no code"), "");
  EXPECT_EQ(first_cpp_block("\n```cpp\nnever closed\n"), "");
}

TEST_F(InstalledPackage, BuildsAndRunsTheProgramOfTheReadme) {
  const std::string program = first_cpp_block(content_of(fs::path(COTAN_SOURCE_DIR) / "README.md"));
  ASSERT_NE(program, "") << "README.md has no block marked cpp";
  const Outcome outcome = build_and_run("readme", program);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output, "");
}

}  // namespace
}  // namespace cotan::project
