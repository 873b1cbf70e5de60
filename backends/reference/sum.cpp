#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "backends/reference/kinds.h"
#include "ops/formula.h"

namespace cotan::reference {

std::optional<std::int64_t> IndexReader::value(const IndexExpr& e, std::span<const std::int64_t> point) const {
  std::int64_t v = e.constant;
  for (const IndexTerm& t : e.terms) {
    if (t.index >= 0) {
      v += t.coefficient * point[static_cast<std::size_t>(t.index)];
      continue;
    }
    const Array& table = *tables_[static_cast<std::size_t>(t.table)];
    const auto at = position(t.at, table.shape, point);
    if (!at) return std::nullopt;
    v += t.coefficient * whole_number(table.values[static_cast<std::size_t>(*at)]);
  }
  return v;
}

std::optional<std::int64_t> IndexReader::position(const Access& access, const Shape& shape, std::span<const std::int64_t> point) const {
  std::int64_t at = 0;
  for (std::size_t d = 0; d < access.size(); ++d) {
    const auto v = value(access[d], point);
    if (!v || *v < 0 || *v >= shape[d]) return std::nullopt;
    at = at * shape[d] + *v;
  }
  return at;
}

namespace {

// A tensor read or written by a sum whose accesses never leave it: base + the sum of step[i] * index i.
struct Strided {
  std::int64_t base = 0;
  std::vector<std::int64_t> step;
};

Strided strided(const Access& access, const Shape& shape, std::size_t indices) {
  const Shape strides = dense_strides(shape);
  Strided s{0, std::vector<std::int64_t>(indices, 0)};
  for (std::size_t d = 0; d < access.size(); ++d) {
    s.base += strides[d] * access[d].constant;
    for (const IndexTerm& t : access[d].terms) s.step[static_cast<std::size_t>(t.index)] += strides[d] * t.coefficient;
  }
  return s;
}

// A sum of products in numbers of type Number: double, or uint64 whose arithmetic wraps as the integers' does.
template <class Number>
struct Accumulator {
  const SumSpec& spec;
  const Shape& shape;
  std::span<const Array* const> factors;
  std::span<const Array* const> tables;
  std::vector<const Number*> values;  // of the factors
  std::vector<Number> sums;
  std::vector<char> written;  // 0: no point has reached this entry. The first contribution assigns, so that a view keeps the sign of a zero

  void add(std::size_t at, Number product) {
    sums[at] = written[at] != 0 ? sums[at] + product : product;
    written[at] = 1;
  }

  // Nothing is ever out of range, no guard, no table.
  [[nodiscard]] bool plain() const {
    auto inside = [&](const Access& access, const Shape& s) {
      for (std::size_t d = 0; d < access.size(); ++d)
        if (!in_range(access[d], s[d], spec.domain)) return false;
      return true;
    };
    bool plain = spec.guards.empty() && !spec.domain.empty() && inside(spec.output, shape);
    for (std::size_t k = 0; k < factors.size(); ++k) plain = plain && inside(spec.factors[k], factors[k]->shape);
    return plain;
  }

  void run() {
    if (std::find(spec.domain.begin(), spec.domain.end(), 0) != spec.domain.end()) return;
    if (plain())
      run_plain();
    else
      run_checked();
  }

  void run_checked() {
    const IndexReader reader(tables);
    std::vector<std::int64_t> point(spec.domain.size(), 0);
    do {
      const bool guarded = std::all_of(spec.guards.begin(), spec.guards.end(), [&](const Guard& g) {
        const auto v = reader.value(g.expression, point);
        return v && *v >= 0 && *v < g.below;
      });
      const auto to = reader.position(spec.output, shape, point);
      if (!guarded || !to) continue;
      Number product = 1;
      bool inside = true;
      for (std::size_t k = 0; k < factors.size() && inside; ++k) {
        const auto from = reader.position(spec.factors[k], factors[k]->shape, point);
        inside = from.has_value();
        if (inside) product *= values[k][*from];
      }
      if (inside) add(static_cast<std::size_t>(*to), product);
    } while (next_point(point, spec.domain));
  }

