// A region as a kernel: a plan for one tile, run tile by tile.
#pragma once

#include <string>
#include <vector>

#include "graph/kernel.h"
#include "graph/plan.h"

namespace cotan {

// What a region's tile reads and writes, by the plan's parameters and results.
struct RegionPorts {
  std::vector<std::int64_t> input_steps;   // bytes from tile to tile; 0: every tile reads the same
  std::vector<std::int64_t> output_steps;  // likewise
};

// The plan's parameters are the kernel's inputs, its results the outputs. A chunk is a run of tiles, which one worker takes through all the steps; what the
// steps hand to each other stays in the worker's scratch memory.
[[nodiscard]] KernelRef make_region_kernel(std::string name, Plan tile, RegionPorts ports, std::int64_t tiles, double bytes);

}  // namespace cotan
