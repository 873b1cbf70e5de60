// How the work of a kernel is cut into chunks for so many workers.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cotan::onednn {

// Below so many multiply-adds a kernel is one chunk: the work is done before another worker has come.
constexpr double worth_a_tile = 1e5;

// One of the parts of a range.
struct Part {
  std::int64_t first = 0, size = 0;
};

// A range cut into parts of one size; the last one may be smaller.
struct Cut {
  std::int64_t total = 1, tile = 1;
  [[nodiscard]] std::int64_t parts() const { return (total + tile - 1) / tile; }
  [[nodiscard]] Part part(std::int64_t i) const { return {i * tile, std::min(tile, total - i * tile)}; }
};

// About `parts` parts whose size is a multiple of `grain`.
[[nodiscard]] inline Cut cut(std::int64_t total, std::int64_t parts, std::int64_t grain = 1) {
  const std::int64_t even = (total + std::max<std::int64_t>(parts, 1) - 1) / std::max<std::int64_t>(parts, 1);
  return {total, std::clamp<std::int64_t>((even + grain - 1) / grain * grain, 1, total)};
}

struct MatmulCuts {
  Cut batch, m, n;
  double cycles = 0;  // until the last worker has ended, estimated
};

// The grid over batch, m and n that is expected to end first; b is [k, n]. Rows are cut rather than columns, but where b is too large for each worker to read
// all of it.
// `whole_rows`: n is not cut, since post-operations are slow where a tile's rows do not lie one after the other.
[[nodiscard]] MatmulCuts cut_matmul(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, int threads, bool whole_rows = false);

// Cycles that so many workers take for a loop that reads and writes a product's result after it, which it finds in the second cache.
[[nodiscard]] double cycles_of_a_loop(std::int64_t batch, std::int64_t m, std::int64_t n, int threads);

}  // namespace cotan::onednn
