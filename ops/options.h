// Types of operations' options, written as in PyTorch: {.dim = 1}, {.dim = {0, 2}, .keepdim = true}, {.stride = 2}, {.padding = {1, 0}}.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "ops/attributes.h"
#include "ops/shape.h"

namespace cotan {

// One number for each of N spatial dimensions; a single number serves all.
template <std::size_t N>
struct Spatial {
  std::array<std::int64_t, N> values{};
  constexpr Spatial(std::int64_t all) { values.fill(all); }   // NOLINT: written as in PyTorch
  constexpr Spatial(int all) : Spatial(std::int64_t{all}) {}  // NOLINT
  template <class... More>
    requires(sizeof...(More) + 2 == N)
  constexpr Spatial(std::int64_t first, std::int64_t second, More... more) : values{first, second, static_cast<std::int64_t>(more)...} {}
  constexpr std::int64_t operator[](std::size_t i) const { return values[i]; }
  bool operator==(const Spatial&) const = default;
};
using Single = Spatial<1>;
using Pair = Spatial<2>;
using Triple = Spatial<3>;

// The padding of a convolution: a number for each of N spatial dimensions, which counts on both sides; or a word: "valid", none, or "same", as much as gives
// the result the input's size (for a stride of 1; an odd one out goes behind).
template <std::size_t N>
class Padding {
 public:
  Padding(Spatial<N> sizes) : sizes_(sizes) {}           // NOLINT: written as in PyTorch
  Padding(std::int64_t all) : sizes_(all) {}             // NOLINT
  Padding(int all) : sizes_(all) {}                      // NOLINT
  Padding(const char* word) : sizes_(0), word_(word) {}  // NOLINT
  Padding(std::string word) : sizes_(0), word_(word) {}  // NOLINT
  template <class... More>
    requires(sizeof...(More) + 2 == N)
  Padding(std::int64_t first, std::int64_t second, More... more) : sizes_(first, second, more...) {}

  // The numbers, zeros where a word was given; and the word, nothing where numbers were. Whether the word means something is the row's concern.
  [[nodiscard]] const Spatial<N>& sizes() const { return sizes_; }
  [[nodiscard]] const std::optional<std::string>& word() const { return word_; }
  bool operator==(const Padding&) const = default;

 private:
  Spatial<N> sizes_;
  std::optional<std::string> word_;
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

// Throws Error unless that many numbers are given.
void require_count(const Sizes& sizes, std::size_t count);

// Options as attributes of text.
template <std::size_t N>
[[nodiscard]] Attribute to_attribute(const Spatial<N>& s) {
  return std::vector<std::int64_t>(s.values.begin(), s.values.end());
}
template <std::size_t N>
[[nodiscard]] Attribute to_attribute(const Padding<N>& p) {
  return p.word() ? Attribute(*p.word()) : to_attribute(p.sizes());
}
[[nodiscard]] inline Attribute to_attribute(const Dims& d) { return d.all() ? Attribute(std::monostate{}) : Attribute(d.given()); }
[[nodiscard]] inline Attribute to_attribute(const Sizes& s) { return s; }
[[nodiscard]] inline Attribute to_attribute(std::int64_t v) { return v; }
[[nodiscard]] inline Attribute to_attribute(bool v) { return v; }
[[nodiscard]] inline Attribute to_attribute(double v) { return v; }
[[nodiscard]] inline Attribute to_attribute(const std::string& v) { return v; }
template <class T>
[[nodiscard]] Attribute to_attribute(const std::optional<T>& v) {
  return v ? to_attribute(*v) : Attribute(std::monostate{});
}

// An attribute of text as an option, the same types backwards. Throws Error where it is of another type or count.
void from_attribute(const Attribute& from, bool& to);
void from_attribute(const Attribute& from, double& to);
void from_attribute(const Attribute& from, std::int64_t& to);
void from_attribute(const Attribute& from, std::string& to);
void from_attribute(const Attribute& from, Sizes& to);
void from_attribute(const Attribute& from, Dims& to);
template <std::size_t N>
void from_attribute(const Attribute& from, Spatial<N>& to) {
  Sizes sizes;
  from_attribute(from, sizes);
  require_count(sizes, N);
  std::copy(sizes.begin(), sizes.end(), to.values.begin());
}
template <std::size_t N>
void from_attribute(const Attribute& from, Padding<N>& to) {
  if (const auto* word = std::get_if<std::string>(&from)) {
    to = Padding<N>(*word);
    return;
  }
  Spatial<N> sizes = 0;
  from_attribute(from, sizes);
  to = Padding<N>(sizes);
}
template <class T>
void from_attribute(const Attribute& from, std::optional<T>& to) {
  if (std::holds_alternative<std::monostate>(from))
    to.reset();
  else
    from_attribute(from, to.emplace());
}

}  // namespace cotan
