// Random numbers that are pure functions of a key, a counter and a position: Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As
// Easy as 1, 2, 3", SC 2011). No state, so any thread may draw any element.
#pragma once

#include <array>
#include <cstdint>

#include "ops/dtype.h"

namespace cotan::philox {

using Key = std::array<std::uint32_t, 2>;
using Counter = std::array<std::uint32_t, 4>;
using Block = std::array<std::uint32_t, 4>;

// Ten rounds of Philox 4x32: four independent, uniformly distributed words for each (key, counter).
[[nodiscard]] Block block(const Key& key, const Counter& counter);

// The same with 64-bit words: low halves first, the upper half of the 128-bit counter 0.
[[nodiscard]] Block block(std::uint64_t key, std::uint64_t counter);

// How many elements of dtype (f32 or f64) one block makes: 4 or 2.
[[nodiscard]] int elements_of_block(DType dtype);

// The number in [0, 1) that words make: the upper 24 bits of word `element` for f32; the upper 53 bits of words 2 * element (high) and 2 * element + 1 (low)
// for f64. `element` is below elements_of_block(dtype).
[[nodiscard]] double uniform(const Block& words, int element, DType dtype);

// Element number `element` (from 0) of the stream that starts at `counter`: its block is counter + element / elements_of_block(dtype), modulo 2^64.
[[nodiscard]] double uniform(std::uint64_t key, std::uint64_t counter, std::int64_t element, DType dtype);

}  // namespace cotan::philox
