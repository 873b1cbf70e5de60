// Indexed sums evaluated by the definition: one loop over the points of the domain, nothing clipped beforehand, nothing normalised. Shares no code with the
// library but the structures SumSpec and IndexExpr.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ops/shape.h"
#include "ops/sum_spec.h"

namespace cotan::testing {

// A dense tensor of whatever numbers, row-major.
struct DirectTensor {
  Shape shape;
  std::vector<double> values;

  explicit DirectTensor(const Shape& s = {}) : shape(s), values(static_cast<std::size_t>(s.elements())) {}
  DirectTensor(const Shape& s, std::vector<double> v) : shape(s), values(std::move(v)) {}
};

// A sum on given tensors: factors and tables as the specification numbers them. `shape` is the output's.
struct DirectSum {
  SumSpec spec;
  Shape shape;
  std::vector<DirectTensor> factors;
  std::vector<DirectTensor> tables;
};

// The position of a coordinate in a tensor of this shape, or nothing where it lies outside.
[[nodiscard]] inline std::optional<std::size_t> direct_position(const Shape& shape, std::span<const std::int64_t> at) {
  std::int64_t position = 0;
  for (std::size_t d = 0; d < shape.rank(); ++d) {
    if (at[d] < 0 || at[d] >= shape[d]) return std::nullopt;
    position = position * shape[d] + at[d];
  }
  return static_cast<std::size_t>(position);
}

// The expression's value at a point, or nothing where it reads a table outside.
[[nodiscard]] inline std::optional<std::int64_t> direct_index(const IndexExpr& e, std::span<const std::int64_t> point, std::span<const DirectTensor> tables) {
  std::int64_t value = e.constant;
  for (const IndexTerm& term : e.terms) {
    if (term.index >= 0) {
      value += term.coefficient * point[static_cast<std::size_t>(term.index)];
      continue;
    }
    const DirectTensor& table = tables[static_cast<std::size_t>(term.table)];
    std::vector<std::int64_t> at;
    for (const IndexExpr& inner : term.at) {
      const auto i = direct_index(inner, point, tables);
      if (!i) return std::nullopt;
      at.push_back(*i);
    }
    const auto position = direct_position(table.shape, at);
    if (!position) return std::nullopt;
    value += term.coefficient * static_cast<std::int64_t>(table.values[*position]);
  }
  return value;
}

// Nothing also where the access does not fit the tensor's rank, as a planted fault may have it.
[[nodiscard]] inline std::optional<std::size_t> direct_access(const Access& access, const Shape& shape, std::span<const std::int64_t> point,
                                                              std::span<const DirectTensor> tables) {
  if (access.size() != shape.rank()) return std::nullopt;
  std::vector<std::int64_t> at;
  for (const IndexExpr& e : access) {
    const auto i = direct_index(e, point, tables);
    if (!i) return std::nullopt;
    at.push_back(*i);
  }
  return direct_position(shape, at);
}

// Every point of a box, in row-major order: false after the last one.
[[nodiscard]] inline bool next_point(std::vector<std::int64_t>& point, std::span<const std::int64_t> box) {
  for (std::size_t d = box.size(); d-- > 0;) {
    if (++point[d] < box[d]) return true;
    point[d] = 0;
  }
  return false;
}

[[nodiscard]] inline DirectTensor direct_sum(const DirectSum& s) {
  DirectTensor out(s.shape);
  for (std::int64_t size : s.spec.domain)
    if (size == 0) return out;
  std::vector<std::int64_t> point(s.spec.domain.size(), 0);
  do {
    bool counts = true;
    for (const Guard& g : s.spec.guards) {
      const auto v = direct_index(g.expression, point, s.tables);
      counts &= v && *v >= 0 && *v < g.below;
    }
    const auto to = direct_access(s.spec.output, s.shape, point, s.tables);
    counts &= to.has_value();
    double product = s.spec.coefficient;
    for (std::size_t k = 0; counts && k < s.factors.size(); ++k) {
      const auto from = direct_access(s.spec.factors[k], s.factors[k].shape, point, s.tables);
      counts = from.has_value();
      if (from) product *= s.factors[k].values[*from];
    }
    if (counts) out.values[*to] += product;
  } while (next_point(point, s.spec.domain));
  return out;
}

}  // namespace cotan::testing
