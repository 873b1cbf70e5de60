// Types of operations' options, written as in PyTorch: {.dim = 1}, {.dim = {0, 2}, .keepdim = true}, {.stride = 2}, {.padding = {1, 0}}.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ops/attributes.h"
#include "ops/shape.h"

namespace cotan {

// What counts as an integer in an option: every type of them, and neither bool nor a character. A number beyond what an option holds becomes the nearest that
// it does, which no option takes: its row says so.
template <class T>
concept IntegerOption = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                        !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;
template <IntegerOption T>
[[nodiscard]] constexpr std::int64_t as_option(T number) {
  return std::in_range<std::int64_t>(number) ? static_cast<std::int64_t>(number) : std::numeric_limits<std::int64_t>::max();
}

// One number for each of N spatial dimensions; a single number serves all.
template <std::size_t N>
struct Spatial {
  std::array<std::int64_t, N> values{};
  bool one_for_all = false;  // how it was written, and is printed: 2, not (2, 2)
  template <IntegerOption T>
  constexpr Spatial(T all) : one_for_all(true) {  // NOLINT: written as in PyTorch
    values.fill(as_option(all));
  }
  template <IntegerOption... T>
    requires(sizeof...(T) == N && N > 1)
  constexpr Spatial(T... each) : values{as_option(each)...} {}  // NOLINT
  constexpr std::int64_t operator[](std::size_t i) const { return values[i]; }
  bool operator==(const Spatial& other) const { return values == other.values; }
};
using Single = Spatial<1>;
using Pair = Spatial<2>;
using Triple = Spatial<3>;

// The padding of a convolution: a number for each of N spatial dimensions, which counts on both sides; or a word: "valid", none, or "same", as much as gives
// the result the input's size (for a stride of 1; an odd one out goes behind).
template <std::size_t N>
class Padding {
 public:
  Padding(Spatial<N> sizes) : sizes_(sizes) {}  // NOLINT: written as in PyTorch
  template <IntegerOption T>
  Padding(T all) : sizes_(all) {}                        // NOLINT
  Padding(const char* word) : sizes_(0), word_(word) {}  // NOLINT
  Padding(std::string word) : sizes_(0), word_(word) {}  // NOLINT
  template <IntegerOption... T>
    requires(sizeof...(T) == N && N > 1)
  Padding(T... each) : sizes_(each...) {}  // NOLINT

  // The numbers, zeros where a word was given; and the word, nothing where numbers were. Whether the word means something is the row's concern.
  [[nodiscard]] const Spatial<N>& sizes() const { return sizes_; }
  [[nodiscard]] const std::optional<std::string>& word() const { return word_; }
  bool operator==(const Padding&) const = default;

 private:
  Spatial<N> sizes_;
  std::optional<std::string> word_;
};

// The size of a result in each of N spatial dimensions; std::nullopt, PyTorch's None, keeps the input's. As an attribute, -1 stands for that.
template <std::size_t N>
class OutputSize {
 public:
  template <IntegerOption T>
  OutputSize(T all) : one_for_all_(true) {  // NOLINT: written as in PyTorch
    sizes_.fill(as_option(all));
  }
  OutputSize(std::nullopt_t) : one_for_all_(true) {}  // NOLINT
  template <class... T>
    requires(sizeof...(T) == N && (N > 1 || !(IntegerOption<T> && ...)) &&
             ((IntegerOption<T> || std::same_as<T, std::nullopt_t> || std::same_as<T, std::optional<std::int64_t>>) && ...))
  OutputSize(T... each) : sizes_{as_size(each)...} {}  // NOLINT

  // The size of one dimension, nothing where it is the input's.
  [[nodiscard]] const std::optional<std::int64_t>& operator[](std::size_t i) const { return sizes_[i]; }
  // Whether one size was given for all dimensions: that is how it is printed.
  [[nodiscard]] bool one_for_all() const { return one_for_all_; }
  bool operator==(const OutputSize& other) const { return sizes_ == other.sizes_; }

