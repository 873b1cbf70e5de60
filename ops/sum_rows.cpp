#include "ops/sum_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "ops/error.h"

namespace cotan::rows {
namespace {

thread_local Scope* innermost = nullptr;

// A table's entry that alone indexes a dimension must lie within it; find that bound.
void bound_tables(const Access& access, const Shape& shape, const std::vector<int>& tables, std::span<const Operand> operands,
                  std::vector<std::int64_t>& below) {
  for (std::size_t d = 0; d < access.size(); ++d) {
    if (access[d].affine()) continue;
    if (access[d].terms.size() != 1 || access[d].constant != 0 || access[d].terms[0].coefficient != 1) continue;
    const auto table = static_cast<std::size_t>(access[d].terms[0].table);
    if (shape[d] == 0 && operands[static_cast<std::size_t>(tables[table])].shape.elements() > 0)
      fail(fmt::format("an index into dimension {} of shape {}, which is empty", d, shape.text()),
           "Nothing can be chosen there: give no indices, or a tensor with entries");
    std::int64_t& bound = below[table];
    bound = bound == 0 ? shape[d] : std::min(bound, shape[d]);
  }
}

}  // namespace

Scope::Scope() : outer_(innermost) { innermost = this; }
Scope::~Scope() { innermost = outer_; }
Scope& Scope::open() {
  if (innermost == nullptr) throw InternalError("an index outside a row");
  return *innermost;
}

Index::Index(std::int64_t n) : IndexExpr(index_of(static_cast<int>(Scope::open().domain.size()))), size(n) {
  require_possible({n});
  Scope::open().domain.push_back(n);
}

IndexExpr Operand::entry_at(Access access) const {
  if (kind_of(dtype) != DTypeKind::integer) fail(fmt::format("indices of type {}", name_of(dtype)), "Indices are integers: cast them to i32");
  std::vector<int>& tables = Scope::open().tables;
  auto found = std::find(tables.begin(), tables.end(), number);
  if (found == tables.end()) found = tables.insert(tables.end(), number);
  return entry_of(static_cast<int>(found - tables.begin()), std::move(access));
}

Access each(const Shape& shape) {
  Access access;
  for (std::int64_t size : shape) access.push_back(Index(size));
  return access;
}

Product operator*(Product a, const Product& b) {
  a.coefficient *= b.coefficient;
  a.factors.insert(a.factors.end(), b.factors.begin(), b.factors.end());
  a.guards.insert(a.guards.end(), b.guards.begin(), b.guards.end());
  return a;
}

Product operator*(double k, Product a) {
  a.coefficient *= k;
  return a;
}

Product when(Product p, IndexExpr expression, std::int64_t below) {
  p.guards.push_back({std::move(expression), below});
  return p;
}

SumDef sum(Shape shape, Access output, Product product, std::span<const Operand> operands) {
  if (output.size() != shape.rank()) throw InternalError(fmt::format("a result of shape {} written with {} expressions", shape.text(), output.size()));
  require_possible(shape);
  SumDef def;
  def.shape = shape;
  def.spec.coefficient = product.coefficient;
  def.spec.domain = Scope::open().domain;
  def.spec.output = std::move(output);
  def.spec.guards = std::move(product.guards);
  def.tables = Scope::open().tables;
  def.table_below.assign(def.tables.size(), 0);
  bound_tables(def.spec.output, shape, def.tables, operands, def.table_below);
  for (Factor& f : product.factors) {
    const Operand& x = operands[static_cast<std::size_t>(f.operand)];
    if (f.at.size() != x.shape.rank())
      throw InternalError(fmt::format("operand {} of rank {} read with {} expressions", f.operand, x.shape.rank(), f.at.size()));
    bound_tables(f.at, x.shape, def.tables, operands, def.table_below);
    def.factors.push_back(f.operand);
    def.spec.factors.push_back(std::move(f.at));
  }
  return def;
}

ReduceSpec reduce_over(Reduction reduction, int outputs, const Operand& x, Access at) {
  if (at.size() != x.shape.rank()) throw InternalError("a reduction's access does not fit its operand");
  return {reduction, Scope::open().domain, outputs, std::move(at)};
}

void require(bool ok, const std::function<std::string()>& problem, const char* remedy) {
  if (!ok) fail(problem(), remedy);
}

void require_rank(const Operand& x, std::string_view what, std::size_t rank) {
  if (x.shape.rank() != rank) fail(fmt::format("{} of shape {}, which has {} dimensions, not {}", what, x.shape.text(), x.shape.rank(), rank), "Reshape it");
}

}  // namespace cotan::rows
