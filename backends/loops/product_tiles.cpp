// This file is compiled once for each instruction set: foreach_target.h includes it again and again.
#include "backends/loops/product_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/loops/product_tiles.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace cotan::loops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

constexpr std::int64_t points_of_a_block = 64;
constexpr std::int64_t lanes = static_cast<std::int64_t>(hn::MaxLanes(Floats()));
// Vectors side by side in one tile: as many as the registers hold, four rows high.
constexpr int most_vectors = lanes >= 16 ? 4 : 2;

// The first `count` numbers at p. Nothing behind them is touched.
template <bool partial>
HWY_INLINE Vector load(const float* p, std::int64_t count) {
  const Floats d;
  if constexpr (!partial) {
    return hn::LoadU(d, p);
  } else {
#if HWY_MEM_OPS_MIGHT_FAULT
    HWY_ALIGN float some[lanes] = {};
    std::copy_n(p, count, some);
    return hn::Load(d, some);
#else
    return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count)), d, p);
#endif
  }
}

template <bool partial>
HWY_INLINE void store(Vector v, float* p, std::int64_t count) {
  const Floats d;
  if constexpr (!partial) {
    hn::StoreU(v, d, p);
  } else {
#if HWY_MEM_OPS_MIGHT_FAULT
    HWY_ALIGN float some[lanes];
    hn::Store(v, d, some);
    std::copy_n(some, count, p);
#else
    hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(count)), d, p);
#endif
  }
}

// Rows and vectors of one tile, in registers. `last`: columns of the last vector, where that is not full. A sum starts from -0, which keeps the sign of a
// product that is a zero.
template <int rows, int vectors, bool partial>
HWY_INLINE void tile_of(const ProductTile& t, std::int64_t row, std::int64_t column, std::int64_t last) {
  const Floats d;
  const float* a = t.a + row * t.a_row;
  const float* b = t.b + column;
  const Vector nothing = hn::Set(d, -0.0F);
  Vector total[rows][vectors];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) total[r][v] = nothing;
  for (std::int64_t first = 0; first < t.k; first += points_of_a_block) {
    Vector sum[rows][vectors];
    for (int r = 0; r < rows; ++r)
      for (int v = 0; v < vectors; ++v) sum[r][v] = nothing;
    const std::int64_t end = std::min(first + points_of_a_block, t.k);
    for (std::int64_t p = first; p < end; ++p, a += t.a_step, b += t.b_step) {
      Vector of_b[vectors];
      for (int v = 0; v + 1 < vectors; ++v) of_b[v] = hn::LoadU(d, b + v * lanes);
      of_b[vectors - 1] = load<partial>(b + (vectors - 1) * lanes, last);
      for (int r = 0; r < rows; ++r) {
        const Vector of_a = hn::Set(d, a[r * t.a_row]);
        for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(of_a, of_b[v], sum[r][v]);
      }
    }
    for (int r = 0; r < rows; ++r)
      for (int v = 0; v < vectors; ++v) total[r][v] = hn::Add(total[r][v], sum[r][v]);
  }
  const Vector coefficient = hn::Set(d, t.coefficient);
  for (int r = 0; r < rows; ++r) {
    float* c = t.c + (row + r) * t.c_row + column;
    for (int v = 0; v < vectors; ++v, c += lanes) {
      Vector result = hn::Mul(total[r][v], coefficient);
      if (v + 1 < vectors) {
        if (t.accumulate) result = hn::Add(hn::LoadU(d, c), result);
        hn::StoreU(result, d, c);
      } else {
        if (t.accumulate) result = hn::Add(load<partial>(c, last), result);
        store<partial>(result, c, last);
      }
    }
  }
}

// All rows of some columns. Tiles of one vector are twice as high, so that as many sums hide each other's latency.
template <int vectors, bool partial>
void panel(const ProductTile& t, std::int64_t column, std::int64_t last) {
  std::int64_t row = 0;
  if constexpr (vectors == 1)
    for (; row + 8 <= t.m; row += 8) tile_of<8, 1, partial>(t, row, column, last);
  for (; row + 4 <= t.m; row += 4) tile_of<4, vectors, partial>(t, row, column, last);
  for (; row + 2 <= t.m; row += 2) tile_of<2, vectors, partial>(t, row, column, last);
  for (; row < t.m; ++row) tile_of<1, vectors, partial>(t, row, column, last);
}

template <int vectors>
void some_columns(const ProductTile& t, std::int64_t column, std::int64_t columns) {
  if constexpr (vectors > 1)
    if (columns <= (vectors - 1) * lanes) return some_columns<vectors - 1>(t, column, columns);
  const std::int64_t last = columns - (vectors - 1) * lanes;
  if (last < lanes)
    panel<vectors, true>(t, column, last);
  else
    panel<vectors, false>(t, column, last);
}

void product(const ProductTile& t) {
  for (std::int64_t column = 0; column < t.n; column += most_vectors * lanes)
    some_columns<most_vectors>(t, column, std::min(t.n - column, most_vectors * lanes));
}

ProductTileFunction find_product() { return product; }

}  // namespace cotan::loops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cotan::loops {

HWY_EXPORT(find_product);

ProductTileFunction product_tile() { return HWY_DYNAMIC_DISPATCH(find_product)(); }

}  // namespace cotan::loops
#endif