  // The index with the smallest steps is the innermost loop.
  void run_plain() {
    const std::size_t indices = spec.domain.size();
    std::vector<Strided> tensors{strided(spec.output, shape, indices)};
    for (std::size_t k = 0; k < factors.size(); ++k) tensors.push_back(strided(spec.factors[k], factors[k]->shape, indices));
    auto reach = [&](std::size_t i) {
      return std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0}, [&](std::int64_t r, const Strided& t) { return r + std::abs(t.step[i]); });
    };
    std::size_t inner = indices - 1;
    for (std::size_t i = 0; i < indices; ++i)
      if (reach(i) < reach(inner)) inner = i;
    Domain outer = spec.domain;
    outer[inner] = 1;

    std::vector<std::int64_t> point(indices, 0), at(tensors.size());
    do {
      for (std::size_t k = 0; k < tensors.size(); ++k) {
        at[k] = tensors[k].base;
        for (std::size_t i = 0; i < indices; ++i) at[k] += tensors[k].step[i] * point[i];
      }
      run_row(tensors, inner, at);
    } while (next_point(point, outer));
  }

  void run_row(const std::vector<Strided>& tensors, std::size_t inner, const std::vector<std::int64_t>& at) {
    const std::int64_t n = spec.domain[inner], to = tensors[0].step[inner];
    auto product = [&](std::int64_t i) {
      Number p = 1;
      for (std::size_t k = 0; k < values.size(); ++k) p *= values[k][at[k + 1] + i * tensors[k + 1].step[inner]];
      return p;
    };
    if (values.size() != 2) {
      for (std::int64_t i = 0; i < n; ++i) add(static_cast<std::size_t>(at[0] + i * to), product(i));
      return;
    }
    const Number *a = values[0] + at[1], *b = values[1] + at[2];
    const std::int64_t step_a = tensors[1].step[inner], step_b = tensors[2].step[inner];
    if (to == 0) {
      Number sum = a[0] * b[0];
      for (std::int64_t i = 1; i < n; ++i) sum += a[i * step_a] * b[i * step_b];
      add(static_cast<std::size_t>(at[0]), sum);
    } else {
      for (std::int64_t i = 0; i < n; ++i) add(static_cast<std::size_t>(at[0] + i * to), a[i * step_a] * b[i * step_b]);
    }
  }
};

template <class Number>
Accumulator<Number> accumulate(const SumSpec& spec, const Shape& shape, std::span<const Array* const> factors, std::span<const Array* const> tables) {
  Accumulator<Number> r{spec, shape, factors, tables, {}, {}, {}};
  const auto n = static_cast<std::size_t>(shape.elements());
  r.sums.assign(n, 0);
  r.written.assign(n, 0);
  std::vector<std::vector<Number>> converted;
  for (const Array* x : factors) {
    if constexpr (std::is_same_v<Number, double>) {
      r.values.push_back(x->values.data());
    } else {
      std::vector<Number> v(x->values.size());
      std::transform(x->values.begin(), x->values.end(), v.begin(), [](double e) { return static_cast<Number>(whole_number(e)); });
      converted.push_back(std::move(v));
      r.values.push_back(converted.back().data());
    }
  }
  r.run();
  return r;
}

}  // namespace

Array run_sum(const SumSpec& spec, const ResultType& type, std::span<const Array* const> factors, std::span<const Array* const> tables) {
  Array out = Array::zeros(type.dtype, type.shape);
  if (is_floating(type.dtype)) {
    const auto r = accumulate<double>(spec, type.shape, factors, tables);
    // Where no point reached the sum is 0, and stays +0 under a negative coefficient.
    for (std::size_t i = 0; i < out.values.size(); ++i)
      out.values[i] = r.written[i] != 0 ? spec.coefficient * r.sums[i] : spec.coefficient * 0.0 + 0.0;
  } else {
    const auto r = accumulate<std::uint64_t>(spec, type.shape, factors, tables);
    const auto factor = static_cast<std::uint64_t>(whole_number(spec.coefficient));
    for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = wrapped(type.dtype, r.sums[i] * factor);
  }
  return out;
}

}  // namespace cotan::reference
