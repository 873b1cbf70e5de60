#include "graph/views.h"

#include <algorithm>

#include "graph/recognise.h"

namespace cotan {
std::optional<View> view_through(const Node& sum, const View& factor) {
  const auto& s = sum.as<SumSpec>();
  if (s.factors.size() != 1 || s.coefficient != 1 || !s.guards.empty() || sum.operand_count != 1) return std::nullopt;
  for (std::size_t d = 0; d < s.factors[0].size(); ++d)
    if (!in_range(s.factors[0][d], factor.shape[d], s.domain)) return std::nullopt;
  View view{factor.dtype, sum.shape, Shape(), factor.offset};
  const IndexSteps in = index_steps(s.factors[0], factor.strides, s.domain.size());
  view.offset += in.base;

  // Each dimension of the output is a mixed-radix code of its indices (coefficients 1, n0, n0*n1, ...), whose steps in memory must nest alike.
  std::vector<bool> seen(s.domain.size(), false);
  for (std::size_t d = 0; d < s.output.size(); ++d) {
    const IndexExpr& e = s.output[d];
    if (e.constant != 0 || !e.affine()) return std::nullopt;
    std::vector<std::pair<std::int64_t, std::size_t>> digits;
    for (const IndexTerm& t : e.terms) digits.emplace_back(t.coefficient, static_cast<std::size_t>(t.index));
    std::sort(digits.begin(), digits.end());
    std::int64_t weight = 1, stride = 0;
    for (const auto& [coefficient, index] : digits) {
      if (coefficient != weight || seen[index]) return std::nullopt;
      seen[index] = true;
      if (weight == 1)
        stride = in.of[index];
      else if (in.of[index] != stride * weight)
        return std::nullopt;
      weight *= s.domain[index];
    }
    if (weight != sum.shape[d]) return std::nullopt;
    view.strides.push_back(stride);
  }
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (!seen[i] && s.domain[i] != 1) return std::nullopt;  // summed over
  return view;
}

}  // namespace cotan
