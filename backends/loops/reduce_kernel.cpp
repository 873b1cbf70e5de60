#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "backends/loops/loops.h"
#include "backends/loops/measure.h"
#include "backends/loops/nest.h"
#include "backends/loops/reduce_runs.h"

namespace cotan::loops {
namespace {

constexpr std::int64_t block_elements = 512;
constexpr double work_per_chunk = 32768;
constexpr double most_chunks = 64;

// What the extreme of no point is.
template <class T>
T extreme_of_nothing(bool max) {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>) return max ? -Limits::infinity() : Limits::infinity();
  return max ? Limits::lowest() : Limits::max();
}

// Levels: indices of the output, then the reduced ones in their order, so that the first of equals comes first; in a block, one index of the output is last.
class ReduceKernel final : public Kernel {
 public:
  ReduceKernel(const ReduceSpec& spec, const View& x, const View& output)
      : spec_(spec), x_(x), output_(output), max_(seeks_largest(spec.reduction)), positions_(gives_positions(spec.reduction)) {
    check();
    order_levels();
    make_nest();
    share_out();
    run_ = reduce_run(x.dtype, spec.reduction, along_);
    scratch_bytes_ = static_cast<std::size_t>(block_elements) * (sizeof(double) + sizeof(std::int32_t));
    double points = 1;
    for (std::int64_t n : spec.domain) points *= static_cast<double>(n);
    flops_ = points;
    bytes_ = bytes_of(x) + bytes_of(output);
    name_ = fmt::format("loops {} {}", name_of(spec.reduction), along_ ? "of rows" : "of lines");
  }

  [[nodiscard]] std::string name() const override { return name_; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    if (output_.shape.elements() == 0) return;
    Walk(*this, chunk, buffers, scratch).run();
  }

 private:
  [[nodiscard]] std::size_t outputs() const { return static_cast<std::size_t>(spec_.outputs); }

  void check() const {
    bool fits = spec_.access.size() == x_.shape.rank() && output_.shape.rank() == outputs() + (positions_ ? 1 : 0) && is_computed(x_.dtype);
    for (std::size_t d = 0; fits && d < outputs(); ++d) fits = output_.shape[d] == spec_.domain[d];
    for (const IndexExpr& e : spec_.access) fits = fits && e.affine();
    fits = fits && output_.dtype == (positions_ ? DType::i32 : x_.dtype);
    std::int64_t reduced = 1;
    for (std::size_t i = outputs(); i < spec_.domain.size(); ++i) reduced *= spec_.domain[i];
    if (!fits || (positions_ && reduced > std::numeric_limits<std::int32_t>::max())) throw InternalError("a reduction that does not fit its views");
  }

  [[nodiscard]] std::int64_t x_step(std::size_t i) const {
    std::int64_t step = 0;
    for (std::size_t d = 0; d < spec_.access.size(); ++d) step += spec_.access[d].coefficient(static_cast<int>(i)) * x_.strides[d];
    return step;
  }

  void order_levels() {
    std::vector<int> outer, reduced;
    for (std::size_t i = 0; i < spec_.domain.size(); ++i)
      if (spec_.domain[i] != 1) (i < outputs() ? outer : reduced).push_back(static_cast<int>(i));
    std::stable_sort(outer.begin(), outer.end(), [&](int a, int b) {
      return std::abs(output_.strides[static_cast<std::size_t>(a)]) > std::abs(output_.strides[static_cast<std::size_t>(b)]);
    });
    // The cost of a point, as each index's innermost loop would have it.
    auto cost = [&](int i) {
      const auto n = static_cast<std::size_t>(i);
      return 10.0 / static_cast<double>(std::max<std::int64_t>(1, spec_.domain[n])) + (std::abs(x_step(n)) > 1 ? 1 : 0);
    };
    double best = reduced.empty() ? 1e9 : 1 + cost(reduced.back());
    int along = -1;
    for (int i : outer) {
      const double c = cost(i) + (std::abs(output_.strides[static_cast<std::size_t>(i)]) > 1 ? 0.5 : 0);
      if (c >= best) continue;
      best = c;
      along = i;
    }
    along_ = along >= 0;
    std::erase(outer, along);
    split_ = outer.size();
    index_of_level_ = outer;
    index_of_level_.insert(index_of_level_.end(), reduced.begin(), reduced.end());
    if (along_) index_of_level_.push_back(along);
    if (index_of_level_.size() == split_) index_of_level_.push_back(-1);  // nothing is reduced: a single turn
  }

