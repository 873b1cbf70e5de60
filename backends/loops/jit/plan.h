// What a program's code consists of: where values are kept, and the steps of each part.
#pragma once

#include <vector>

#include "graph/target.h"
#include "backends/loops/jit/registers.h"

namespace cotan::loops::jit {

// Of the vector registers the last is for the emitter itself, in programs that add the one before it too, and of the mask registers k0 and k1.
struct Plan {
  std::vector<std::uint32_t> constants;     // the table
  std::vector<Step> call, row, main, rest;  // once, for each row, whole vectors, the masked end of a row
  int copies = 1;                           // vectors side by side in `main`
  int slots = 0;                            // of the frame, one vector each
  int spills = 0;                           // in `main`
  std::vector<int> accumulators;            // of each store: the first of four registers that hold what it adds to during `main`, or -1
  bool angles = false;                      // some step may have to call for the remainder of a large angle
};

[[nodiscard]] Plan make_plan(const Program& program);

}  // namespace cotan::loops::jit
