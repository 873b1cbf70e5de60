#include "graph/sums/compose.h"

#include <algorithm>

#include "graph/sums/equations.h"
#include "ops/sum_expressions.h"

namespace cotan::sums {
std::optional<OpenSum> composed(const OpenSum& reader, std::size_t k, const OpenSum& given) {
  if (!may_multiply(reader.spec.coefficient, given.spec.coefficient, reader.type.dtype)) return std::nullopt;
  if (!given.factors.empty() && !scales_terms_as_sum(reader, given.spec.coefficient)) return std::nullopt;
  // The inner sum over indices and tables behind the reader's.
  const std::size_t own = reader.spec.domain.size(), count = own + given.spec.domain.size();
  OpenSum inner = given;
  std::vector<IndexExpr> shifted;
  for (std::size_t i = own; i < count; ++i) shifted.push_back(index_of(static_cast<int>(i)));
  substitute_all(inner.spec, shifted, given.spec.domain);
  std::vector<int> tables;
  for (std::size_t t = 0; t < inner.tables.size(); ++t) tables.push_back(static_cast<int>(reader.tables.size() + t));
  for_each_expression(inner.spec, [&](IndexExpr& e) { e = rename_tables(e, tables); });

  Equations all{reader.spec, {}, std::vector<bool>(own, false), std::vector<bool>(count, false)};
  all.of_written.resize(count, true);
  const Access read = reader.spec.factors[k];
  for (std::size_t d = 0; d < read.size(); ++d) {
    all.zero.push_back(inner.spec.output[d] - read[d]);
    all.spec.guards.push_back({read[d], inner.type.shape[d]});
  }
  all.spec.coefficient *= inner.spec.coefficient;
  all.spec.domain.insert(all.spec.domain.end(), inner.spec.domain.begin(), inner.spec.domain.end());
  all.spec.guards.insert(all.spec.guards.end(), inner.spec.guards.begin(), inner.spec.guards.end());
  const auto at = static_cast<std::ptrdiff_t>(k);
  all.spec.factors.erase(all.spec.factors.begin() + at);
  all.spec.factors.insert(all.spec.factors.begin() + at, inner.spec.factors.begin(), inner.spec.factors.end());

  OpenSum made{{}, reader.factors, reader.tables, reader.type};
  made.factors.erase(made.factors.begin() + at);
  made.factors.insert(made.factors.begin() + at, inner.factors.begin(), inner.factors.end());
  made.tables.insert(made.tables.end(), inner.tables.begin(), inner.tables.end());

  const Solved solved = solve(all);
  if (solved == Solved::no) return std::nullopt;
  std::vector<IndexExpr> to;
  Domain left;
  for (std::size_t i = 0; i < all.spec.domain.size(); ++i) {
    to.push_back(all.gone[i] ? IndexExpr(0) : index_of(static_cast<int>(left.size())));
    if (!all.gone[i]) left.push_back(all.spec.domain[i]);
  }
  made.spec = std::move(all.spec);
  substitute_all(made.spec, to, std::move(left));
  if (solved == Solved::never || !tidy(made)) made.spec.domain.assign(std::max<std::size_t>(made.spec.domain.size(), 1), 0);
  return made;
}

}  // namespace cotan::sums
