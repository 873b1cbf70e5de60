// What recognition asks of one tensor of a sum.
#pragma once

#include <algorithm>
#include <vector>

#include "ops/index_expr.h"
#include "ops/shape.h"
#include "ops/sum_spec.h"

namespace cotan {

// Every coefficient is positive and exceeds what the smaller terms can reach: the value tells the indices.
[[nodiscard]] inline bool is_radix(const IndexExpr& e, const Domain& domain) {
  std::vector<std::pair<std::int64_t, int>> terms;
  for (const IndexTerm& t : e.terms) {
    if (t.index < 0 || t.coefficient < 0) return false;
    terms.emplace_back(t.coefficient, t.index);
  }
  std::sort(terms.begin(), terms.end());
  std::int64_t reach = 0;
  for (const auto& [coefficient, index] : terms) {
    if (coefficient <= reach) return false;
    reach += coefficient * (domain[static_cast<std::size_t>(index)] - 1);
  }
  return true;
}

// An access, and which indices of the domain it uses.
struct TensorUse {
  const Access& access;
  const Shape& shape;
  std::vector<bool> uses;
  bool affine = true;
  bool once = true;  // each index in one dimension

  TensorUse(const Access& access, const Shape& shape, std::size_t indices) : access(access), shape(shape), uses(indices, false) {
    for (const IndexExpr& e : access) {
      affine &= e.affine();
      for (const IndexTerm& t : e.terms) {
        if (t.index < 0) continue;
        once &= !uses[static_cast<std::size_t>(t.index)];
        uses[static_cast<std::size_t>(t.index)] = true;
      }
    }
  }

  [[nodiscard]] bool has(int index) const { return uses[static_cast<std::size_t>(index)]; }
  [[nodiscard]] bool viewable(const Domain& domain) const {
    for (std::size_t d = 0; d < access.size(); ++d)
      if (!in_range(access[d], shape[d], domain)) return false;
    return true;
  }
  // Viewable, radix, each index once.
  [[nodiscard]] bool plain(const Domain& domain) const {
    return once && viewable(domain) && std::all_of(access.begin(), access.end(), [&](const IndexExpr& e) { return is_radix(e, domain); });
  }
  // As many points as the tensor has entries; with `plain` that is all of them.
  [[nodiscard]] bool covered(const Domain& domain) const {
    std::int64_t points = 1;
    for (std::size_t i = 0; i < uses.size(); ++i)
      if (uses[i]) points *= domain[i];
    return points == shape.elements();
  }
};

// The three tensors of a sum of two factors.
[[nodiscard]] inline std::vector<TensorUse> tensor_uses(const SumSpec& spec, const std::vector<Shape>& shapes) {
  std::vector<TensorUse> tensors;
  tensors.emplace_back(spec.output, shapes[0], spec.domain.size());
  for (std::size_t k = 0; k < spec.factors.size(); ++k) tensors.emplace_back(spec.factors[k], shapes[k + 1], spec.domain.size());
  return tensors;
}

[[nodiscard]] inline bool has_points(const Domain& domain) {
  return std::all_of(domain.begin(), domain.end(), [](std::int64_t size) { return size > 0; });
}

}  // namespace cotan
