// One function compiled in several ways, each against the reference.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "backends/reference/reference.h"
#include "graph/executor.h"
#include "tests/support/failures.h"

namespace cotan::testing {

// A way to compile.
struct Way {
  std::string name;
  CompileOptions options;
};

// What a comparison came to.
struct Comparison {
  Failures failures;
  bool undecided = false;  // a step stands at its edge, and rounding decides on which side: no failure
};

// The function compiled in each way against the reference in float64. A result may differ from it
//
//     float32   by 3e-5 of the largest number of its tensor, or of 1e-3
//     float64   by 1e-11 of that
//     bf16      by 8e-3 of that
//
// or by 50 times what the reference in the program's own types differs by: what cancels leaves the roundings of what it is made of; a float32 tensor in
// which everything cancels, by 1e-5. NaN and infinity are
// where the reference has them; but an entry that a view leaves out need not be multiplied with NaN as if it were a zero, as it is not where the view is part
// of the sum. All ways in reproducible mode have the same bits.
[[nodiscard]] Comparison compare_ways(const Function& f, const std::vector<reference::Array>& inputs, std::span<const Way> ways);

}  // namespace cotan::testing
