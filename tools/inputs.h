// Functions from text as tensors to evaluate, on random inputs.
#pragma once

#include <cstdint>
#include <vector>

#include "autograd/profile/profile.h"
#include "graph/node.h"

namespace cotan::tools {

// A value for each parameter, the same for the same seed: floating ones uniform in [-1, 1), booleans at random, integers in the range that a check in the
// function asks of them, or else in [0, 8).
[[nodiscard]] std::vector<Tensor> random_inputs(const Function& f, std::uint64_t seed);

// The function as one that records its results on tensors, as profile() and verify() take it. Copies of it share nodes; it belongs to this thread.
[[nodiscard]] ProfiledFunction on_tensors(const Function& f);

}  // namespace cotan::tools
