// Programs of crossing_graph.h against the reference: fused, unfused, with some passes only, reproducible, at 1 and at 7 threads.
#pragma once

#include "tests/support/crossing_graph.h"
#include "tests/support/ways.h"

namespace cotan::testing {

// `off`: passes and fusions that are off in all ways, to see whether they are to blame.
[[nodiscard]] Comparison compare_crossing(const CrossingGraph& g, std::uint64_t seed, std::span<const std::string> off = {});

}  // namespace cotan::testing
