// Random numbers that are the same on every machine and with every standard library: tests fix their seeds.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "ops/hash.h"

namespace cotan::testing {

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  // The stream of a named thing, such as case `number` of a row.
  Random(std::string_view name, std::uint64_t number) : state_(mix(hash_of(name), number)) {}

  [[nodiscard]] std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  // In [0, 1).
  [[nodiscard]] double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  [[nodiscard]] double uniform(double low, double high) { return low + (high - low) * unit(); }
  // In [low, high], both included.
  [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(high - low + 1));
  }
  [[nodiscard]] bool chance(double probability) { return unit() < probability; }
  [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }

  template <class T>
  [[nodiscard]] const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }
  [[nodiscard]] std::int64_t pick(std::initializer_list<std::int64_t> from) { return from.begin()[below(from.size())]; }
  template <class T>
  void shuffle(std::vector<T>& list) {
    for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[below(i)]);
  }

 private:
  std::uint64_t state_;
};

// `count` numbers in [low, high).
[[nodiscard]] inline std::vector<double> random_values(Random& random, std::int64_t count, double low = -1, double high = 1) {
  std::vector<double> v(static_cast<std::size_t>(count));
  for (double& x : v) x = random.uniform(low, high);
  return v;
}

// `count` whole numbers in [low, high]: sums of products of a few of them are exact in float64.
[[nodiscard]] inline std::vector<double> random_integers(Random& random, std::int64_t count, std::int64_t low = -4, std::int64_t high = 4) {
  std::vector<double> v(static_cast<std::size_t>(count));
  for (double& x : v) x = static_cast<double>(random.integer(low, high));
  return v;
}

}  // namespace cotan::testing
