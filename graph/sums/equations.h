// Equations between index expressions, solved by elimination: where one sum reads what another one writes, the writer's output access and the reader's access
// are equal at every point that counts.
//
// An equation is an expression that must be 0. Mixed radix splits one into several: 4*a + b - 4*c - d with b, d < 4 is a - c and b - d. Where ranges
// straddle, an index is split into digits first: 4*a + b - e with e < 12 becomes so with e = 4*c + d. A unit coefficient solves for its index, which leaves a
// guard: what replaces the index must lie in its range.
#pragma once

#include <vector>

#include "ops/sum_spec.h"

namespace cotan::sums {

// What is to be solved, and what is left.
struct Equations {
  SumSpec spec;                  // over the indices of both; solutions are put in, and their guards added
  Access zero;                   // what must be 0; empty once solved
  std::vector<bool> of_written;  // for each index: whether it belongs to the sum that is read, whose indices go first
  std::vector<bool> gone;        // indices that were solved for: nothing reads them any more
};

enum class Solved : std::uint8_t { yes, never, no };  // never: no point fulfils them

// Solves as many as it can; `no` where one stays that has no unit coefficient left.
[[nodiscard]] Solved solve(Equations& equations);

}  // namespace cotan::sums
