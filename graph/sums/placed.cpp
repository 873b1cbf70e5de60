#include "graph/sums/placed.h"

#include <algorithm>
#include <cstdlib>

#include "graph/builder.h"
#include "graph/views.h"

namespace cotan::sums {

std::optional<Placed> placed_of(const OpenSum& sum) {
  const SumSpec& s = sum.spec;
  const Shape& shape = sum.type.shape;
  if (sum.factors.size() != 1 || !s.guards.empty() || shape.elements() == 0) return std::nullopt;
  // The range of each index in which the factor's plain expressions are in range; all others must be.
  std::vector<std::int64_t> first(s.domain.size(), 0), end = s.domain;
  for (std::size_t d = 0; d < s.factors[0].size(); ++d) {
    const IndexExpr& e = s.factors[0][d];
    if (!e.affine()) return std::nullopt;
    const std::int64_t size = sum.factors[0].shape()[d];
    if (in_range(e, size, s.domain)) continue;
    if (e.terms.size() != 1 || std::abs(e.terms[0].coefficient) != 1) return std::nullopt;
    const auto i = static_cast<std::size_t>(e.terms[0].index);
    const bool rises = e.terms[0].coefficient == 1;
    first[i] = std::max(first[i], rises ? -e.constant : e.constant - size + 1);
    end[i] = std::min(end[i], rises ? size - e.constant : e.constant + 1);
  }
  std::optional<Placed> cut;
  std::vector<bool> written(s.domain.size(), false);
  for (std::size_t d = 0; d < s.output.size(); ++d) {
    const IndexExpr& e = s.output[d];
    if (!e.affine() || e.terms.size() > 1 || (!e.terms.empty() && e.terms[0].coefficient != 1)) return std::nullopt;
    Placed at{static_cast<int>(d), e.constant, e.constant + 1};
    if (!e.terms.empty()) {
      const auto i = static_cast<std::size_t>(e.terms[0].index);
      if (written[i]) return std::nullopt;
      written[i] = true;
      at.first = e.constant + first[i];
      at.end = e.constant + end[i];
    }
    at.first = std::max<std::int64_t>(at.first, 0);
    at.end = std::min(at.end, shape[d]);
    if (at.first == 0 && at.end == shape[d]) continue;
    if (cut || at.first >= at.end) return std::nullopt;
    cut = at;
  }
  if (std::find(written.begin(), written.end(), false) != written.end()) return std::nullopt;
  return cut;
}

std::optional<View> view_at(const OpenSum& sum, const Placed& at, const View& factor) {
  OpenSum part = sum;
  part.spec.coefficient = 1;
  const auto d = static_cast<std::size_t>(at.dimension);
  IndexExpr& written = part.spec.output[d];
  part.type.shape[d] = at.end - at.first;
  if (written.terms.empty()) {
    written.constant = 0;
  } else {  // its index counts from the part's first entry
    const int i = written.terms[0].index;
    std::vector<IndexExpr> to;
    for (std::size_t k = 0; k < part.spec.domain.size(); ++k) to.push_back(index_of(static_cast<int>(k)));
    to[static_cast<std::size_t>(i)] = index_of(i) + IndexExpr(at.first - written.constant);
    Domain domain = part.spec.domain;
    domain[static_cast<std::size_t>(i)] = at.end - at.first;
    written.constant = 0;
    for (IndexExpr& e : part.spec.factors[0]) e = substitute(e, to);
    part.spec.domain = std::move(domain);
  }
  const Ref node = graph::sum(part.spec, part.type.shape, part.factors, {}, part.type.dtype);
  return view_through(*node.node(), factor);
}

bool is_addition(const Node& n) {
  if (n.kind != Kind::map || n.operand_count < 2 || !is_computed(n.dtype) || n.dtype == DType::boolean) return false;
  const std::vector<FormulaNode>& nodes = n.formula().nodes;
  std::vector<int> reads(nodes.size(), 0);
  for (const FormulaNode& f : nodes) {
    if (f.atom == Atom::operand) continue;
    if (f.atom != Atom::add) return false;
    ++reads[static_cast<std::size_t>(f.a)];
    ++reads[static_cast<std::size_t>(f.b)];
  }
  std::vector<int> operands(n.operand_count, 0);
  for (const FormulaNode& f : nodes)
    if (f.atom == Atom::operand) ++operands[static_cast<std::size_t>(f.a)];
  return std::all_of(reads.begin(), reads.end() - 1, [](int r) { return r == 1; }) &&
         std::all_of(operands.begin(), operands.end(), [](int o) { return o == 1; });
}

}  // namespace cotan::sums
