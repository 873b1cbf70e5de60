#include "backends/loops/plain_sum.h"

#include <algorithm>

#include "ops/dtype.h"

namespace cotan::loops {

// A run's fixed parts.
struct PlainSum::Running {
  const SumPlan& plan;
  std::size_t chunk;
  const PlainSum& sum;
  std::byte* output;
  std::array<const std::byte*, 2> factors{};
  double* scratch;

  [[nodiscard]] std::pair<std::int64_t, std::int64_t> range(std::size_t level) const {
    if (sum.chunk_level_ == static_cast<int>(level)) return {plan.bounds[chunk], plan.bounds[chunk + 1]};
    return {0, sum.extents_[level]};
  }
};

std::optional<PlainSum> PlainSum::of(const SumPlan& plan, int factors, DType dtype, double coefficient) {
  const auto& levels = plan.nest.levels;
  // What covers the output lies in it: its own conditions hold.
  const bool plain = plan.form == SumForm::block && plan.covers && plan.always_reached && !plan.nest.empty && plan.nest.entries.empty() && factors >= 1 &&
                     factors <= 2 && levels.size() <= most_levels && plan.split < levels.size() &&
                     std::all_of(levels.begin(), levels.end(), [](const Level& l) { return l.conditions.empty() && l.entries.empty(); });
  if (!plain) return std::nullopt;
  PlainSum sum;
  sum.factors_ = factors;
  sum.split_ = plan.split;
  sum.along_ = plan.along;
  sum.along_step_ = plan.along_step;
  sum.floating_ = is_floating(dtype);
  sum.element_ = static_cast<std::int64_t>(size_of(dtype));
  sum.coefficient_ = coefficient;
  for (std::size_t l = 0; l < levels.size(); ++l) {
    Offsets steps{};
    for (std::size_t t = 0; t < plan.offsets.size(); ++t) steps[t] = plan.offsets[t].steps[l];
    sum.add_level(levels[l].extent, steps, l > plan.split && !(plan.along && l + 1 == levels.size()));
  }
  // Chunks share out an index of the output: a level before those that may have become one, or the one that a block lies along.
  sum.chunk_level_ = plan.chunk_level < static_cast<int>(plan.split) ? plan.chunk_level : static_cast<int>(sum.levels_) - 1;
  sum.rows_ = sum_rows(dtype);
  sum.columns_ = sum_columns(dtype);
  sum.finish_ = sum_finish(dtype);
  return sum;
}

// A level that is summed over like the one before it, and goes on where that one steps, is one with it.
void PlainSum::add_level(std::int64_t extent, const Offsets& steps, bool like_the_last) {
  if (like_the_last) {
    Offsets& before = steps_[levels_ - 1];
    bool goes_on = true;
    for (std::size_t t = 1; t <= static_cast<std::size_t>(factors_); ++t) goes_on &= before[t] == extent * steps[t];
    if (goes_on) {
      before = steps;
      extents_[levels_ - 1] *= extent;
      return;
    }
  }
  steps_[levels_] = steps;
  extents_[levels_++] = extent;
}

void PlainSum::run(const SumPlan& plan, std::int64_t chunk, std::span<void* const> buffers, void* scratch) const {
  Running running{plan, static_cast<std::size_t>(chunk), *this, static_cast<std::byte*>(buffers.back()), {}, static_cast<double*>(scratch)};
  for (std::size_t k = 0; k < static_cast<std::size_t>(factors_); ++k) running.factors[k] = static_cast<const std::byte*>(buffers[k]);
  Offsets at{};
  for (std::size_t t = 0; t < plan.offsets.size(); ++t) at[t] = plan.offsets[t].constant;
  walk(running, 0, at);
}

void PlainSum::walk(const Running& running, std::size_t level, const Offsets& at) const {
  if (level == split_) {
    block(running, at);
    return;
  }
  const auto [first, last] = running.range(level);
  const Offsets& step = steps_[level];
  if (!along_ && level + 1 == split_ && split_ + 1 == levels_) {  // rows of numbers, one sum each
    const Offsets& inner = steps_[split_];
    const auto [from, to] = running.range(split_);
    SumRows rows{.to = running.output + (at[0] + first * step[0]) * element_,
                 .to_step = step[0],
                 .count = factors_,
                 .rows = last - first,
                 .points = to - from,
                 .coefficient = coefficient_};
    for (std::size_t k = 0; k < static_cast<std::size_t>(factors_); ++k) {
      rows.factors[k] = running.factors[k] + (at[k + 1] + first * step[k + 1] + from * inner[k + 1]) * element_;
      rows.row_steps[k] = step[k + 1];
      rows.steps[k] = inner[k + 1];
    }
    rows_(rows);
    return;
  }
  for (std::int64_t i = first; i < last; ++i) {
    Offsets next = at;
    for (std::size_t t = 0; t < most_tensors; ++t) next[t] += i * step[t];
    walk(running, level + 1, next);
  }
}

void PlainSum::block(const Running& running, Offsets at) const {
  // -0 is what adding changes nothing of.
  const double nothing = floating_ ? -0.0 : 0.0;
  std::byte* const output = running.output + at[0] * element_;
  if (!along_) {
    running.scratch[0] = nothing;
    accumulate(running, split_, at, 0, 1);
    finish_({running.scratch, output, 1, 1, coefficient_});
    return;
  }
  const auto [first, last] = running.range(levels_ - 1);
  for (std::int64_t i = first; i < last; i += block_elements) {
    const std::int64_t count = std::min(block_elements, last - i);
    std::fill_n(running.scratch, count, nothing);
    accumulate(running, split_, at, i, count);
    finish_({running.scratch, output + i * along_step_ * element_, along_step_, count, coefficient_});
  }
}

// Adds the products of the levels from `level` on; of the last one, where the block lies along it, those from `first` on.
void PlainSum::accumulate(const Running& running, std::size_t level, const Offsets& at, std::int64_t first, std::int64_t count) const {
  const std::size_t last = levels_ - 1;
  if (level + 1 < last) {
    const auto [begin, end] = running.range(level);
    for (std::int64_t i = begin; i < end; ++i) {
      Offsets next = at;
      for (std::size_t t = 1; t < most_tensors; ++t) next[t] += i * steps_[level][t];
      accumulate(running, level + 1, next, first, count);
    }
    return;
  }
  const bool two = level < last;  // or the last level alone
  const auto [row, rows_end] = two ? running.range(level) : std::pair<std::int64_t, std::int64_t>(0, 1);
  const auto [begin, end] = along_ ? std::pair(first, first + count) : running.range(last);
  SumColumns columns{.to = running.scratch, .along = along_, .count = factors_, .rows = rows_end - row, .points = end - begin};
  for (std::size_t k = 0; k < static_cast<std::size_t>(factors_); ++k) {
    columns.row_steps[k] = two ? steps_[level][k + 1] : 0;
    columns.steps[k] = steps_[last][k + 1];
    columns.factors[k] = running.factors[k] + (at[k + 1] + row * columns.row_steps[k] + begin * columns.steps[k]) * element_;
  }
  columns_(columns);
}

}  // namespace cotan::loops