  void make_nest() {
    std::vector<int> level_of(spec_.domain.size(), -1);
    for (std::size_t l = 0; l < index_of_level_.size(); ++l) {
      const int i = index_of_level_[l];
      if (i >= 0) level_of[static_cast<std::size_t>(i)] = static_cast<int>(l);
      nest_.levels.push_back({i >= 0 ? spec_.domain[static_cast<std::size_t>(i)] : 1, {}, {}});
    }
    nest_.empty = std::find(spec_.domain.begin(), spec_.domain.end(), 0) != spec_.domain.end();
    x_steps_.assign(nest_.levels.size(), 0);
    output_steps_.assign(nest_.levels.size(), 0);
    position_steps_.assign(nest_.levels.size(), 0);
    for (std::size_t d = 0; d < spec_.access.size(); ++d) {
      const Form form = nest_.form_of(spec_.access[d], level_of);
      x_offset_ += form.constant * x_.strides[d];
      for (std::size_t l = 0; l < x_steps_.size(); ++l) x_steps_[l] += form.steps[l] * x_.strides[d];
      // Not outside the reduced levels: every element of the output is walked to, if only to find no point.
      if (!nest_.empty) nest_.require(form, x_.shape[d], static_cast<int>(split_));
    }
    std::int64_t stride = 1;
    for (std::size_t i = spec_.domain.size(); i-- > 0;) {
      if (level_of[i] >= 0) {
        if (i < outputs()) output_steps_[static_cast<std::size_t>(level_of[i])] = output_.strides[i];
        if (i >= outputs()) position_steps_[static_cast<std::size_t>(level_of[i])] = stride;
      }
      if (i >= outputs()) stride *= spec_.domain[i];
    }
  }

  void share_out() {
    double work = 1;
    for (const Level& l : nest_.levels) work *= static_cast<double>(l.extent);
    const auto wanted = static_cast<std::int64_t>(std::clamp(work / work_per_chunk, 1.0, most_chunks));
    if (wanted == 1) return;
    std::vector<std::size_t> candidates;
    for (std::size_t l = 0; l < split_; ++l) candidates.push_back(l);
    if (along_) candidates.push_back(nest_.levels.size() - 1);
    for (std::size_t l : candidates) {
      const bool better = chunk_level_ < 0 || nest_.levels[l].extent > nest_.levels[static_cast<std::size_t>(chunk_level_)].extent;
      if (better) chunk_level_ = static_cast<int>(l);
      if (nest_.levels[l].extent >= wanted) break;
    }
    if (chunk_level_ < 0) return;
    const auto level = static_cast<std::size_t>(chunk_level_);
    part_ = (nest_.levels[level].extent + wanted - 1) / wanted;
    if (std::abs(output_steps_[level]) == 1) part_ = (part_ + 15) / 16 * 16;
    chunks_ = (nest_.levels[level].extent + part_ - 1) / part_;
  }

  class Walk {
   public:
    Walk(const ReduceKernel& kernel, std::int64_t chunk, std::span<void* const> buffers, void* scratch)
        : k_(kernel),
          x_(static_cast<const std::byte*>(buffers[0])),
          output_(static_cast<std::byte*>(buffers[1])),
          best_(scratch),
          at_positions_(k_.positions_ ? reinterpret_cast<std::int32_t*>(static_cast<std::byte*>(scratch) + block_elements * sizeof(double)) : nullptr),
          last_(k_.nest_.levels.size() - 1) {
      at_.index.assign(last_ + 1, 0);
      for (const Level& l : k_.nest_.levels) ranges_.emplace_back(0, l.extent);
      if (k_.chunk_level_ >= 0) {
        auto& range = ranges_[static_cast<std::size_t>(k_.chunk_level_)];
        range = {chunk * k_.part_, std::min(range.second, (chunk + 1) * k_.part_)};
      }
    }

    void run() { outer(0, k_.x_offset_, 0); }

   private:
    void outer(std::size_t level, std::int64_t x, std::int64_t output) {
      if (level == k_.split_) {
        blocks(x, output);
        return;
      }
      for (std::int64_t i = ranges_[level].first; i < ranges_[level].second; ++i) {
        at_.index[level] = i;
        outer(level + 1, x + i * k_.x_steps_[level], output + i * k_.output_steps_[level]);
      }
    }

