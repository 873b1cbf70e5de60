#include "graph/views.h"

#include <algorithm>
#include <cstdlib>

#include "graph/recognise.h"

namespace cotan {
namespace {

// Whether the output's last dimension walks through a part of one of the factor's dimensions, with wide steps: a block of channels. As a view it would be read
// a few entries of each cache line at a time, by everybody; as memory of its own it is made once.
bool into_blocks(const SumSpec& s, const IndexSteps& in) {
  if (s.output.empty()) return false;
  const int last = s.output.back().plain();
  if (last < 0 || std::abs(in.of[static_cast<std::size_t>(last)]) <= 1) return false;
  return std::ranges::any_of(s.factors[0], [&](const IndexExpr& e) {
    return e.coefficient(last) == 1 &&
           std::ranges::any_of(e.terms, [&](const IndexTerm& t) { return t.coefficient == s.domain[static_cast<std::size_t>(last)]; });
  });
}

}  // namespace

std::optional<View> view_through(const Node& sum, const View& factor) {
  const auto& s = sum.as<SumSpec>();
  if (s.factors.size() != 1 || s.coefficient != 1 || !s.guards.empty() || sum.operand_count != 1) return std::nullopt;
  for (std::size_t d = 0; d < s.factors[0].size(); ++d)
    if (!in_range(s.factors[0][d], factor.shape[d], s.domain)) return std::nullopt;
  View view{factor.dtype, sum.shape, Shape(), factor.offset};
  const IndexSteps in = index_steps(s.factors[0], factor.strides, s.domain.size());
  view.offset += in.base;
  if (into_blocks(s, in)) return std::nullopt;

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

Ref source_of(Ref value) {
  const auto looks = [](const Node& n) {
    if (n.kind == Kind::stop_gradient || n.kind == Kind::check || n.kind == Kind::barrier) return n.operand_count > 0;
    return n.kind == Kind::sum && n.operand_count == 1 && n.as<SumSpec>().factors.size() == 1;  // a single table lends no memory
  };
  while (looks(*value.node())) value = value->operand(0);
  return value;
}

}  // namespace cotan
