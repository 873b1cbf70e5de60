// Shapes: up to eight dimensions held inline, so that recording a node allocates nothing for them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "ops/error.h"

namespace cotan {

// The sizes of a tensor's dimensions, outermost first. A scalar has none. Row-major.
class Shape {
 public:
  static constexpr std::size_t max_rank = 8;

  // A scalar's; or these sizes, outermost first. Throws Error for more than max_rank.
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const std::int64_t> sizes) {
    for (std::int64_t size : sizes) push_back(size);
  }

  // The number of dimensions (also as size()), and the sizes as a range.
  [[nodiscard]] std::size_t rank() const { return rank_; }
  [[nodiscard]] std::size_t size() const { return rank_; }
  [[nodiscard]] bool empty() const { return rank_ == 0; }
  [[nodiscard]] std::int64_t operator[](std::size_t i) const { return sizes_[i]; }
  [[nodiscard]] std::int64_t& operator[](std::size_t i) { return sizes_[i]; }
  [[nodiscard]] std::int64_t back() const { return sizes_[rank_ - 1]; }
  [[nodiscard]] const std::int64_t* begin() const { return sizes_.data(); }
  [[nodiscard]] const std::int64_t* end() const { return sizes_.data() + rank_; }
  operator std::span<const std::int64_t>() const { return {sizes_.data(), rank_}; }  // NOLINT: a shape is a span of sizes

  // Dimensions added or taken away. Throws Error for more than max_rank.
  void push_back(std::int64_t size) {
    if (rank_ == max_rank) fail("a tensor of more than 8 dimensions", "Merge dimensions with reshape");
    sizes_[rank_++] = size;
  }
  void insert(std::size_t at, std::int64_t size) {
    push_back(size);
    std::rotate(sizes_.begin() + static_cast<std::ptrdiff_t>(at), sizes_.begin() + rank_ - 1, sizes_.begin() + rank_);
  }
  void erase(std::size_t at) {
    std::copy(sizes_.begin() + static_cast<std::ptrdiff_t>(at) + 1, sizes_.begin() + rank_, sizes_.begin() + static_cast<std::ptrdiff_t>(at));
    --rank_;
  }

  // The number of elements; 1 for a scalar.
  [[nodiscard]] std::int64_t elements() const {
    std::int64_t count = 1;
    for (std::int64_t size : *this) count *= size;
    return count;
  }

  // The same sizes in the same order.
  bool operator==(const Shape& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

  // "(64, 784)", "(5,)", "()".
  [[nodiscard]] std::string text() const;

 private:
  std::array<std::int64_t, max_rank> sizes_{};
  std::uint8_t rank_ = 0;
};

// Row-major strides of a dense tensor, in elements.
[[nodiscard]] Shape dense_strides(const Shape& shape);

}  // namespace cotan
