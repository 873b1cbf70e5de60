// Programs of crossing_graph.h against the reference: fused, unfused, with some passes only, reproducible, at 1 and at 7 threads.
#pragma once

#include "graph/executor.h"
#include "tests/support/crossing_graph.h"
#include "tests/support/failures.h"

namespace cotan::testing {

// What a comparison came to.
struct Comparison {
  Failures failures;
  bool undecided = false;  // a step stands at its edge, and rounding decides on which side: no failure
};

// The program compiled in each way against the reference in float64. A result may differ from it
//
//     float32   by 3e-5 of the largest number of its tensor
//     float64   by 1e-11 of that
//
// or by 50 times what the reference in the program's own types differs by: what cancels leaves the roundings of what it is made of. NaN and infinity are
// where the reference has them. Programs in reproducible mode have the same bits at 1 and at 7 threads.
// `off`: passes and fusions that are off in all of them, to see whether they are to blame.
[[nodiscard]] Comparison compare_crossing(const CrossingGraph& g, std::uint64_t seed, std::span<const std::string> off = {});

}  // namespace cotan::testing
