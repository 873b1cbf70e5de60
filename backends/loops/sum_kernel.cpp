#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

#include "backends/loops/loops.h"
#include "backends/loops/measure.h"
#include "backends/loops/plain_sum.h"
#include "backends/loops/sum_plan.h"
#include "backends/loops/sum_runs.h"
#include "ops/formula.h"

namespace cotan::loops {
namespace {

constexpr std::int64_t wide_bytes = 8;

class SumKernel final : public Kernel {
 public:
  SumKernel(const SumSpec& spec, std::span<const View> factors, std::span<const View> tables, const View& output)
      : plan_(plan_sum(spec, factors, output)), output_(output), factors_(static_cast<int>(factors.size())), coefficient_(spec.coefficient) {
    for (const View& v : tables) {
      if (kind_of(v.dtype) != DTypeKind::integer) throw InternalError("a table of a sum that holds no integers");
      tables_.emplace_back(v);
    }
    const bool wide = plan_.form == SumForm::block || plan_.form == SumForm::scatter;
    run_ = sum_run(output.dtype, plan_.form == SumForm::assign ? RunForm::assign : wide ? RunForm::accumulate : RunForm::direct);
    finish_ = sum_finish(output.dtype);
    to_bytes_ = wide ? wide_bytes : static_cast<std::int64_t>(size_of(output.dtype));
    prepare_steps();
    if (tables_.empty()) plain_ = PlainSum::of(plan_, factors_, output.dtype, coefficient_);
    chunks_ = plan_.chunks();
    if (plan_.form == SumForm::block) scratch_bytes_ = static_cast<std::size_t>(block_elements * wide_bytes);
    if (plan_.form == SumForm::scatter) scratch_bytes_ = static_cast<std::size_t>(std::max<std::int64_t>(1, plan_.accumulators.elements()) * wide_bytes);

    double points = 1;
    for (std::int64_t n : spec.domain) points *= static_cast<double>(n);
    flops_ = points * (plan_.form == SumForm::assign ? std::max(0, factors_ - 1) + (coefficient_ != 1 ? 1 : 0) : std::max(1, factors_));
    for (const View& v : factors) bytes_ += bytes_of(v);
    for (const View& v : tables) bytes_ += bytes_of(v);
    bytes_ += bytes_of(output);
    name_ = fmt::format("loops sum {}{}", name_of(plan_.form), plan_.form != SumForm::block ? "" : plan_.along ? " of rows" : " of dots");
  }

  [[nodiscard]] std::string name() const override { return name_; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    if (output_.shape.elements() == 0) return;
    if (plain_)
      plain_->run(plan_, chunk, buffers, scratch);
    else
      Walk(*this, chunk, buffers, scratch).run();
  }

 private:
  // For each level: how far each tensor moves with it, and what its entries move.
  void prepare_steps() {
    const std::size_t tensors = plan_.offsets.size(), last = plan_.nest.levels.size() - 1;
    steps_.assign(plan_.nest.levels.size(), std::vector<std::int64_t>(tensors, 0));
    moved_by_.resize(plan_.nest.entries.size());
    if (plan_.nest.empty) return;
    for (std::size_t t = 0; t < tensors; ++t) {
      for (std::size_t l = 0; l <= last; ++l) steps_[l][t] = plan_.offsets[t].steps[l];
      for (const auto& [entry, step] : plan_.offsets[t].entries) moved_by_[static_cast<std::size_t>(entry)].emplace_back(t, step);
    }
    // Inside a block, tensor 0 is its accumulators.
    if (plan_.along) steps_[last][0] = 1;
  }

  class Walk {
   public:
    Walk(const SumKernel& kernel, std::int64_t chunk, std::span<void* const> buffers, void* scratch)
        : kernel_(kernel), plan_(kernel.plan_), buffers_(buffers), scratch_(static_cast<double*>(scratch)), output_(static_cast<std::byte*>(buffers.back())) {
      const std::size_t levels = plan_.nest.levels.size(), tensors = plan_.offsets.size();
      at_.index.assign(levels, 0);
      at_.entries.assign(plan_.nest.entries.size(), 0);
      offsets_.assign((levels + 1) * tensors, 0);
      for (const Level& l : plan_.nest.levels) ranges_.emplace_back(0, l.extent);
      const auto c = static_cast<std::size_t>(chunk);
      if (plan_.chunk_level >= 0) ranges_[static_cast<std::size_t>(plan_.chunk_level)] = {plan_.bounds[c], plan_.bounds[c + 1]};
      if (plan_.owned_dimension >= 0) owned_ = plan_.owned[c];
      for (std::size_t t = 0; t < tensors; ++t) offsets_[t] = plan_.offsets[t].constant;
      pointers_.resize(static_cast<std::size_t>(kernel.factors_));
      last_ = levels - 1;
      const auto& steps = kernel.steps_[last_];
      run_ = {nullptr, steps[0], pointers_.data(), steps.data() + 1, kernel.factors_, 0, kernel.coefficient_};
    }

