// Buffers with views of any strides, filled at random and watched for stray writes, and kernels run on them chunk by chunk.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "backends/reference/reference.h"
#include "graph/kernel.h"
#include "ops/formula.h"

namespace cotan::loops_test {

using reference::Array;

// Numbers by hand from the engine, so that every standard library gives the same.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // In [low, high].
  std::int64_t integer(std::int64_t low, std::int64_t high) { return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1)); }
  bool chance(double p) { return unit() < p; }
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  template <class T>
  T pick(std::initializer_list<T> from) {
    return from.begin()[integer(0, static_cast<std::int64_t>(from.size()) - 1)];
  }
  template <class T, std::size_t n>
  T any_of(const T (&from)[n]) {
    return from[integer(0, static_cast<std::int64_t>(n) - 1)];
  }

 private:
  std::mt19937_64 engine_;
};

// A view with its own memory; what lies between and around its elements must stay as it is.
class Buffer {
 public:
  static constexpr std::int64_t margin = 16;  // elements on either side

  Buffer(const View& view, std::int64_t span) : view_(view), memory_(static_cast<std::size_t>(span + 2 * margin) * size_of(view.dtype), 0xA5) {}

  // Dense, of an array's values.
  explicit Buffer(const Array& a) : Buffer(View::dense(a.dtype, a.shape), a.shape.elements()) { reference::to_buffer(a, first(), view_); }

  [[nodiscard]] const View& view() const { return view_; }
  [[nodiscard]] void* first() { return memory_.data() + static_cast<std::size_t>(margin + view_.offset) * size_of(view_.dtype); }
  [[nodiscard]] Array array() { return reference::from_buffer(first(), view_); }

  // Marks now the bytes that a write of the view's elements must leave alone.
  void watch() {
    before_ = memory_;
    reference::to_buffer(Array::zeros(view_.dtype, view_.shape), first(), view_);
    std::vector<std::uint8_t> zeros = memory_;
    Array ones = Array::zeros(view_.dtype, view_.shape);
    std::fill(ones.values.begin(), ones.values.end(), 1.0);
    reference::to_buffer(ones, first(), view_);
    owned_.assign(memory_.size(), false);
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      if (zeros[i] == memory_[i]) continue;
      const std::size_t element = i / size_of(view_.dtype) * size_of(view_.dtype);
      for (std::size_t b = 0; b < size_of(view_.dtype); ++b) owned_[element + b] = true;
    }
    memory_ = before_;
  }
  // True if nothing else was written since watch().
  [[nodiscard]] bool untouched_elsewhere() const {
    for (std::size_t i = 0; i < memory_.size(); ++i)
      if (!owned_[i] && memory_[i] != before_[i]) return false;
    return true;
  }

 private:
  View view_;
  std::vector<std::uint8_t> memory_, before_;
  std::vector<bool> owned_;
};

// Any order of dimensions, gaps, negative strides and, where allowed, broadcasts; dense now and then.
inline Buffer random_buffer(Random& random, DType dtype, const Shape& shape, bool broadcasts = false) {
  View view = View::dense(dtype, shape);
  std::int64_t span = shape.elements();
  if (random.chance(0.6)) {
    std::vector<std::size_t> order(shape.rank());
    for (std::size_t d = 0; d < order.size(); ++d) order[d] = d;
    if (random.chance(0.4))
      for (std::size_t d = order.size(); d > 1; --d)
        std::swap(order[d - 1], order[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(d) - 1))]);
    std::int64_t step = random.chance(0.2) ? random.integer(2, 3) : 1;
    span = 1;
    for (std::size_t i = order.size(); i-- > 0;) {
      const std::size_t d = order[i];
      if (broadcasts && random.chance(0.3)) {
        view.strides[d] = 0;
        continue;
      }
      const std::int64_t reach = step * std::max<std::int64_t>(0, shape[d] - 1);
      view.strides[d] = random.chance(0.2) ? -step : step;
      if (view.strides[d] < 0) view.offset += reach;
      span += reach;
      step = step * std::max<std::int64_t>(1, shape[d]) + (random.chance(0.2) ? random.integer(1, 5) : 0);
    }
  }
  return {view, span};
}

// Whether numbers of that type may be negative.
inline bool is_signed(DType dtype) { return dtype != DType::boolean && dtype != DType::u8 && dtype != DType::u32; }

// A value that dtype holds exactly; for floats also zeros of both signs, infinities, NaN and ties.
inline double random_value(Random& random, DType dtype, bool special = true) {
  switch (dtype) {
    case DType::boolean: return static_cast<double>(random.integer(0, 1));
    case DType::u8: return static_cast<double>(random.chance(0.2) ? random.integer(0, 255) : random.integer(0, 9));
    case DType::u32: return static_cast<double>(random.chance(0.2) ? random.integer(0, 4294967295LL) : random.integer(0, 9));
    case DType::i64: return static_cast<double>(random.chance(0.2) ? random.integer(-(1LL << 40), 1LL << 40) : random.integer(-9, 9));
    case DType::i32: return static_cast<double>(random.chance(0.2) ? random.integer(-2147483648LL, 2147483647LL) : random.integer(-9, 9));
    default: break;
  }
  if (special && random.chance(0.15))
    return random.pick({0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -1.5, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                        std::numeric_limits<double>::quiet_NaN(), 3e9, -300.0});
  return round_to(dtype, (random.unit() - 0.5) * 8);
}

inline void fill_random(Random& random, Buffer& buffer, bool special = true) {
  Array a = Array::zeros(buffer.view().dtype, buffer.view().shape);
  for (double& v : a.values) v = random_value(random, a.dtype, special);
  reference::to_buffer(a, buffer.first(), buffer.view());
}

// Runs every chunk, last one first, each with scratch memory of its own that is full of NaNs.
inline void run_kernel(const Kernel& kernel, std::span<void* const> buffers) {
  for (std::int64_t c = kernel.chunks(); c-- > 0;) {
    std::vector<double> scratch(kernel.scratch_bytes() / 8 + 16, std::numeric_limits<double>::quiet_NaN());
    auto address = (reinterpret_cast<std::uintptr_t>(scratch.data()) + 63) / 64 * 64;
    kernel.run(c, buffers, reinterpret_cast<void*>(address));
  }
}

// The same value, to the bit; all NaNs are one.
inline bool same_bits(double a, double b) { return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

inline Shape random_shape(Random& random, int rank, std::int64_t most) {
  Shape s;
  for (int d = 0; d < rank; ++d) s.push_back(random.integer(1, most));
  return s;
}

}  // namespace cotan::loops_test
