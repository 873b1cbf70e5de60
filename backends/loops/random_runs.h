// Many Philox blocks at once. Compiled once for each instruction set, like the tile operations; the words are philox::block's.
#pragma once

#include <cstdint>

namespace cotan::loops {

inline constexpr int philox_lanes = 64;

// words[w][j] is word w of the block of counter + j.
struct PhiloxWords {
  alignas(64) std::uint32_t words[4][philox_lanes];
};

using PhiloxFunction = void (*)(std::uint64_t key, std::uint64_t counter, PhiloxWords& out);
[[nodiscard]] PhiloxFunction philox_blocks();

}  // namespace cotan::loops