    void blocks(std::int64_t x, std::int64_t output) {
      if (!k_.along_) {
        block(x, output, 0, 1);
        return;
      }
      const auto range = ranges_[last_];
      for (std::int64_t i = range.first; i < range.second; i += block_elements) {
        ranges_[last_] = {i, std::min(range.second, i + block_elements)};
        block(x, output + i * k_.output_steps_[last_], i, ranges_[last_].second - i);
      }
      ranges_[last_] = range;
    }

    void block(std::int64_t x, std::int64_t output, std::int64_t first, std::int64_t count) {
      visit_dtype(k_.x_.dtype, [&](auto zero) {
        using T = decltype(zero);
        auto* best = static_cast<T*>(best_);
        std::fill(best, best + count, extreme_of_nothing<T>(k_.max_));
        if (at_positions_ != nullptr) std::fill(at_positions_, at_positions_ + count, -1);
        if (!k_.nest_.empty) reduced(k_.split_, x, 0, first);
        const std::int64_t step = k_.along_ ? k_.output_steps_[last_] : 0;
        if (at_positions_ == nullptr)
          for (std::int64_t i = 0; i < count; ++i) reinterpret_cast<T*>(output_)[output + i * step] = best[i];
        else
          for (std::int64_t i = 0; i < count; ++i) store_position(output + i * step, std::max(0, at_positions_[i]));
      });
    }

    // The coordinates in the reduced indices; no point at all gives zeros.
    void store_position(std::int64_t offset, std::int64_t position) {
      const std::size_t outputs = k_.outputs();
      for (std::size_t i = k_.spec_.domain.size(); i-- > outputs;) {
        const std::int64_t n = std::max<std::int64_t>(1, k_.spec_.domain[i]);
        reinterpret_cast<std::int32_t*>(output_)[offset + static_cast<std::int64_t>(i - outputs) * k_.output_.strides[outputs]] =
            static_cast<std::int32_t>(position % n);
        position /= n;
      }
    }

    void reduced(std::size_t level, std::int64_t x, std::int64_t position, std::int64_t block_first) {
      const Level& l = k_.nest_.levels[level];
      const auto [first, last] = clipped(l, level, at_, ranges_[level].first, ranges_[level].second);
      if (first >= last) return;
      if (level < last_) {
        for (std::int64_t i = first; i < last; ++i) {
          at_.index[level] = i;
          reduced(level + 1, x + i * k_.x_steps_[level], position + i * k_.position_steps_[level], block_first);
        }
        return;
      }
      const auto size = static_cast<std::int64_t>(size_of(k_.x_.dtype));
      ReduceRun r;
      r.x = x_ + (x + first * k_.x_steps_[level]) * size;
      r.step = k_.x_steps_[level];
      r.n = last - first;
      const std::int64_t skipped = k_.along_ ? first - block_first : 0;
      r.best = static_cast<std::byte*>(best_) + skipped * size;
      r.positions = at_positions_ == nullptr ? nullptr : at_positions_ + skipped;
      r.position = static_cast<std::int32_t>(position + first * k_.position_steps_[level]);
      r.position_step = static_cast<std::int32_t>(k_.position_steps_[level]);
      k_.run_(r);
    }

    const ReduceKernel& k_;
    const std::byte* x_;
    std::byte* output_;
    void* best_;
    std::int32_t* at_positions_;
    std::size_t last_;
    Position at_;
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges_;
  };

  ReduceSpec spec_;
  View x_, output_;
  bool max_, positions_;
  bool along_ = false;
  std::size_t split_ = 0;
  std::vector<int> index_of_level_;
  Nest nest_;
  std::int64_t x_offset_ = 0;
  std::vector<std::int64_t> x_steps_, output_steps_, position_steps_;  // of each level
  int chunk_level_ = -1;
  std::int64_t part_ = 1;
  ReduceRunFunction run_ = nullptr;
  std::string name_;
};

}  // namespace

KernelRef compile_reduce(const ReduceSpec& spec, const View& x, const View& output) { return std::make_shared<const ReduceKernel>(spec, x, output); }

}  // namespace cotan::loops
