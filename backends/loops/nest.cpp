#include "backends/loops/nest.h"

#include <algorithm>
#include <tuple>

namespace cotan::loops {
namespace {

// Quotients rounded towards minus and plus infinity, b > 0.
std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return -floor_div(-a, b); }

}  // namespace

Form Nest::form_of(const IndexExpr& e, std::span<const int> level_of) {
  Form form{e.constant, std::vector<std::int64_t>(levels.size(), 0), {}};
  for (const IndexTerm& t : e.terms) {
    if (t.index >= 0) {
      const int level = level_of[static_cast<std::size_t>(t.index)];
      if (level >= 0) form.steps[static_cast<std::size_t>(level)] += t.coefficient;
      continue;
    }
    Entry entry{t.table, {}};
    for (const IndexExpr& at : t.at) entry.at.push_back(form_of(at, level_of));
    // An expression that two accesses share is read twice: rare, and right.
    entries.push_back(std::move(entry));
    form.entries.emplace_back(static_cast<int>(entries.size()) - 1, t.coefficient);
  }
  return form;
}

int Nest::depth_of(const Form& form) const {
  int depth = -1;
  for (std::size_t l = 0; l < form.steps.size(); ++l)
    if (form.steps[l] != 0) depth = static_cast<int>(l);
  for (const auto& [entry, coefficient] : form.entries) depth = std::max(depth, depth_of_entry(entry));
  return depth;
}

// An entry is read inside some level's turn, if only the first level's.
int Nest::depth_of_entry(int entry) const {
  int depth = 0;
  for (const Form& at : entries[static_cast<std::size_t>(entry)].at) depth = std::max(depth, depth_of(at));
  return depth;
}

void Nest::place_entries() {
  // Entries inside entries have smaller numbers, so they are read before.
  for (std::size_t e = 0; e < entries.size(); ++e) levels[static_cast<std::size_t>(depth_of_entry(static_cast<int>(e)))].entries.push_back(static_cast<int>(e));
}

void Nest::require(const Form& form, std::int64_t below, int level) {
  const int depth = std::max(depth_of(form), level);
  if (depth_of(form) < 0) {
    empty = empty || form.constant < 0 || form.constant >= below;
    return;
  }
  if (form.entries.empty()) {
    std::int64_t low = form.constant, high = form.constant;
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const std::int64_t reach = form.steps[l] * (levels[l].extent - 1);
      low += std::min<std::int64_t>(0, reach);
      high += std::max<std::int64_t>(0, reach);
    }
    if (low >= 0 && high < below) return;
  }
  Condition c{form, below, true};
  for (const auto& [entry, coefficient] : form.entries) c.by_range = c.by_range && depth_of_entry(entry) < depth;
  levels[static_cast<std::size_t>(depth)].conditions.push_back(std::move(c));
}

std::int64_t Position::value_without(const Form& form, std::size_t level) const {
  std::int64_t v = form.constant;
  for (std::size_t l = 0; l < form.steps.size(); ++l)
    if (l != level && form.steps[l] != 0) v += form.steps[l] * index[l];
  for (const auto& [entry, coefficient] : form.entries) v += coefficient * entries[static_cast<std::size_t>(entry)];
  return v;
}

std::int64_t Position::value(const Form& form) const { return value_without(form, form.steps.size()); }

std::pair<std::int64_t, std::int64_t> clipped(std::int64_t base, std::int64_t step, std::int64_t below, std::int64_t first, std::int64_t last) {
  if (step == 0) return base >= 0 && base < below ? std::pair(first, last) : std::pair(first, first);
  if (step > 0) return {std::max(first, ceil_div(-base, step)), std::min(last, ceil_div(below - base, step))};
  // Downwards: base - s * i >= 0 and base - s * i < below.
  const std::int64_t s = -step;
  return {std::max(first, floor_div(base - below, s) + 1), std::min(last, floor_div(base, s) + 1)};
}

std::pair<std::int64_t, std::int64_t> clipped(const Level& level, std::size_t number, const Position& at, std::int64_t first, std::int64_t last) {
  for (const Condition& c : level.conditions) {
    if (!c.by_range) continue;
    std::tie(first, last) = clipped(at.value_without(c.form, number), c.form.steps[number], c.below, first, last);
    if (first >= last) break;
  }
  return {first, last};
}

std::optional<std::int64_t> TableReader::read(const void* first, const std::vector<Form>& at, const Position& position) const {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < at.size(); ++d) {
    const std::int64_t v = position.value(at[d]);
    if (v < 0 || v >= view_.shape[d]) return std::nullopt;
    offset += v * view_.strides[d];
  }
  return visit_dtype(view_.dtype, [&](auto zero) { return static_cast<std::int64_t>(static_cast<const decltype(zero)*>(first)[offset]); });
}

}  // namespace cotan::loops
