// What stands in the environment's variables and may not stand there: each is refused by the program, with the variable's name, its value and what is allowed.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/tools/command.h"

namespace cotan::tools_tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Variable {
  std::string name;
  std::vector<std::string> refused, taken;
  std::string allowed;
};

const std::vector<Variable>& variables() {
  static const std::vector<Variable> all = {
      {"COTAN_REPRODUCIBLE", {"yes", "2"}, {"1", "0", ""}, "1 or 0"},
      {"COTAN_VERIFY", {"yes", "full"}, {"1", "0", ""}, "1 or 0"},
      {"COTAN_POISON", {"on", "-1"}, {"1", "0", ""}, "1 or 0"},
      {"COTAN_JIT", {"1", "sse"}, {"0", ""}, "0, avx2 or avx512"},
      {"COTAN_THREADS", {"0", "many", "1025"}, {"1", "3", ""}, "a whole number from 1 to 1024"},
      {"COTAN_PASSES", {"masks", "-nothing"}, {"-masks", "+fast_rules,-layouts", ""}, "switches separated by commas"},
  };
  return all;
}

TEST(EnvironmentVariables, RefuseWhatTheyDoNotKnow) {
  const Workplace place;
  place.write("f.cotan", "func f(x: f32[4]) { %0: f32[4] = exp(x)  return y=%0 }");
  for (const Variable& v : variables()) {
    const char* before = std::getenv(v.name.c_str());
    const std::string saved = before == nullptr ? "" : before;
    for (const std::string& value : v.refused) {
      setenv(v.name.c_str(), value.c_str(), 1);
      const Outcome o = place.cotan("check f.cotan");
      EXPECT_EQ(o.status, 2) << v.name << '=' << value;
      EXPECT_THAT(o.err, AllOf(HasSubstr(fmt::format("the environment variable {} is \"{}\"", v.name, value)), HasSubstr(v.allowed)));
    }
    for (const std::string& value : v.taken) {
      setenv(v.name.c_str(), value.c_str(), 1);
      const Outcome o = place.cotan("check f.cotan");
      EXPECT_EQ(o.status, 0) << v.name << '=' << value << ": " << o.err;
    }
    if (before == nullptr)
      unsetenv(v.name.c_str());
    else
      setenv(v.name.c_str(), saved.c_str(), 1);
  }
}

}  // namespace
}  // namespace cotan::tools_tests
