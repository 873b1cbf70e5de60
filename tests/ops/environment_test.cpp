// The environment's switches: 1 and 0, and an error for anything else.
#include "ops/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "ops/error.h"

namespace cotan {
namespace {

TEST(Environment, ASwitchIsOneOrZero) {
  EXPECT_TRUE(parse_switch("COTAN_X", "1"));
  EXPECT_FALSE(parse_switch("COTAN_X", "0"));
  EXPECT_FALSE(parse_switch("COTAN_X", ""));
  for (const std::string text : {"yes", "2", "on", " 1", "1 ", "true", "00"}) {
    try {
      static_cast<void>(parse_switch("COTAN_X", text));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.problem(), "the environment variable COTAN_X is \"" + text + "\"");
      EXPECT_EQ(error.remedy(), "Set it to 1 or 0, or unset it");
    }
  }
}

TEST(Environment, IsReadAsItStands) {
  setenv("COTAN_ENVIRONMENT_TEST", "1", 1);
  EXPECT_TRUE(environment_switch("COTAN_ENVIRONMENT_TEST"));
  setenv("COTAN_ENVIRONMENT_TEST", "maybe", 1);
  EXPECT_EQ(environment("COTAN_ENVIRONMENT_TEST"), "maybe");
  EXPECT_THROW(static_cast<void>(environment_switch("COTAN_ENVIRONMENT_TEST")), Error);
  unsetenv("COTAN_ENVIRONMENT_TEST");
  EXPECT_EQ(environment("COTAN_ENVIRONMENT_TEST"), "");
  EXPECT_FALSE(environment_switch("COTAN_ENVIRONMENT_TEST"));
}

}  // namespace
}  // namespace cotan
