// Row-major walks for kernels that care about an element's number or about whole lines.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "graph/kernel.h"

namespace cotan::loops {

inline constexpr std::int64_t segment_chunk = 32768;  // elements of a chunk

// The number of chunks for so many elements.
[[nodiscard]] inline std::int64_t chunks_for(std::int64_t elements) { return std::max<std::int64_t>(1, (elements + segment_chunk - 1) / segment_chunk); }

// Cuts the elements [first, last), numbered row-major, into parts of rows (the last dimension). Calls f(number of the part's first element, its number of
// elements, offsets): offsets[v] is where the part begins in view v. Along the part, view v steps by its last stride.
template <std::size_t views, class F>
void for_each_segment(const std::array<const View*, views>& view, std::int64_t first, std::int64_t last, F&& f) {
  const Shape& shape = view[0]->shape;
  last = std::min(last, shape.elements());
  const std::int64_t columns = shape.empty() ? 1 : shape.back();
  while (first < last) {
    const std::int64_t n = std::min(last - first, columns - first % columns);
    std::array<std::int64_t, views> offsets{};
    std::int64_t rest = first;
    for (std::size_t d = shape.rank(); d-- > 0; rest /= shape[d])
      for (std::size_t v = 0; v < views; ++v) offsets[v] += rest % shape[d] * view[v]->strides[d];
    f(first, n, offsets);
    first += n;
  }
}

// The step of a view along a segment.
[[nodiscard]] inline std::int64_t segment_step(const View& v) { return v.shape.empty() ? 0 : v.strides.back(); }

// The lines of views of one shape along an axis, numbered row-major over the other dimensions.
template <std::size_t views>
class Lines {
 public:
  Lines(const std::array<View, views>& view, int axis) : axis_(static_cast<std::size_t>(axis)), views_(view) {
    length_ = view[0].shape[axis_];
    count_ = length_ == 0 ? 0 : view[0].shape.elements() / length_;
    lines_per_chunk_ = length_ == 0 ? 1 : std::max<std::int64_t>(1, segment_chunk / length_);
  }

  [[nodiscard]] std::int64_t length() const { return length_; }
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t step(std::size_t view) const { return views_[view].strides[axis_]; }
  [[nodiscard]] std::int64_t chunks() const { return std::max<std::int64_t>(1, (count_ + lines_per_chunk_ - 1) / lines_per_chunk_); }

  // Calls f(offsets) for each line of a chunk: where it begins in each view.
  template <class F>
  void for_each(std::int64_t chunk, F&& f) const {
    const Shape& shape = views_[0].shape;
    for (std::int64_t line = chunk * lines_per_chunk_; line < std::min(count_, (chunk + 1) * lines_per_chunk_); ++line) {
      std::array<std::int64_t, views> offsets{};
      std::int64_t rest = line;
      for (std::size_t d = shape.rank(); d-- > 0;) {
        if (d == axis_) continue;
        for (std::size_t v = 0; v < views; ++v) offsets[v] += rest % shape[d] * views_[v].strides[d];
        rest /= shape[d];
      }
      f(offsets);
    }
  }

 private:
  std::size_t axis_;
  std::array<View, views> views_;
  std::int64_t length_ = 0, count_ = 0, lines_per_chunk_ = 1;
};

}  // namespace cotan::loops
