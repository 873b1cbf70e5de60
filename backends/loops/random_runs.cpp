// This file is compiled once for each instruction set: foreach_target.h includes it again and again.
#include "backends/loops/random_runs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/loops/random_runs.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace cotan::loops::HWY_NAMESPACE {

// The rounds of ops/philox.cpp, each over all lanes.
void blocks(std::uint64_t key, std::uint64_t counter, PhiloxWords& out) {
  auto& x = out.words;
  for (int j = 0; j < philox_lanes; ++j) {
    const std::uint64_t c = counter + static_cast<std::uint64_t>(j);
    x[0][j] = static_cast<std::uint32_t>(c);
    x[1][j] = static_cast<std::uint32_t>(c >> 32);
    x[2][j] = 0;
    x[3][j] = 0;
  }
  auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int j = 0; j < philox_lanes; ++j) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53} * x[0][j], p1 = std::uint64_t{0xCD9E8D57} * x[2][j];
      const std::uint32_t y0 = static_cast<std::uint32_t>(p1 >> 32) ^ x[1][j] ^ k0, y2 = static_cast<std::uint32_t>(p0 >> 32) ^ x[3][j] ^ k1;
      x[1][j] = static_cast<std::uint32_t>(p1);
      x[3][j] = static_cast<std::uint32_t>(p0);
      x[0][j] = y0;
      x[2][j] = y2;
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

PhiloxFunction find_blocks() { return blocks; }

}  // namespace cotan::loops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cotan::loops {

HWY_EXPORT(find_blocks);

PhiloxFunction philox_blocks() { return HWY_DYNAMIC_DISPATCH(find_blocks)(); }

}  // namespace cotan::loops
#endif
