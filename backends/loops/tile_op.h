// The vector operations that a cluster's formula is made of, each a loop over one tile.
//
// They are compiled once for each instruction set that Highway knows; the best one that this processor has is taken when a kernel is compiled.
#pragma once

#include <cstddef>
#include <string>

#include "ops/formula.h"

namespace cotan::loops {

// out[i] = op(in[0][i], in[1][i], ...) for i < n. Booleans are bytes 0 and 1. No alignment is asked for, and nothing beyond n is touched. `out` may be one of
// the operands where their elements have one size.
using TileFunction = void (*)(void* out, const void* const* in, std::size_t n);

// What a tile function computes.
struct TileOp {
  Atom atom = Atom::add;  // any but operand and constant
  DType in = DType::f32;  // of the operands; of `where`, of its branches
  DType out = DType::f32;
  // For `where` of a comparison of the same type, in one loop: lt, le or eq, and the operands are (a, b, x, y) of compare(a, b) ? x : y. Otherwise `where`.
  Atom compare = Atom::where;
};

// The function for it. A fault for a combination that no formula has.
[[nodiscard]] TileFunction tile_function(const TileOp& op);

// The instruction set that tile functions run on here: "AVX2", "AVX3", "SSE4", ...
[[nodiscard]] std::string target_name();

}  // namespace cotan::loops
