#include "backends/onednn/tiles.h"

#include <cmath>

namespace cotan::onednn {
namespace {

// Constants fitted to products of 32 to 784 rows, 32 to 1024 columns and 64 to 1024 terms on one core (AVX-512 with two 256-bit units; 3 % off on average):
// operations a cycle, in vectors of columns; what packing an entry of b and writing one of c takes.
constexpr double operations_a_cycle = 38, cycles_to_pack = 0.1, cycles_to_write = 0.1;
constexpr double vector_columns = 16;
// An entry of b that a core's own cache cannot keep from one product to the next comes from a shared one, for each worker that reads it.
constexpr double cycles_to_fetch = 1, kept_entries = 128 << 10;
// Where columns are cut, rows of a tile of b and of c end within a page, and what the processor fetches ahead is the neighbour's: measured on weights that one
// product reads and another updates, cycles an entry of the tile.
constexpr double short_row = 1024, cycles_to_skip_b = 0.3, cycles_to_skip_c = 1;

// Cycles of one core for a tile.
double cycles(double batch, double m, double n, double k, bool columns_cut) {
  const double columns = std::ceil(n / vector_columns) * vector_columns;
  double one = 2 * m * columns * k / operations_a_cycle + (k * n > kept_entries ? cycles_to_fetch : cycles_to_pack) * k * n + cycles_to_write * m * n;
  if (columns_cut && n < short_row) one += n * (cycles_to_skip_b * k + cycles_to_skip_c * m);
  return batch * one;
}

constexpr double cycles_of_a_call = 1500;  // entering the library, and the executor's part

}  // namespace

MatmulCuts cut_matmul(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, int threads, bool whole_rows) {
  const auto cycles_of = [k](const Cut& batches, const Cut& rows, const Cut& columns) {
    return cycles(static_cast<double>(batches.tile), static_cast<double>(rows.tile), static_cast<double>(columns.tile), static_cast<double>(k),
                  columns.parts() > 1) +
           cycles_of_a_call;
  };
  MatmulCuts whole{{batch, batch}, {m, m}, {n, n}};
  whole.cycles = cycles_of(whole.batch, whole.m, whole.n);
  const double work = static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (threads <= 1 || work < worth_a_tile) return whole;

  MatmulCuts best = whole;
  const std::int64_t most = 2 * std::int64_t{threads};
  const auto consider = [&](const MatmulCuts& c) {
    const std::int64_t tiles = c.batch.parts() * c.m.parts() * c.n.parts();
    if (tiles > most) return;
    const double waves = static_cast<double>((tiles + threads - 1) / threads);
    const double cost = waves * cycles_of(c.batch, c.m, c.n);
    if (cost < best.cycles) {
      best = c;
      best.cycles = cost;
    }
  };
  // Two of the three ranges at most, so that a kernel has at most four shapes of tiles. Rows in eights and columns in vectors keep the inner loops full.
  for (std::int64_t first = 1; first <= most; ++first) {
    for (std::int64_t second = 1; first * second <= most; ++second) {
      consider({cut(batch, first), cut(m, second, 8), {n, n}, 0});
      if (!whole_rows) consider({{batch, batch}, cut(m, first, 8), cut(n, second, 16), 0});
    }
  }
  return best;
}

double cycles_of_a_loop(std::int64_t batch, std::int64_t m, std::int64_t n, int threads) {
  constexpr double bytes_a_cycle = 12;  // in and out, of the second cache
  const double elements = static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n);
  return 8 * elements / bytes_a_cycle / static_cast<double>(std::max(threads, 1)) + cycles_of_a_call;
}

}  // namespace cotan::onednn
