// Scans and orders: kernels that go along lines.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "backends/loops/loops.h"
#include "backends/loops/measure.h"
#include "backends/loops/segments.h"

namespace cotan::loops {
namespace {

void require(bool fits) {
  if (!fits) throw InternalError("views that do not fit a line kernel");
}

template <class T>
void scan_line(const T* a, std::int64_t a_step, const T* b, std::int64_t b_step, T* to, std::int64_t to_step, std::int64_t n) {
  if constexpr (std::is_floating_point_v<T>) {
    auto s = static_cast<double>(b[0]);
    to[0] = b[0];
    for (std::int64_t i = 1; i < n; ++i) {
      s = static_cast<double>(a[i * a_step]) * s + static_cast<double>(b[i * b_step]);
      to[i * to_step] = static_cast<T>(s);
    }
  } else if constexpr (std::is_same_v<T, bool>) {
    bool s = false;
    for (std::int64_t i = 0; i < n; ++i) to[i * to_step] = s = (a[i * a_step] && s) || b[i * b_step];
  } else {
    std::uint64_t s = 0;  // wraps; the low bits are those of the element's own arithmetic
    for (std::int64_t i = 0; i < n; ++i) {
      s = static_cast<std::uint64_t>(a[i * a_step]) * s + static_cast<std::uint64_t>(b[i * b_step]);
      to[i * to_step] = static_cast<T>(s);
    }
  }
}

class ScanKernel final : public Kernel {
 public:
  ScanKernel(const ScanSpec& spec, const View& a, const View& b, const View& output) : spec_(spec), dtype_(output.dtype), lines_({a, b, output}, spec.axis) {
    chunks_ = lines_.chunks();
    flops_ = 2.0 * static_cast<double>(output.shape.elements());
    bytes_ = bytes_of(a) + bytes_of(b) + bytes_of(output);
  }

  [[nodiscard]] std::string name() const override { return spec_.reverse ? "loops scan reversed" : "loops scan"; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* /*scratch*/) const override {
    visit_dtype(dtype_, [&](auto zero) {
      using T = decltype(zero);
      const std::int64_t n = lines_.length(), last = spec_.reverse ? n - 1 : 0, sign = spec_.reverse ? -1 : 1;
      lines_.for_each(chunk, [&](const std::array<std::int64_t, 3>& at) {
        scan_line(static_cast<const T*>(buffers[0]) + at[0] + last * lines_.step(0), sign * lines_.step(0),
                  static_cast<const T*>(buffers[1]) + at[1] + last * lines_.step(1), sign * lines_.step(1),
                  static_cast<T*>(buffers[2]) + at[2] + last * lines_.step(2), sign * lines_.step(2), n);
      });
    });
  }

 private:
  ScanSpec spec_;
  DType dtype_;
  Lines<3> lines_;
};

// Ascending with NaN last; equal values are neither.
template <class T>
bool comes_before(T a, T b) {
  return a < b || (b != b && a == a);
}

class OrderKernel final : public Kernel {
 public:
  OrderKernel(const OrderSpec& spec, const View& x, const View& output) : spec_(spec), dtype_(x.dtype), lines_({x, output}, spec.axis) {
    chunks_ = lines_.chunks();
    scratch_bytes_ = static_cast<std::size_t>(lines_.length()) * sizeof(std::int32_t);
    const auto n = static_cast<double>(lines_.length());
    flops_ = static_cast<double>(x.shape.elements()) * std::log2(std::max(2.0, n));
    bytes_ = bytes_of(x) + bytes_of(output);
  }

  [[nodiscard]] std::string name() const override { return spec_.descending ? "loops order descending" : "loops order"; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    visit_dtype(dtype_, [&](auto zero) {
      using T = decltype(zero);
      auto* order = static_cast<std::int32_t*>(scratch);
      const std::int64_t n = lines_.length(), step = lines_.step(0), to_step = lines_.step(1);
      lines_.for_each(chunk, [&](const std::array<std::int64_t, 2>& at) {
        const T* x = static_cast<const T*>(buffers[0]) + at[0];
        std::iota(order, order + n, 0);
        // Equal values by position: a stable order that needs no memory of its own.
        std::sort(order, order + n, [&](std::int32_t i, std::int32_t j) {
          const T u = x[i * step], v = x[j * step];
          const bool before = spec_.descending ? comes_before(v, u) : comes_before(u, v);
          const bool after = spec_.descending ? comes_before(u, v) : comes_before(v, u);
          return before || (!after && i < j);
        });
        auto* to = static_cast<std::int32_t*>(buffers[1]) + at[1];
        for (std::int64_t i = 0; i < n; ++i) to[i * to_step] = order[i];
      });
    });
  }

 private:
  OrderSpec spec_;
  DType dtype_;
  Lines<2> lines_;
};

}  // namespace

KernelRef compile_scan(const ScanSpec& spec, const View& a, const View& b, const View& output) {
  require(a.shape == output.shape && b.shape == output.shape && a.dtype == output.dtype && b.dtype == output.dtype && spec.axis >= 0 &&
          static_cast<std::size_t>(spec.axis) < output.shape.rank() && is_computed(output.dtype));
  return std::make_shared<const ScanKernel>(spec, a, b, output);
}

KernelRef compile_order(const OrderSpec& spec, const View& x, const View& output) {
  require(x.shape == output.shape && is_computed(x.dtype) && output.dtype == DType::i32 && spec.axis >= 0 &&
          static_cast<std::size_t>(spec.axis) < output.shape.rank());
  return std::make_shared<const OrderKernel>(spec, x, output);
}

}  // namespace cotan::loops
