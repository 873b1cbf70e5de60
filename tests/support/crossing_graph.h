// Random programs around the compiler's thresholds: what random_graph.h, whose tensors are small, does not reach.
//
// A program is drawn from building blocks (crossing_blocks.h): products and convolutions large enough for primitives, to be cut and to be blocked; sums
// without factors and sums that place their output; masks, pads, concatenations and narrows around composites; poolings with windows that overlap; stored
// bf16 and integers between them. Then comes what a training step asks of it: gradients, gradients of two losses added, penalties, a step of the input
// against its gradient, updates of parameters, one element of a long vector.
//
//     const CrossingGraph g = crossing_graph(seed);
//     run_compiled(g.function, g.inputs.arrays(), options);
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/executor.h"
#include "tests/support/inputs.h"

namespace cotan::testing {

struct CrossingGraph {
  Function function;
  Inputs inputs;  // the function's parameters with values, as their types hold them
  std::vector<Update> updates;
  bool exact = false;               // values are small multiples of powers of two, so that hardly anything rounds and no step stands at its edge
  bool nonfinite = false;           // an input holds NaN or infinity
  std::vector<std::string> blocks;  // what it was drawn from
  std::vector<std::string> refusals;  // what operations said against a batch of no examples, which none should
};

// The program of that seed.
[[nodiscard]] CrossingGraph crossing_graph(std::uint64_t seed);

// About how many nanoseconds the reference takes for the nodes that these results need.
[[nodiscard]] double reference_cost(std::span<const Ref> results);

}  // namespace cotan::testing
