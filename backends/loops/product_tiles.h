// The register-blocked inner loops of small products of matrices, compiled once for each instruction set.
#pragma once

#include <cstdint>

namespace cotan::loops {

// c[i, j] = coefficient * sum over p of a[i, p] * b[p, j] of float32; rows of b and c are contiguous. Strides are in elements.
struct ProductTile {
  const float* a = nullptr;
  std::int64_t a_row = 0, a_step = 0;  // to the next i, to the next p
  const float* b = nullptr;
  std::int64_t b_step = 0;  // to the next p
  float* c = nullptr;
  std::int64_t c_row = 0;
  std::int64_t m = 0, n = 0, k = 0;  // one or more of each
  float coefficient = 1;
  bool accumulate = false;  // added to what c holds
};

// Each entry is a sum over p in order, in blocks of 64 whose sums are added up: its error is at most (64 + k / 64 + 2) * 2^-24 times the sum of the products'
// magnitudes. Where the processor has fused multiply-add (AVX2, AVX-512) the bits are the same for every instruction set, and depend neither on m and n nor on
// which tile an entry is in; without it each product is rounded first.
using ProductTileFunction = void (*)(const ProductTile& tile);
[[nodiscard]] ProductTileFunction product_tile();

}  // namespace cotan::loops
