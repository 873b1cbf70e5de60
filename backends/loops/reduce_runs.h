// The innermost loops of extremes. Compiled once for each instruction set, like the tile operations.
#pragma once

#include <cstdint>

#include "ops/dtype.h"
#include "ops/sum_spec.h"

namespace cotan::loops {

// Compares n values x[i * step] with what is best so far. Along a block each value has its own best (and position); otherwise all compete for one, value i
// being at `position` + i * position_step. Positions, where they are kept, are -1 as long as there was no value.
struct ReduceRun {
  const void* x = nullptr;
  std::int64_t step = 0;
  std::int64_t n = 0;
  void* best = nullptr;
  std::int32_t* positions = nullptr;  // null: only values are wanted
  std::int32_t position = 0;
  std::int32_t position_step = 0;
};

using ReduceRunFunction = void (*)(const ReduceRun& run);

// The function for values of that type (a number). `along`: a block.
[[nodiscard]] ReduceRunFunction reduce_run(DType dtype, Reduction reduction, bool along);

}  // namespace cotan::loops
