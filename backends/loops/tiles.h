// How a domain is cut into tiles, and how tiles are brought from and to strided memory.
//
// Dimensions are sorted by the output's strides, those of size one dropped, and neighbours merged where every view allows it. What remains is a number of
// rows. A tile is a part of one long row, or several whole short rows, in either case at most `limit` elements. Chunks are runs of tiles of about 32K
// elements.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "graph/kernel.h"

namespace cotan::loops {

inline constexpr std::int64_t chunk_elements = 32768;

// Some consecutive rows, and the same columns of each.
struct Tile {
  std::int64_t row = 0, rows = 0;
  std::int64_t column = 0, columns = 0;
  [[nodiscard]] std::size_t elements() const { return static_cast<std::size_t>(rows * columns); }
};

class Tiling {
 public:
  // Views of one shape. The last one decides the order of dimensions.
  explicit Tiling(std::span<const View> views);

  // Cuts into tiles of at most `limit` elements (a multiple of 64).
  void cut(std::int64_t limit);

  [[nodiscard]] std::int64_t elements() const { return rows_ * columns_; }
  [[nodiscard]] std::int64_t tiles() const { return tiles_; }
  [[nodiscard]] std::int64_t tile_limit() const { return limit_; }  // no tile has more elements
  [[nodiscard]] std::int64_t chunks() const { return (tiles_ + tiles_per_chunk_ - 1) / tiles_per_chunk_; }
  // The tiles [first, last) of a chunk.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> chunk(std::int64_t c) const {
    return {c * tiles_per_chunk_, std::min(tiles_, (c + 1) * tiles_per_chunk_)};
  }
  [[nodiscard]] Tile tile(std::int64_t t) const;

  // How a view's tiles lie in memory.
  enum class Access : std::uint8_t {
    contiguous,  // one after the other, as in the tile
    same,        // every tile holds the same elements (a broadcast along all rows, or of one element): gathered once
    strided,
  };
  [[nodiscard]] Access access(std::size_t view) const;

  // The sizes of the rows' dimensions, outermost first, and a view's strides in them and along the columns.
  [[nodiscard]] std::span<const std::int64_t> outer() const { return outer_; }
  [[nodiscard]] std::span<const std::int64_t> outer_strides(std::size_t view) const { return views_[view].outer; }
  [[nodiscard]] std::int64_t inner_stride(std::size_t view) const { return views_[view].inner; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }

  // Where a tile begins in view `view`, in elements.
  [[nodiscard]] std::int64_t offset(std::size_t view, const Tile& tile) const;
  // Copies the tile's elements of a view, `first` being the address of element (0, 0, ...), to packed memory, or from there.
  void gather(std::size_t view, const Tile& tile, std::size_t element_size, const void* first, void* packed) const;
  void scatter(std::size_t view, const Tile& tile, std::size_t element_size, const void* packed, void* first) const;

 private:
  struct Strides {
    std::vector<std::int64_t> outer;  // of the rows' dimensions
    std::int64_t inner = 0;           // of the columns
  };

  template <class F>
  void for_each_row(const Strides& strides, const Tile& tile, F&& f) const;

  std::vector<std::int64_t> outer_;  // sizes of the rows' dimensions
  std::vector<Strides> views_;
  std::int64_t rows_ = 1, columns_ = 1;
  std::int64_t limit_ = 0, width_ = 1, tiles_ = 0, tiles_per_row_ = 1, rows_per_tile_ = 1, tiles_per_chunk_ = 1;
};

}  // namespace cotan::loops
