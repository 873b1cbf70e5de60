// Who maps cotangents: the rules of autograd/rules.h, one for each kind of node, and nobody else. No operation has a backward of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

namespace cotan::project {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string without_comments(const std::string& text) { return std::regex_replace(text, std::regex("//[^\n]*"), ""); }

// Names of functions that look as if they mapped cotangents: something_adjoint, something_backward, something_vjp, grad_something.
std::vector<std::string> suspects(const std::string& text) {
  static const std::regex declaration(R"(\b(\w+_(?:adjoint|backward|vjp|grad)|(?:backward|vjp|grad|adjoint)_\w+)\s*\([^;{)]*(?:Ref|Tensor|cotangent))");
  std::vector<std::string> names;
  const std::string code = without_comments(text);
  for (std::sregex_iterator it(code.begin(), code.end(), declaration), end; it != end; ++it) names.push_back((*it)[1]);
  return names;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Cotangents, AreMappedByOneRuleForEachKind) {
  EXPECT_THAT(suspects(read(std::filesystem::path(COTAN_SOURCE_DIR) / "autograd/rules.h")),
              ElementsAre("map_adjoint", "sum_adjoint", "reduce_adjoint", "scan_adjoint", "cast_adjoint", "call_adjoint"));
}

TEST(Cotangents, AreMappedNowhereElse) {
  std::map<std::string, std::vector<std::string>> found;
  for (const char* folder : {"ops", "graph", "autograd", "backends", "training"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(COTAN_SOURCE_DIR) / folder)) {
      const std::string extension = entry.path().extension().string(), name = entry.path().filename().string();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cpp" && extension != ".def") || name == "rules.h" || name == "rules.cpp") continue;
      std::vector<std::string> names = suspects(read(entry.path()));
      // Uses of the rules by their one caller are no definitions.
      if (name == "differentiate.cpp") std::erase_if(names, [](const std::string& n) { return n.ends_with("_adjoint"); });
      if (!names.empty()) found[entry.path().string()] = names;
    }
  }
  EXPECT_THAT(found, IsEmpty());
}

TEST(Cotangents, TheSearchFindsAPlantedBackward) {
  EXPECT_THAT(suspects("Ref relu_backward(const Ref& x, const Ref& g) {}"), SizeIs(1));
  EXPECT_THAT(suspects("Tensor grad_of_conv(Tensor g);"), SizeIs(1));
  EXPECT_THAT(suspects("// relu_backward(Ref g)"), IsEmpty());
}

}  // namespace
}  // namespace cotan::project
