#include "backends/loops/tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "ops/error.h"

namespace cotan::loops {
namespace {

// Copies n elements of a size known to the compiler.
template <class T>
void copy_row(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride, std::int64_t n) {
  if (from_stride == 1 && to_stride == 1) {
    std::memmove(to, from, static_cast<std::size_t>(n) * sizeof(T));
  } else if (from_stride == 0 && to_stride == 1) {
    std::fill(to, to + n, *from);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

// Calls f with a value of an unsigned type of that size.
template <class F>
void with_size(std::size_t element_size, F&& f) {
  switch (element_size) {
    case 1: return f(std::uint8_t{});
    case 2: return f(std::uint16_t{});
    case 4: return f(std::uint32_t{});
    case 8: return f(std::uint64_t{});
    default: throw InternalError("an element of a size that no type has");
  }
}

}  // namespace

Tiling::Tiling(std::span<const View> views) {
  const Shape& shape = views[0].shape;
  for (const View& v : views)
    if (v.shape != shape || v.strides.rank() != shape.rank()) throw InternalError(fmt::format("views of {} and {} in one loop", v.shape.text(), shape.text()));
  std::vector<std::size_t> dimensions;
  for (std::size_t d = 0; d < shape.rank(); ++d)
    if (shape[d] != 1) dimensions.push_back(d);
  std::stable_sort(dimensions.begin(), dimensions.end(),
                   [&](std::size_t a, std::size_t b) { return std::abs(views.back().strides[a]) > std::abs(views.back().strides[b]); });

  std::vector<std::int64_t> sizes;
  std::vector<std::vector<std::int64_t>> strides(views.size());
  for (std::size_t d : dimensions) {
    const bool merges = !sizes.empty() && [&] {
      for (std::size_t v = 0; v < views.size(); ++v)
        if (strides[v].back() != views[v].strides[d] * shape[d]) return false;
      return true;
    }();
    if (merges) sizes.back() *= shape[d];
    if (!merges) sizes.push_back(shape[d]);
    for (std::size_t v = 0; v < views.size(); ++v) {
      if (merges) strides[v].back() = views[v].strides[d];
      if (!merges) strides[v].push_back(views[v].strides[d]);
    }
  }
  if (sizes.empty()) {
    sizes.push_back(1);
    for (auto& s : strides) s.push_back(0);
  }
  columns_ = sizes.back();
  outer_.assign(sizes.begin(), sizes.end() - 1);
  rows_ = std::accumulate(outer_.begin(), outer_.end(), std::int64_t{1}, std::multiplies<>());
  for (const auto& s : strides) views_.push_back({{s.begin(), s.end() - 1}, s.back()});
  cut(chunk_elements);
}

void Tiling::cut(std::int64_t limit) {
  limit_ = limit;
  tiles_ = 0;
  if (elements() == 0) return;
  if (columns_ >= limit || rows_ == 1) {
    // Parts of equal size, in whole cache lines.
    const std::int64_t parts = (columns_ + limit - 1) / limit;
    width_ = ((columns_ + parts - 1) / parts + 63) / 64 * 64;
    tiles_per_row_ = (columns_ + width_ - 1) / width_;
    rows_per_tile_ = 1;
    tiles_ = rows_ * tiles_per_row_;
  } else {
    width_ = columns_;
    tiles_per_row_ = 1;
    rows_per_tile_ = std::min(rows_, limit / columns_);
    tiles_ = (rows_ + rows_per_tile_ - 1) / rows_per_tile_;
  }
  tiles_per_chunk_ = std::max<std::int64_t>(1, chunk_elements / (rows_per_tile_ * width_));
  if (tiles_per_chunk_ > 16) tiles_per_chunk_ = tiles_per_chunk_ / 16 * 16;
}

Tile Tiling::tile(std::int64_t t) const {
  const std::int64_t row = t / tiles_per_row_ * rows_per_tile_, column = t % tiles_per_row_ * width_;
  return {row, std::min(rows_per_tile_, rows_ - row), column, std::min(width_, columns_ - column)};
}

Tiling::Access Tiling::access(std::size_t view) const {
  const Strides& s = views_[view];
  const bool rows_repeat = std::all_of(s.outer.begin(), s.outer.end(), [](std::int64_t x) { return x == 0; });
  if (rows_repeat && (s.inner == 0 || (tiles_per_row_ == 1 && rows_ > 1))) return Access::same;
  if (s.inner != 1 && columns_ > 1) return Access::strided;
  std::int64_t expected = columns_;
  for (std::size_t d = outer_.size(); d-- > 0 && rows_per_tile_ > 1;) {
    if (s.outer[d] != expected) return Access::strided;
    expected *= outer_[d];
  }
  return Access::contiguous;
}

// Calls f(offset of the row's first column in the tile) for each row of the tile.
template <class F>
void Tiling::for_each_row(const Strides& strides, const Tile& tile, F&& f) const {
  std::array<std::int64_t, Shape::max_rank> at{};
  std::int64_t rest = tile.row, offset = tile.column * strides.inner;
  for (std::size_t d = outer_.size(); d-- > 0; rest /= outer_[d]) {
    at[d] = rest % outer_[d];
    offset += at[d] * strides.outer[d];
  }
  for (std::int64_t r = 0;;) {
    f(offset);
    if (++r == tile.rows) return;
    for (std::size_t d = outer_.size(); d-- > 0;) {
      offset += strides.outer[d];
      if (++at[d] < outer_[d]) break;
      offset -= outer_[d] * strides.outer[d];
      at[d] = 0;
    }
  }
}

std::int64_t Tiling::offset(std::size_t view, const Tile& tile) const {
  std::int64_t at = 0;
  for_each_row(views_[view], {tile.row, 1, tile.column, 1}, [&](std::int64_t offset) { at = offset; });
  return at;
}

void Tiling::gather(std::size_t view, const Tile& tile, std::size_t element_size, const void* first, void* packed) const {
  const Strides& s = views_[view];
  with_size(element_size, [&](auto zero) {
    using T = decltype(zero);
    auto* to = static_cast<T*>(packed);
    for_each_row(s, tile, [&](std::int64_t offset) {
      copy_row(static_cast<const T*>(first) + offset, s.inner, to, 1, tile.columns);
      to += tile.columns;
    });
  });
}

void Tiling::scatter(std::size_t view, const Tile& tile, std::size_t element_size, const void* packed, void* first) const {
  const Strides& s = views_[view];
  with_size(element_size, [&](auto zero) {
    using T = decltype(zero);
    auto* from = static_cast<const T*>(packed);
    for_each_row(s, tile, [&](std::int64_t offset) {
      copy_row(from, 1, static_cast<T*>(first) + offset, s.inner, tile.columns);
      from += tile.columns;
    });
  });
}

}  // namespace cotan::loops
