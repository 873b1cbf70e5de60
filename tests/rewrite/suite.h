// The suite of graphs, before and after.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace cotan::rewrite_test {

struct Case {
  std::string name;
  std::string before, after;
  std::vector<std::string> rules;  // that must have been applied
  bool fast = false;               // with the fast rules
};
[[nodiscard]] std::vector<Case> suite();
// For the names of failing tests.
inline void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

}  // namespace cotan::rewrite_test