    void run() {
      switch (plan_.form) {
        case SumForm::assign:
        case SumForm::block:
          if (!plan_.covers) clear_owned();
          target_ = plan_.form == SumForm::assign ? output_ : reinterpret_cast<std::byte*>(scratch_);
          break;
        case SumForm::scatter_direct:
          clear_owned();
          target_ = output_;
          break;
        case SumForm::scatter: {
          const Shape strides = dense_strides(plan_.accumulators);
          std::memset(scratch_, 0, kernel_.scratch_bytes_);
          target_ = reinterpret_cast<std::byte*>(scratch_);
          if (plan_.owned_dimension >= 0) offsets_[0] -= owned_.first * strides[static_cast<std::size_t>(plan_.owned_dimension)];
          break;
        }
      }
      if (!plan_.nest.empty) walk(0);
      if (plan_.form == SumForm::scatter) finish_scatter();
    }

   private:
    [[nodiscard]] std::int64_t* offsets(std::size_t level) { return offsets_.data() + level * plan_.offsets.size(); }

    // A block begins where its first level would; its own levels are walked by turns() alone.
    void walk(std::size_t level) {
      if (plan_.form == SumForm::block && level == plan_.split)
        blocks();
      else
        turns(level);
    }

    void turns(std::size_t level) {
      const Level& l = plan_.nest.levels[level];
      auto [first, last] = ranges_[level];
      if (!l.conditions.empty()) std::tie(first, last) = clipped(l, level, at_, first, last);
      if (first >= last) return;
      if (level == last_) {
        points(first, last);
        return;
      }
      const std::int64_t* from = offsets(level);
      std::int64_t* to = offsets(level + 1);
      const std::vector<std::int64_t>& steps = kernel_.steps_[level];
      for (std::int64_t i = first; i < last; ++i) {
        at_.index[level] = i;
        for (std::size_t t = 0; t < steps.size(); ++t) to[t] = from[t] + i * steps[t];
        if ((l.entries.empty() && l.conditions.empty()) || conditions_hold(l, to)) walk(level + 1);
      }
    }

    // Reads the level's entries, moves the tensors by them, and tests what depends on them.
    [[nodiscard]] bool conditions_hold(const Level& l, std::int64_t* to) {
      for (int e : l.entries) {
        const auto n = static_cast<std::size_t>(e);
        const Entry& entry = plan_.nest.entries[n];
        const auto table = static_cast<std::size_t>(entry.table);
        const auto value = kernel_.tables_[table].read(buffers_[static_cast<std::size_t>(kernel_.factors_) + table], entry.at, at_);
        if (!value) return false;
        at_.entries[n] = *value;
        for (const auto& [t, step] : kernel_.moved_by_[n]) to[t] += step * *value;
      }
      for (const Condition& c : l.conditions) {
        if (c.by_range) continue;
        const std::int64_t v = at_.value(c.form);
        if (v < 0 || v >= c.below) return false;
      }
      return true;
    }

    void blocks() {
      std::int64_t* here = offsets(plan_.split);
      const std::int64_t output = here[0];
      std::pair<std::int64_t, std::int64_t> range = ranges_[last_];
      if (!plan_.along) {
        here[0] = 0;
        block(1, output_ + output * element());
      } else {
        auto [first, last] = range;
        for (const Condition& c : plan_.along_conditions)
          std::tie(first, last) = clipped(at_.value_without(c.form, last_), c.form.steps[last_], c.below, first, last);
        for (std::int64_t i = first; i < last; i += block_elements) {
          ranges_[last_] = {i, std::min(last, i + block_elements)};
          here[0] = -i;
          block(ranges_[last_].second - i, output_ + (output + i * plan_.along_step) * element());
        }
        ranges_[last_] = range;
      }
      here[0] = output;
    }

    // -0 is what adding changes nothing of; but 0 is the sum of nothing.
    void block(std::int64_t count, std::byte* to) {
      const double zero = plan_.always_reached && is_floating(kernel_.output_.dtype) ? -0.0 : 0.0;
      std::fill(scratch_, scratch_ + count, zero);
      turns(plan_.split);
      kernel_.finish_({scratch_, to, plan_.along ? plan_.along_step : 1, count, kernel_.coefficient_});
    }

