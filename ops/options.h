// Types of operations' options, written as in PyTorch: {.dim = 1}, {.dim = {0, 2}, .keepdim = true}, {.stride = 2}, {.padding = {1, 0}}.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "ops/attributes.h"
#include "ops/shape.h"

namespace cotan {

// One number for each of the two spatial dimensions; a single number serves both.
struct Pair {
  std::array<std::int64_t, 2> values{};
  constexpr Pair(std::int64_t both) : values{both, both} {}  // NOLINT: written as in PyTorch
  constexpr Pair(int both) : Pair(std::int64_t{both}) {}     // NOLINT
  constexpr Pair(std::int64_t first, std::int64_t second) : values{first, second} {}
  constexpr std::int64_t operator[](std::size_t i) const { return values[i]; }
  bool operator==(const Pair&) const = default;
};

// Dimensions, negative ones counted from the end; without a value: all of them.
class Dims {
 public:
  Dims() = default;                                    // all
  Dims(std::int64_t dim) : all_(false), dims_{dim} {}  // NOLINT: written as in PyTorch
  Dims(int dim) : Dims(std::int64_t{dim}) {}           // NOLINT
  Dims(std::initializer_list<std::int64_t> dims) : all_(false), dims_(dims) {}
  explicit Dims(std::vector<std::int64_t> dims) : all_(false), dims_(std::move(dims)) {}

  // Whether all are meant, and which were given otherwise.
  [[nodiscard]] bool all() const { return all_; }
  [[nodiscard]] const std::vector<std::int64_t>& given() const { return dims_; }
  // Which of `rank` dimensions are meant. Throws Error for one out of range or named twice.
  [[nodiscard]] std::vector<bool> among(std::size_t rank) const;
  bool operator==(const Dims&) const = default;

 private:
  bool all_ = true;
  std::vector<std::int64_t> dims_;
};

// A list of sizes, starts or the like.
using Sizes = std::vector<std::int64_t>;

// The dimension counted from the front. Throws Error where it is out of range.
[[nodiscard]] std::int64_t resolve_dim(std::int64_t dim, std::size_t rank);

// NumPy's rule. Throws Error that names both shapes where they do not broadcast.
[[nodiscard]] Shape broadcast_shapes(const Shape& a, const Shape& b);

// Options as attributes of text.
[[nodiscard]] inline Attribute to_attribute(const Pair& p) { return std::vector<std::int64_t>{p[0], p[1]}; }
[[nodiscard]] inline Attribute to_attribute(const Dims& d) { return d.all() ? Attribute(std::monostate{}) : Attribute(d.given()); }
[[nodiscard]] inline Attribute to_attribute(const Sizes& s) { return s; }
[[nodiscard]] inline Attribute to_attribute(std::int64_t v) { return v; }
[[nodiscard]] inline Attribute to_attribute(bool v) { return v; }
[[nodiscard]] inline Attribute to_attribute(double v) { return v; }

}  // namespace cotan
