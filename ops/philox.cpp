#include "ops/philox.h"

#include <fmt/format.h>

#include "ops/error.h"

namespace cotan::philox {
namespace {

// The multipliers and the Weyl increments of the key, from the paper.
constexpr std::uint64_t multiplier_0 = 0xD2511F53;
constexpr std::uint64_t multiplier_1 = 0xCD9E8D57;
constexpr std::uint32_t weyl_0 = 0x9E3779B9;
constexpr std::uint32_t weyl_1 = 0xBB67AE85;

std::uint32_t low(std::uint64_t v) { return static_cast<std::uint32_t>(v); }
std::uint32_t high(std::uint64_t v) { return static_cast<std::uint32_t>(v >> 32); }

}  // namespace

Block block(const Key& key, const Counter& counter) {
  std::uint32_t k0 = key[0], k1 = key[1];
  Block x = counter;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = multiplier_0 * x[0], p1 = multiplier_1 * x[2];
    x = {high(p1) ^ x[1] ^ k0, low(p1), high(p0) ^ x[3] ^ k1, low(p0)};
    k0 += weyl_0;
    k1 += weyl_1;
  }
  return x;
}

Block block(std::uint64_t key, std::uint64_t counter) { return block(Key{low(key), high(key)}, Counter{low(counter), high(counter), 0, 0}); }

int elements_of_block(DType dtype) {
  if (dtype != DType::f32 && dtype != DType::f64) throw InternalError(fmt::format("random numbers of type {}", name_of(dtype)));
  return dtype == DType::f32 ? 4 : 2;
}

double uniform(const Block& words, int element, DType dtype) {
  const auto e = static_cast<std::size_t>(element);
  if (dtype == DType::f32) return static_cast<double>(words[e] >> 8) * 0x1p-24;
  return static_cast<double>((std::uint64_t{words[2 * e]} << 32 | words[2 * e + 1]) >> 11) * 0x1p-53;
}

double uniform(std::uint64_t key, std::uint64_t counter, std::int64_t element, DType dtype) {
  const int per_block = elements_of_block(dtype);
  return uniform(block(key, counter + static_cast<std::uint64_t>(element / per_block)), static_cast<int>(element % per_block), dtype);
}

}  // namespace cotan::philox
