// Mixing of 64-bit hashes.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace cotan {

// A hash of (h, v), in that order.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t h, std::uint64_t v) {
  h = (h ^ v) * 0x9E3779B97F4A7C15ull;
  h ^= h >> 32;
  return h * 0xD6E8FEB86659FD93ull;
}

[[nodiscard]] constexpr std::uint64_t hash_of(std::string_view text) {
  std::uint64_t h = text.size();
  for (char c : text) h = mix(h, static_cast<unsigned char>(c));
  return h;
}

[[nodiscard]] inline std::uint64_t hash_of(double v) { return std::bit_cast<std::uint64_t>(v); }

}  // namespace cotan
