// The filter that gives Doxygen this code's plain comments: which declaration a comment is taken to describe, and which is left without.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/project/process.h"

namespace cotan::project {
namespace {

const std::string again = "/** See the declaration above. */ ";

std::string filtered(const std::string& header) {
  const ScratchFolder scratch;
  const std::filesystem::path filter = std::filesystem::path(COTAN_SOURCE_DIR) / "cmake/scripts/doxygen_filter.awk";
  const Outcome outcome = run(fmt::format("awk -f {} {}", quoted(filter), quoted(scratch.write("a.h", header))));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  return outcome.output;
}

TEST(DoxygenFilter, MakesTheFirstCommentTheFiles) {
  EXPECT_EQ(filtered("// What is here.\n// More.\n#pragma once\n\nint f();\n"), "/// \\file\n/// What is here.\n/// More.\n\nint f();\n");
}

TEST(DoxygenFilter, TakesACommentForTheDeclarationBelowAndItsRun) {
  EXPECT_EQ(filtered("\n// Meaning.\nint f();\nint g();\n\nint h();\n"), "\n/// Meaning.\nint f();\n" + again + "int g();\n\nint h();\n");
}

TEST(DoxygenFilter, TakesAHeadingForTheRunAfterABlankLine) {
  EXPECT_EQ(filtered("\n// ---- operators\n\nint f();\nint g();\n\nint h();\n"), "\n/// ---- operators\n\nint f();\n" + again + "int g();\n\nint h();\n");
}

TEST(DoxygenFilter, TakesAClassCommentForTheMembersAtItsTop) {
  EXPECT_EQ(filtered("\n// Meaning.\nstruct A {\n  int a = 0, b = 0;\n\n  int c;\n};\n"),
            "\n/// Meaning.\nstruct A {\n" + again + "  int a = 0; " + again + "int b = 0;\n\n  int c;\n};\n");
}

TEST(DoxygenFilter, TakesACommentAtTheEndOfALine) {
  EXPECT_EQ(filtered("\nint a;  // meaning\nint b;  // NOLINT: reason\n"), "\nint a;  ///< meaning\n" + again + "int b;\n");
}

TEST(DoxygenFilter, LeavesFunctionBodiesAlone) {
  const std::string body = "  if (x) {\n    g();\n  }\n\n  return h();\n}\n";
  EXPECT_EQ(filtered("\n// Meaning.\nint f(int x) {\n" + body + "int g();\n"), "\n/// Meaning.\nint f(int x) {\n" + body + again + "int g();\n");
}

}  // namespace
}  // namespace cotan::project
