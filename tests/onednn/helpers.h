// Strided tensors for the tests: buffers whose every element outside the view is a canary, values that are the same in every run, and the call that runs a
// primitive with scratch of exactly the size it asked for.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/onednn/primitive.h"
#include "ops/shape.h"

namespace cotan::onednn::testing {

// Calls visit(offset) with the element offset of every index of `shape`, in row-major order.
inline void each_offset(const Shape& shape, const Shape& strides, const std::function<void(std::int64_t)>& visit) {
  const std::int64_t count = shape.elements();
  for (std::int64_t flat = 0; flat < count; ++flat) {
    std::int64_t rest = flat, offset = 0;
    for (std::size_t i = shape.rank(); i-- > 0;) {
      offset += rest % shape[i] * strides[i];
      rest /= shape[i];
    }
    visit(offset);
  }
}

// A strided tensor of floats in a buffer of its own.
class Tensor {
 public:
  static constexpr float canary = -12345.5f;
  static constexpr std::size_t guard = 32;

  Tensor(Shape shape, Shape strides) : shape_(shape), strides_(strides) {
    std::int64_t last = 0;
    for (std::size_t i = 0; i < shape.rank(); ++i) last += (shape[i] - 1) * strides[i];
    elements_.assign(static_cast<std::size_t>(last) + 1 + 2 * guard, canary);
  }
  explicit Tensor(const Shape& shape) : Tensor(shape, dense_strides(shape)) {}

  // Values in [-0.5, 0.5) that depend on `seed` and the position only.
  Tensor& fill(std::uint32_t seed) {
    std::uint32_t state = seed * 2654435761u + 1;
    each_offset(shape_, strides_, [&](std::int64_t offset) {
      state = state * 1664525u + 1013904223u;
      (*this)[offset] = static_cast<float>(state >> 8) / static_cast<float>(1 << 24) - 0.5f;
    });
    return *this;
  }
  Tensor& fill_all(float value) {
    each_offset(shape_, strides_, [&](std::int64_t offset) { (*this)[offset] = value; });
    return *this;
  }
  Tensor& fill_with(std::initializer_list<float> values) {
    auto next = values.begin();
    each_offset(shape_, strides_, [&](std::int64_t offset) { (*this)[offset] = *next++; });
    return *this;
  }

  [[nodiscard]] float* data() { return elements_.data() + guard; }
  [[nodiscard]] const float* data() const { return elements_.data() + guard; }
  float& operator[](std::int64_t offset) { return data()[offset]; }
  const float& operator[](std::int64_t offset) const { return data()[offset]; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] const Shape& strides() const { return strides_; }
  [[nodiscard]] std::size_t extent() const { return elements_.size() - 2 * guard; }

  // Fails where an element outside the view was written.
  void expect_canaries() const {
    std::vector<bool> inside(elements_.size(), false);
    each_offset(shape_, strides_, [&](std::int64_t offset) { inside[static_cast<std::size_t>(offset) + guard] = true; });
    for (std::size_t i = 0; i < elements_.size(); ++i) {
      if (!inside[i] && elements_[i] != canary) {
        ADD_FAILURE() << "element " << static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(guard) << " outside the view was written";
        return;
      }
    }
  }

 private:
  Shape shape_, strides_;
  std::vector<float> elements_;
};

// Scratch of exactly `bytes`, 64-byte aligned, full of NaN patterns: content that a primitive may not rely on.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : bytes_(bytes), data_(static_cast<std::byte*>(::operator new(bytes + 2 * 64, std::align_val_t(64)))) {
    std::memset(data_, 0xff, bytes + 2 * 64);
  }
  ~Scratch() { ::operator delete(data_, std::align_val_t(64)); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] void* data() { return data_ + 64; }

  // Fails where bytes just before or after were written.
  void expect_untouched_around() const {
    for (std::size_t i = 0; i < 64; ++i) {
      if (data_[i] != std::byte{0xff} || data_[64 + bytes_ + i] != std::byte{0xff}) {
        ADD_FAILURE() << "bytes outside the " << bytes_ << " of scratch were written";
        return;
      }
    }
  }

 private:
  std::size_t bytes_;
  std::byte* data_;
};

// Runs once.
inline void run(const Primitive& primitive, std::initializer_list<const Tensor*> inputs, Tensor& output) {
  std::vector<const void*> pointers;
  for (const Tensor* input : inputs) pointers.push_back(input->data());
  Scratch scratch(primitive.scratch_bytes());
  primitive.run(pointers, std::array<void*, 1>{output.data()}, scratch.data());
  scratch.expect_untouched_around();
}

// Fails unless there is no primitive, for that reason, with a text.
inline void expect_refused(const Made& made, Refusal refusal, const std::string& part_of_reason) {
  EXPECT_FALSE(made) << "made " << (made ? made.primitive->implementation() : "");
  EXPECT_EQ(name_of(made.refusal), std::string(name_of(refusal))) << made.reason;
  EXPECT_NE(made.reason.find(part_of_reason), std::string::npos) << "the reason is: " << made.reason;
}

}  // namespace cotan::onednn::testing