    void points(std::int64_t first, std::int64_t last) {
      const std::int64_t* from = offsets(last_);
      run_.to = target_ + (from[0] + first * run_.step) * kernel_.to_bytes_;
      for (std::size_t k = 0; k < pointers_.size(); ++k)
        pointers_[k] = static_cast<const std::byte*>(buffers_[k]) + (from[k + 1] + first * run_.steps[k]) * element();
      run_.points = last - first;
      kernel_.run_(run_);
    }

    [[nodiscard]] std::int64_t element() const { return static_cast<std::int64_t>(size_of(kernel_.output_.dtype)); }

    // Calls f(offset in the output, offset in the accumulators, elements, step in the output) for each row of the owned part, along the last dimension.
    template <class F>
    void for_each_owned_row(F&& f) const {
      const View& v = kernel_.output_;
      if (v.shape.rank() == 0) {
        f(0, 0, 1, 1);
        return;
      }
      const Shape wide = dense_strides(plan_.form == SumForm::scatter ? plan_.accumulators : v.shape);
      std::vector<std::int64_t> low(v.shape.rank(), 0), high(v.shape.begin(), v.shape.end());
      if (plan_.owned_dimension >= 0)
        std::tie(low[static_cast<std::size_t>(plan_.owned_dimension)], high[static_cast<std::size_t>(plan_.owned_dimension)]) = owned_;
      for (std::size_t d = 0; d < low.size(); ++d)
        if (low[d] >= high[d]) return;
      const std::size_t inner = v.shape.rank() - 1;
      std::vector<std::int64_t> at = low;
      for (;;) {
        std::int64_t to = 0, from = 0;
        for (std::size_t d = 0; d < at.size(); ++d) {
          to += at[d] * v.strides[d];
          from += (at[d] - low[d]) * wide[d];
        }
        f(to, from, high[inner] - low[inner], v.strides[inner]);
        std::size_t d = inner;
        while (d-- > 0) {
          if (++at[d] < high[d]) break;
          at[d] = low[d];
        }
        if (d == static_cast<std::size_t>(-1)) return;
      }
    }

    void finish_scatter() {
      for_each_owned_row([&](std::int64_t to, std::int64_t from, std::int64_t count, std::int64_t step) {
        kernel_.finish_({scratch_ + from, output_ + to * element(), step, count, kernel_.coefficient_});
      });
    }

    // Sets the owned part to the sum of nothing.
    void clear_owned() {
      visit_dtype(kernel_.output_.dtype, [&](auto type) {
        using T = decltype(type);
        const T nothing = is_floating(kernel_.output_.dtype) ? static_cast<T>(kernel_.coefficient_ * 0.0 + 0.0) : T{};
        for_each_owned_row([&](std::int64_t to, std::int64_t /*from*/, std::int64_t count, std::int64_t step) {
          T* row = reinterpret_cast<T*>(output_) + to;
          for (std::int64_t i = 0; i < count; ++i) row[i * step] = nothing;
        });
      });
    }

    const SumKernel& kernel_;
    const SumPlan& plan_;
    std::span<void* const> buffers_;
    double* scratch_;
    std::byte* output_;
    std::byte* target_ = nullptr;
    std::size_t last_ = 0;
    Position at_;
    std::vector<std::int64_t> offsets_;  // of every tensor, for each level
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges_;
    std::pair<std::int64_t, std::int64_t> owned_;
    std::vector<const void*> pointers_;
    SumRun run_;
  };

  SumPlan plan_;
  View output_;
  int factors_;
  double coefficient_;
  std::vector<TableReader> tables_;
  std::optional<PlainSum> plain_;
  SumRunFunction run_ = nullptr;
  SumFinishFunction finish_ = nullptr;
  std::int64_t to_bytes_ = 1;
  std::vector<std::vector<std::int64_t>> steps_;                             // [level][tensor]
  std::vector<std::vector<std::pair<std::size_t, std::int64_t>>> moved_by_;  // [entry]: (tensor, step)
  std::string name_;
};

}  // namespace

KernelRef compile_sum(const SumSpec& spec, std::span<const View> factors, std::span<const View> tables, const View& output) {
  bool fits = spec.factors.size() == factors.size() && spec.output.size() == output.shape.rank();
  for (std::size_t k = 0; fits && k < factors.size(); ++k) fits = spec.factors[k].size() == factors[k].shape.rank() && factors[k].dtype == output.dtype;
  if (!fits) throw InternalError("a sum whose accesses do not fit its views");
  if (!is_computed(output.dtype) && !moves_entries(spec)) throw InternalError("a sum that computes with a type for storage");
  return std::make_shared<const SumKernel>(spec, factors, tables, output);
}

}  // namespace cotan::loops
