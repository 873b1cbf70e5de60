// For every rule, graphs that its left side is: a rule is tested by being in the table.
#pragma once

#include <string>
#include <vector>

#include "graph/rewrite/engine.h"
#include "tests/support/random.h"

namespace cotan::rewrite_test {

struct Sample {
  std::string name;
  Function function;
};

// The left side as one formula and as one node an operation, for each of the rule's types, numbers of `constant` variables drawn; a step's own
// sample, of an exact one with other numbers too.
[[nodiscard]] std::vector<Sample> samples_of(const rewrite::Rule& rule, testing::Random& random, const Shape& shape, int axis);

}  // namespace cotan::rewrite_test
