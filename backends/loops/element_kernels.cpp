// Kernels that care which element is which: checks, iotas, random numbers.
#include "backends/loops/loops.h"
#include "backends/loops/measure.h"
#include "backends/loops/random_runs.h"
#include "backends/loops/scalar_ops.h"
#include "backends/loops/segments.h"
#include "ops/philox.h"

namespace cotan::loops {
namespace {

class CheckKernel final : public Kernel {
 public:
  CheckKernel(const CheckSpec& spec, const View& x, const View* output) : spec_(spec), x_(x), copies_(output != nullptr), output_(copies_ ? *output : x) {
    chunks_ = chunks_for(x.shape.elements());
    bytes_ = bytes_of(x) + (copies_ ? bytes_of(output_) : 0);
  }

  [[nodiscard]] std::string name() const override { return "loops check"; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* /*scratch*/) const override {
    visit_dtype(x_.dtype, [&](auto zero) {
      using T = decltype(zero);
      const std::int64_t step = segment_step(x_), to_step = segment_step(output_);
      for_each_segment<2>({&x_, &output_}, chunk * segment_chunk, (chunk + 1) * segment_chunk,
                          [&](std::int64_t first, std::int64_t n, const std::array<std::int64_t, 2>& at) {
                            const T* x = static_cast<const T*>(buffers[0]) + at[0];
                            T* to = copies_ ? static_cast<T*>(buffers[1]) + at[1] : nullptr;
                            for (std::int64_t i = 0; i < n; ++i) {
                              const auto v = static_cast<std::int64_t>(x[i * step]);
                              if (v < 0 || v >= spec_.below) throw CheckFailure{v, first + i};
                              if (to != nullptr) to[i * to_step] = x[i * step];
                            }
                          });
    });
  }

 private:
  CheckSpec spec_;
  View x_;
  bool copies_;
  View output_;
};

class IotaKernel final : public Kernel {
 public:
  IotaKernel(int axis, const View& output) : axis_(static_cast<std::size_t>(axis)), output_(output), stride_(dense_strides(output.shape)[axis_]) {
    chunks_ = chunks_for(output.shape.elements());
    bytes_ = bytes_of(output);
  }

  [[nodiscard]] std::string name() const override { return "loops iota"; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* /*scratch*/) const override {
    visit_dtype(output_.dtype, [&](auto zero) {
      using T = decltype(zero);
      const std::int64_t step = segment_step(output_);
      const bool along = axis_ + 1 == output_.shape.rank();
      for_each_segment<1>({&output_}, chunk * segment_chunk, (chunk + 1) * segment_chunk,
                          [&](std::int64_t first, std::int64_t n, const std::array<std::int64_t, 1>& at) {
                            T* to = static_cast<T*>(buffers[0]) + at[0];
                            const std::int64_t start = first / stride_ % output_.shape[axis_];
                            for (std::int64_t i = 0; i < n; ++i) to[i * step] = scalar::convert<T>(start + (along ? i : 0));
                          });
    });
  }

 private:
  std::size_t axis_;
  View output_;
  std::int64_t stride_;
};

class RandomKernel final : public Kernel {
 public:
  explicit RandomKernel(const View& output) : output_(output), per_block_(philox::elements_of_block(output.dtype)) {
    chunks_ = chunks_for(output.shape.elements());
    flops_ = static_cast<double>(output.shape.elements()) * 60 / per_block_;  // ten rounds of six operations a block
    bytes_ = bytes_of(output);
  }

  [[nodiscard]] std::string name() const override { return "loops random"; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* /*scratch*/) const override {
    const RandomState state = *static_cast<const RandomState*>(buffers[0]);
    if (output_.dtype == DType::f32)
      draw(state, chunk, static_cast<float*>(buffers[1]));
    else
      draw(state, chunk, static_cast<double*>(buffers[1]));
  }

 private:
  template <class T>
  void draw(const RandomState& state, std::int64_t chunk, T* output) const {
    const std::int64_t step = segment_step(output_);
    for_each_segment<1>({&output_}, chunk * segment_chunk, (chunk + 1) * segment_chunk,
                        [&](std::int64_t first, std::int64_t n, const std::array<std::int64_t, 1>& at) {
                          PhiloxWords many;
                          for (std::int64_t i = 0; i < n;) {
                            const std::int64_t block = (first + i) / per_block_;
                            blocks_(state.key, state.counter + static_cast<std::uint64_t>(block), many);
                            std::int64_t e = first + i - block * per_block_;
                            for (; e < std::int64_t{philox_lanes} * per_block_ && i < n; ++e, ++i) output[at[0] + i * step] = number<T>(many, e);
                          }
                        });
  }

  // Element e of the blocks, as philox::uniform makes it of a block.
  template <class T>
  static T number(const PhiloxWords& many, std::int64_t e) {
    if constexpr (std::is_same_v<T, float>) {
      return static_cast<float>(static_cast<std::int32_t>(many.words[e % 4][e / 4] >> 8)) * 0x1p-24F;
    } else {
      const std::uint64_t high = many.words[e % 2 * 2][e / 2], low = many.words[e % 2 * 2 + 1][e / 2];
      return static_cast<double>((high << 32 | low) >> 11) * 0x1p-53;
    }
  }

  View output_;
  int per_block_;
  PhiloxFunction blocks_ = philox_blocks();
};

void require_integers(const View& x) {
  if (kind_of(x.dtype) != DTypeKind::integer) throw InternalError("a check of values that are not integers");
}

}  // namespace

KernelRef compile_check(const CheckSpec& spec, const View& x) {
  require_integers(x);
  return std::make_shared<const CheckKernel>(spec, x, nullptr);
}

KernelRef compile_check(const CheckSpec& spec, const View& x, const View& output) {
  require_integers(x);
  if (output.shape != x.shape || output.dtype != x.dtype) throw InternalError("a check into a view of another type");
  return std::make_shared<const CheckKernel>(spec, x, &output);
}

KernelRef compile_iota(int axis, const View& output) {
  if (axis < 0 || static_cast<std::size_t>(axis) >= output.shape.rank() || output.dtype == DType::boolean)
    throw InternalError("an iota that does not fit its view");
  return std::make_shared<const IotaKernel>(axis, output);
}

KernelRef compile_random(const View& output) {
  if (output.dtype != DType::f32 && output.dtype != DType::f64) throw InternalError("random numbers that are neither f32 nor f64");
  return std::make_shared<const RandomKernel>(output);
}

}  // namespace cotan::loops
