#include "backends/onednn/norm_kernel.h"

#include <cmath>
#include <vector>

namespace cotan::onednn {
namespace {

// A mean is hard where it is more than 2^8 deviations from 0: its rounding, half a unit of 2^-24, then reaches 2^-16 deviations.
bool is_hard(float mean, float variance, float epsilon) {
  const double m = mean;
  return m * m > 0x1p16 * (double{variance} + double{epsilon});
}

// Where the entries of one mean lie: runs of neighbours, `step` apart.
struct Entries {
  std::int64_t runs = 1, length = 1, step = 0;

  // Calls f(place in the tensor, place in the run).
  template <class F>
  void for_each(const F& f) const {
    for (std::int64_t r = 0; r < runs; ++r)
      for (std::int64_t i = 0; i < length; ++i) f(r * step + i, i);
  }
  [[nodiscard]] double count() const { return static_cast<double>(runs * length); }
};

struct Statistics {
  double mean = 0, variance = 0;

  Statistics(const float* x, const Entries& entries) {
    entries.for_each([&](std::int64_t at, std::int64_t) { mean += double{x[at]}; });
    mean /= entries.count();
    entries.for_each([&](std::int64_t at, std::int64_t) { variance += (x[at] - mean) * (x[at] - mean); });
    variance /= entries.count();
  }
};

class NormKernel final : public Kernel {
 public:
  NormKernel(std::shared_ptr<const CallList> calls, const NormCall& norm, const Cut& means) : calls_(std::move(calls)), norm_(norm), means_(means) {
    chunks_ = calls_->chunks();
    scratch_bytes_ = calls_->scratch_bytes();
    flops_ = calls_->flops();
    bytes_ = calls_->bytes();
    entries_ = norm.layer ? Entries{1, norm.channels, 0} : Entries{norm.batch, norm.space, norm.channels * norm.space};
  }

  [[nodiscard]] std::string name() const override { return calls_->name(); }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    calls_->run(chunk, buffers, scratch);
    const Part some = means_.part(chunk);
    const std::size_t statistics = norm_.backward() ? 2 : buffers.size() - 2;
    const auto *mean = static_cast<const float*>(buffers[statistics]), *variance = static_cast<const float*>(buffers[statistics + 1]);
    for (std::int64_t m = some.first; m < some.first + some.size; ++m) {
      if (!is_hard(mean[m], variance[m], norm_.epsilon)) continue;
      if (!norm_.backward())
        forward(m, buffers);
      else if (!norm_.layer)
        backward(m, buffers, nullptr, nullptr);
      else
        return backward_rows(chunk, buffers);  // its rows share the sums for scale and shift
    }
  }

 private:
  // The first entry of a mean in the tensor, and of what scales and shifts it.
  [[nodiscard]] std::int64_t first_of(std::int64_t mean) const { return mean * (norm_.layer ? norm_.channels : norm_.space); }
  [[nodiscard]] static const float* input(std::span<void* const> buffers, std::size_t i) { return static_cast<const float*>(buffers[i]); }
  [[nodiscard]] static float* output(std::span<void* const> buffers, std::size_t from_end) { return static_cast<float*>(buffers[buffers.size() - from_end]); }

  void forward(std::int64_t mean, std::span<void* const> buffers) const {
    const float* x = input(buffers, 0) + first_of(mean);
    float* y = output(buffers, 3) + first_of(mean);
    const Statistics s(x, entries_);
    const double scale = 1 / std::sqrt(s.variance + double{norm_.epsilon});
    entries_.for_each([&](std::int64_t at, std::int64_t in_run) {
      double v = (x[at] - s.mean) * scale;
      const std::int64_t of_affine = norm_.layer ? in_run : mean;
      if (norm_.affine) v = v * input(buffers, 1)[of_affine] + input(buffers, 2)[of_affine];
      y[at] = static_cast<float>(v);
    });
    output(buffers, 2)[mean] = static_cast<float>(s.mean);
    output(buffers, 1)[mean] = static_cast<float>(s.variance);
  }

  // The cotangent of x. Those of a channel's scale and shift are stored, those of a row's are added to sums.
  void backward(std::int64_t mean, std::span<void* const> buffers, double* to_scale, double* to_shift) const {
    const float *x = input(buffers, 0) + first_of(mean), *g = input(buffers, 1) + first_of(mean);
    float* dx = static_cast<float*>(buffers[norm_.affine ? 5 : 4]) + first_of(mean);
    const Statistics s(x, entries_);
    const double scale = 1 / std::sqrt(s.variance + double{norm_.epsilon});
    const auto normal = [&](std::int64_t at) { return (x[at] - s.mean) * scale; };
    const auto weighted = [&](std::int64_t at, std::int64_t in_run) {
      return norm_.affine ? double{g[at]} * input(buffers, 4)[norm_.layer ? in_run : mean] : double{g[at]};
    };
    double sum = 0, products = 0, of_scale = 0, of_shift = 0;
    entries_.for_each([&](std::int64_t at, std::int64_t in_run) {
      sum += weighted(at, in_run);
      products += weighted(at, in_run) * normal(at);
      of_scale += g[at] * normal(at);
      of_shift += g[at];
      if (to_scale == nullptr) return;
      to_scale[in_run] += g[at] * normal(at);
      to_shift[in_run] += g[at];
    });
    entries_.for_each([&](std::int64_t at, std::int64_t in_run) {
      dx[at] = static_cast<float>((weighted(at, in_run) - sum / entries_.count() - normal(at) * (products / entries_.count())) * scale);
    });
    if (norm_.layer || !norm_.affine) return;
    output(buffers, 2)[mean] = static_cast<float>(of_scale);
    output(buffers, 1)[mean] = static_cast<float>(of_shift);
  }

  void backward_rows(std::int64_t chunk, std::span<void* const> buffers) const {
    const Part rows = means_.part(chunk);
    std::vector<double> of_scale(static_cast<std::size_t>(norm_.channels), 0.0), of_shift = of_scale;
    for (std::int64_t r = rows.first; r < rows.first + rows.size; ++r) backward(r, buffers, of_scale.data(), of_shift.data());
    if (!norm_.affine) return;
    for (std::size_t i = 0; i < of_scale.size(); ++i) {
      const std::size_t at = static_cast<std::size_t>(chunk * norm_.channels) + i;
      output(buffers, 2)[at] = static_cast<float>(of_scale[i]);
      output(buffers, 1)[at] = static_cast<float>(of_shift[i]);
    }
  }

  std::shared_ptr<const CallList> calls_;
  NormCall norm_;
  Cut means_;
  Entries entries_;
};

}  // namespace

KernelRef norm_kernel(std::shared_ptr<const CallList> calls, const NormCall& norm, const Cut& means) {
  return std::make_shared<const NormKernel>(std::move(calls), norm, means);
}

}  // namespace cotan::onednn
