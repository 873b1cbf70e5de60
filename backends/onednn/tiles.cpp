#include "backends/onednn/tiles.h"

namespace cotan::onednn {
namespace {

// Cycles of one core for a tile: products at 60 floating-point operations a cycle, packing of b, reading of a.
double cycles(double batch, double m, double n, double k) { return batch * (2 * m * n * k / 60 + k * n + 0.25 * m * k); }

constexpr double cycles_of_a_call = 1500;  // entering the library, and the executor's part

}  // namespace

MatmulCuts cut_matmul(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, int threads, bool whole_rows) {
  const MatmulCuts whole{{batch, batch},
                         {m, m},
                         {n, n},
                         cycles(static_cast<double>(batch), static_cast<double>(m), static_cast<double>(n), static_cast<double>(k)) + cycles_of_a_call};
  const double work = static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (threads <= 1 || work < worth_a_tile) return whole;

  MatmulCuts best = whole;
  const std::int64_t most = 2 * std::int64_t{threads};
  const auto consider = [&](const MatmulCuts& c) {
    const std::int64_t tiles = c.batch.parts() * c.m.parts() * c.n.parts();
    if (tiles > most) return;
    const double waves = static_cast<double>((tiles + threads - 1) / threads);
    const double cost =
        waves *
        (cycles(static_cast<double>(c.batch.tile), static_cast<double>(c.m.tile), static_cast<double>(c.n.tile), static_cast<double>(k)) + cycles_of_a_call);
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
