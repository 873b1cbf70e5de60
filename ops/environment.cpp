#include "ops/environment.h"

#include <fmt/format.h>

#include <cstdlib>

#include "ops/error.h"

namespace cotan {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void refuse_environment(const char* name, const std::string& value, const std::string& allowed) {
  fail(fmt::format("the environment variable {} is \"{}\"", name, value), fmt::format("Set it to {}, or unset it", allowed));
}

bool parse_switch(const char* name, const std::string& text) {
  if (text == "1") return true;
  if (text.empty() || text == "0") return false;
  refuse_environment(name, text, "1 or 0");
}

}  // namespace cotan