 private:
  template <class T>
  static std::optional<std::int64_t> as_size(T size) {
    if constexpr (IntegerOption<T>)
      return as_option(size);
    else
      return size;
  }
  std::array<std::optional<std::int64_t>, N> sizes_{};
  bool one_for_all_ = false;
};

// A dimension, a negative one counted from the end. Where an option is of this type, a scalar counts as a vector of one entry, as in PyTorch: 0 and -1 name its
// dimension, and the row sees the vector (graph/scalars.h). Rows that refuse scalars, as PyTorch does, have a std::int64_t.
struct Dim {
  std::int64_t value = 0;
  constexpr Dim() = default;
  template <IntegerOption T>
  constexpr Dim(T dim) : value(as_option(dim)) {}            // NOLINT: written as in PyTorch
  constexpr operator std::int64_t() const { return value; }  // NOLINT
  constexpr bool operator==(const Dim&) const = default;
};

// Dimensions, negative ones counted from the end; without a value: all of them. A scalar counts as a vector of one entry here too.
class Dims {
 public:
  Dims() = default;  // all
  template <IntegerOption T>
  Dims(T dim) : all_(false), dims_{as_option(dim)} {}  // NOLINT: written as in PyTorch
  Dims(Dim dim) : all_(false), dims_{dim.value} {}     // NOLINT
  template <IntegerOption... T>
    requires(sizeof...(T) > 1)
  Dims(T... dims) : all_(false), dims_{as_option(dims)...} {}  // NOLINT
  explicit Dims(std::vector<std::int64_t> dims) : all_(false), dims_(std::move(dims)) {}

  // Whether all are meant, and which were given otherwise.
  [[nodiscard]] bool all() const { return all_; }
  [[nodiscard]] const std::vector<std::int64_t>& given() const { return dims_; }
  // Which of `rank` dimensions are meant; none of a scalar's. Throws Error for one out of range or named twice.
  [[nodiscard]] std::vector<bool> among(std::size_t rank) const;
  bool operator==(const Dims&) const = default;

 private:
  bool all_ = true;
  std::vector<std::int64_t> dims_;
};

// A list of sizes, starts or the like.
using Sizes = std::vector<std::int64_t>;

// The dimension counted from the front. Throws Error where it is out of range, and for a scalar, which has none.
[[nodiscard]] std::int64_t resolve_dim(std::int64_t dim, std::size_t rank);
// Throws Error unless 0 or -1: what a dimension of a scalar is where it counts as a vector of one entry.
void require_dim_of_scalar(std::int64_t dim);

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
template <std::size_t N>
[[nodiscard]] Attribute to_attribute(const OutputSize<N>& s) {
  Sizes sizes;
  for (std::size_t i = 0; i < N; ++i) sizes.push_back(s[i].value_or(-1));
  return sizes;
}
[[nodiscard]] inline Attribute to_attribute(const Dim& d) { return d.value; }
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
void from_attribute(const Attribute& from, Dim& to);
void from_attribute(const Attribute& from, Dims& to);
template <std::size_t N>
void from_attribute(const Attribute& from, Spatial<N>& to) {
  Sizes sizes;
  from_attribute(from, sizes);
  require_count(sizes, N);
  std::copy(sizes.begin(), sizes.end(), to.values.begin());
  to.one_for_all = N == 1;
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
template <std::size_t N>
void from_attribute(const Attribute& from, OutputSize<N>& to) {
  Sizes sizes;
  from_attribute(from, sizes);
  require_count(sizes, N);
  to = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return OutputSize<N>(sizes[I] == -1 ? std::nullopt : std::optional(sizes[I])...);
  }(std::make_index_sequence<N>{});
}
template <class T>
void from_attribute(const Attribute& from, std::optional<T>& to) {
  if (std::holds_alternative<std::monostate>(from)) {
    to.reset();
    return;
  }
  T value{};
  from_attribute(from, value);
  to = std::move(value);
}

}  // namespace cotan
