#include "backends/loops/closing.h"

#include <algorithm>
#include <vector>

#include "backends/loops/plain_sum.h"
#include "ops/formula.h"

namespace cotan {
namespace {

using loops::SumPlan;

// An index of a sum that takes several values: how far the factor and the result move with it, in elements.
struct Axis {
  std::int64_t extent = 1, factor = 0, result = 0;
};

std::int64_t step_of(const Access& access, const Shape& strides, int index) {
  std::int64_t step = 0;
  for (std::size_t d = 0; d < access.size(); ++d) step += access[d].coefficient(index) * strides[d];
  return step;
}

// The outermost first, as the factor lies.
std::vector<Axis> axes_of(const SumSpec& spec, const Shape& factor, const Shape& result) {
  std::vector<Axis> axes;
  const Shape factor_strides = dense_strides(factor), result_strides = dense_strides(result);
  for (std::size_t i = 0; i < spec.domain.size(); ++i) {
    if (spec.domain[i] == 1) continue;
    const int index = static_cast<int>(i);
    axes.push_back({spec.domain[i], step_of(spec.factors[0], factor_strides, index), step_of(spec.output, result_strides, index)});
  }
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.factor > b.factor; });
  return axes;
}

// Blocks, rows and columns, where the axes are those, each side by side in both tensors; otherwise a form of no blocks.
BlockSum blocks_of(const std::vector<Axis>& axes) {
  BlockSum form;
  std::int64_t factor = 1, result = 1;
  int part = 0;  // columns, rows, blocks
  for (std::size_t k = axes.size(); k-- > 0;) {
    const Axis& a = axes[k];
    const bool reduced = a.result == 0;
    if (reduced) part = part == 0 ? 1 : part;
    if (!reduced && part == 1) part = 2;
    if (a.factor != factor || (reduced ? part == 2 : a.result != result)) return {0, 0, 0};
    factor *= a.extent;
    if (!reduced) result *= a.extent;
    (part == 0 ? form.columns : part == 1 ? form.rows : form.blocks) *= a.extent;
  }
  return form;
}

// Whether the levels that are added up are one run through the factor.
bool one_run(const SumPlan& plan) {
  const loops::Form& factor = plan.offsets[1];
  for (std::size_t l = plan.split; l + 1 < plan.nest.levels.size(); ++l)
    if (factor.steps[l] != factor.steps[l + 1] * plan.nest.levels[l + 1].extent) return false;
  return true;
}

}  // namespace

std::variant<BlockSum, Reason> block_sum(const SumSpec& spec, DType dtype, const Shape& factor, const Shape& result) {
  const Reason domain{ReasonCode::domain, "a sum that is not over neighbouring elements or lines"};
  if (spec.factors.size() != 1) return Reason{ReasonCode::not_recognised, "a sum of products"};
  if (!is_computed(dtype)) return Reason{ReasonCode::dtype, std::string(name_of(dtype))};
  if (factor.elements() == 0) return Reason{ReasonCode::domain, "a sum of no elements"};  // its blocks have no size to share out
  const View factors[] = {View::dense(dtype, factor)};
  const SumPlan plan = loops::plan_sum(spec, factors, View::dense(dtype, result));
  if (!loops::PlainSum::of(plan, 1, dtype, spec.coefficient)) return domain;
  BlockSum form = blocks_of(axes_of(spec, factor, result));
  if (form.blocks * form.block() != factor.elements() || form.rows == 1) return domain;
  // The order in which the sum alone adds: along its columns one row after the other; otherwise each element's points in parts, fewer than eight in one.
  const bool one_by_one = plan.along || form.rows < loops::fewest_in_parts;
  if (!plan.along && !one_run(plan)) return domain;
  if (form.columns == 1 ? plan.along && form.rows >= loops::fewest_in_parts : !one_by_one) return domain;
  // The accumulators stay in the first cache.
  constexpr std::int64_t most_columns = 8192;
  if (form.columns > most_columns) return Reason{ReasonCode::too_long, "more accumulators than the first cache holds"};
  return form;
}

namespace loops {

ClosingSum::ClosingSum(const BlockSum& form, DType dtype, double coefficient)
    : form_(form),
      dtype_(dtype),
      coefficient_(coefficient),
      element_(static_cast<std::int64_t>(size_of(dtype))),
      parts_(form.columns > 1 ? 1 : parts_of(form.rows)),
      rows_(sum_rows(dtype)),
      columns_(sum_columns(dtype)),
      add_parts_(sum_parts(dtype)),
      join_(sum_join(dtype)),
      finish_(sum_finish(dtype)) {}

std::size_t ClosingSum::state_bytes() const { return static_cast<std::size_t>(wide() + 16) * sizeof(double); }

void ClosingSum::clear(void* state, std::int64_t rows) const {
  // -0 is what adding changes nothing of.
  std::fill_n(static_cast<double*>(state), rows * wide(), is_floating(dtype_) ? -0.0 : 0.0);
}

void ClosingSum::store(void* state, std::int64_t rows, std::int64_t block, void* output) const {
  auto* to = static_cast<std::byte*>(output) + block * form_.columns * element_;
  if (form_.columns > 1)
    finish_({state, to, 1, rows * form_.columns, coefficient_});
  else
    join_({.part = state, .parts = parts_, .rows = rows, .to = to, .coefficient = coefficient_});
}

void ClosingSum::add(const void* values, std::int64_t first, std::int64_t count, void* state, void* output) const {
  while (count > 0) {
    const std::int64_t at = first % form_.block();
    const std::int64_t done = form_.columns > 1 ? add_lines(values, at, count, state) : add_row(values, first, at, count, state, output);
    if (form_.columns > 1 && at + done == form_.block()) store(state, 1, first / form_.block(), output);
    values = static_cast<const std::byte*>(values) + done * element_;
    first += done;
    count -= done;
  }
}

std::int64_t ClosingSum::add_row(const void* values, std::int64_t first, std::int64_t at, std::int64_t count, void* state, void* output) const {
  if (at == 0 && count >= form_.rows) {
    const std::int64_t whole = count / form_.rows;
    rows_({.to = static_cast<std::byte*>(output) + first / form_.rows * element_,
           .to_step = 1,
           .factors = {values, nullptr},
           .row_steps = {form_.rows, 0},
           .steps = {1, 0},
           .count = 1,
           .rows = whole,
           .points = form_.rows,
           .coefficient = coefficient_});
    return whole * form_.rows;
  }
  const std::int64_t some = std::min(count, form_.rows - at);
  if (at == 0) clear(state, 1);
  add_parts_({.part = state, .parts = parts_, .first = at, .from = values, .points = some});
  if (at + some == form_.rows) store(state, 1, first / form_.rows, output);
  return some;
}

std::int64_t ClosingSum::add_lines(const void* values, std::int64_t at, std::int64_t count, void* state) const {
  const std::int64_t columns = form_.columns, line = at / columns, column = at % columns;
  const bool whole = column == 0 && count >= columns;
  const std::int64_t lines = whole ? std::min(count / columns, form_.rows - line) : 1;
  const std::int64_t points = whole ? columns : std::min(count, columns - column);
  auto* to = static_cast<double*>(state) + column;
  if (line == 0) std::fill_n(to, points, is_floating(dtype_) ? -0.0 : 0.0);
  columns_({.to = to, .along = true, .factors = {values, nullptr}, .row_steps = {columns, 0}, .steps = {1, 0}, .count = 1, .rows = lines, .points = points});
  return lines * points;
}

}  // namespace loops
}  // namespace cotan
