#include "graph/fusion/tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {
namespace {

// How an access is moved by index i, which runs over the first dimension (of size `extent`) of what is computed, where the access is to a tensor whose first
// dimension is `rows`.
TileAccess by_index(const Access& access, const Shape& shape, int i, const Domain& domain) {
  bool used = false;
  for (const IndexExpr& e : access) used |= uses_index(e, i);
  if (!used) return TileAccess::whole;
  for (std::size_t d = 1; d < access.size(); ++d)
    if (uses_index(access[d], i)) return TileAccess::other;
  const IndexExpr& first = access[0];
  const std::int64_t extent = domain[static_cast<std::size_t>(i)], rows = shape[0], coefficient = first.coefficient(i);
  if (!first.affine() || coefficient <= 0 || rows != coefficient * extent) return TileAccess::other;
  // The rest stays within the rows that one step of i stands for.
  IndexExpr rest = first - coefficient * index_of(i);
  return in_range(rest, coefficient, domain) ? TileAccess::tile : TileAccess::other;
}

// The index that alone gives a sum's first dimension and no other, or -1.
int first_index(const SumSpec& s, const Shape& shape) {
  if (s.output.empty()) return -1;
  const int i = s.output[0].plain();
  if (i < 0 || s.domain[static_cast<std::size_t>(i)] != shape[0]) return -1;
  for (std::size_t d = 1; d < s.output.size(); ++d)
    if (uses_index(s.output[d], i)) return -1;
  for (const Guard& g : s.guards)
    if (uses_index(g.expression, i)) return -1;
  return i;
}

// The accesses of a sum to its tables, by table; each must be alike in all its places.
TileAccess by_table(const SumSpec& s, int table, const Shape& shape, int i) {
  std::optional<TileAccess> all;
  auto look = [&](const IndexExpr& e) {
    for (const IndexTerm& t : e.terms) {
      if (t.table != table) continue;
      const TileAccess one = t.at.empty() ? TileAccess::whole : by_index(t.at, shape, i, s.domain);
      all = !all || *all == one ? one : TileAccess::other;
    }
  };
  for (const IndexExpr& e : s.output) look(e);
  for (const Access& a : s.factors)
    for (const IndexExpr& e : a) look(e);
  for (const Guard& g : s.guards) look(g.expression);
  return all.value_or(TileAccess::other);
}

bool holds_table_of(const IndexExpr& e, int i) {
  return std::any_of(e.terms.begin(), e.terms.end(), [&](const IndexTerm& t) {
    return t.table >= 0 && std::any_of(t.at.begin(), t.at.end(), [&](const IndexExpr& at) { return uses_index(at, i); });
  });
}

std::optional<std::vector<TileAccess>> sum_accesses(const Node& node) {
  const auto& s = node.as<SumSpec>();
  const int i = first_index(s, node.shape);
  if (i < 0) return std::nullopt;
  std::vector<TileAccess> out(node.operand_count, TileAccess::other);
  for (std::size_t k = 0; k < node.operand_count; ++k) {
    const Shape& shape = node.operand(k).shape();
    if (k >= s.factors.size()) {
      out[k] = by_table(s, static_cast<int>(k - s.factors.size()), shape, i);
      continue;
    }
    // What an entry t[i] of a table adds to an access does not move with i: only the entry does.
    Access without_entries = s.factors[k];
    bool entries = false;
    for (IndexExpr& e : without_entries) {
      entries |= holds_table_of(e, i);
      std::erase_if(e.terms, [&](const IndexTerm& t) { return t.table >= 0; });
    }
    // In the first dimension an entry, of whatever table, leads to rows that nobody knows.
    if (!s.factors[k].empty() && !s.factors[k][0].affine() && (entries || uses_index(s.factors[k][0], i))) continue;
    out[k] = by_index(without_entries, shape, i, s.domain);
  }
  return out;
}

// The nodes of a call's body that are computed, those first that are the same for all tiles: what reads no parameter.
struct Body {
  explicit Body(const Function& body) {
    for (Node* n : topological(body.results)) {
      if (n->kind == Kind::leaf) continue;
      const bool constant = std::all_of(n->operands().begin(), n->operands().end(), [&](const Edge& e) { return constants.contains(e.node); });
      if (constant)
        constants.emplace(n, true);
      else
        cut.push_back(n);
    }
  }
  std::unordered_map<const Node*, bool> constants;
  std::vector<Node*> cut;
};

std::optional<std::vector<TileAccess>> call_accesses(const Node& node) {
  const Function& function = *node.as<CallSpec>().body;
  const Body body(function);
  std::unordered_map<const Node*, std::optional<TileAccess>> parameters;
  for (const Ref& p : function.parameters) parameters[p.node()];
  for (const Ref& r : function.results)
    if (r->kind == Kind::leaf || body.constants.contains(r.node())) return std::nullopt;
  for (const Node* n : body.cut) {
    const std::optional<std::vector<TileAccess>> accesses = tile_accesses(*n);
    if (!accesses) return std::nullopt;
    for (std::size_t k = 0; k < n->operand_count; ++k) {
      const Node* operand = n->operands()[k].node;
      const TileAccess access = (*accesses)[k];
      if (access == TileAccess::other) return std::nullopt;
      if (operand->kind != Kind::leaf) {
        if ((access == TileAccess::whole) != body.constants.contains(operand)) return std::nullopt;
        continue;
      }
      const auto parameter = parameters.find(operand);
      if (parameter == parameters.end() || parameter->second.value_or(access) != access) return std::nullopt;
      parameter->second = access;
    }
  }
  std::vector<TileAccess> out;
  for (const Ref& p : function.parameters) out.push_back(parameters[p.node()].value_or(TileAccess::whole));
  return out;
}

std::vector<Ref> call_tile(const Node& node, std::span<const Ref> operands, std::int64_t tiles) {
  const auto& spec = node.as<CallSpec>();
  const Function& function = *spec.body;
  const auto body = graph::make_function(function.name, operands, [&](std::span<const Ref> parameters) {
    std::unordered_map<Edge, Ref, RefHash> made;
    for (std::size_t k = 0; k < parameters.size(); ++k) made.emplace(function.parameters[k].edge(), parameters[k]);
    for (Node* n : Body(function).cut) {
      std::vector<Ref> inner;
      for (const Edge& e : n->operands()) {
        const auto found = made.find(e);
        inner.push_back(found == made.end() ? Ref(e) : found->second);  // a constant is itself
      }
      const std::vector<Ref> results = tile_of(*n, inner, tiles);
      for (std::uint32_t r = 0; r < results.size(); ++r) made.emplace(Edge{n, r}, results[r]);
    }
    std::vector<Ref> results;
    for (const Ref& r : function.results) results.push_back(made.at(r.edge()));
    return results;
  });
  return graph::call(spec.name, spec.attributes, operands, body);
}

}  // namespace

std::optional<std::vector<TileAccess>> tile_accesses(const Node& node) {
  if (node.kind == Kind::call) return call_accesses(node);
  if (node.shape.rank() == 0 || node.result_count() != 1) return std::nullopt;
  const auto by_tiles = [&](bool possible) {
    return possible ? std::optional(std::vector<TileAccess>(node.operand_count, TileAccess::tile)) : std::nullopt;
  };
  switch (node.kind) {
    case Kind::map:
    case Kind::cast:
    case Kind::stop_gradient: return by_tiles(true);
    case Kind::sum: return sum_accesses(node);
    case Kind::reduce: {
      const auto& s = node.as<ReduceSpec>();
      if (s.outputs == 0 || s.domain[0] != node.shape[0]) return std::nullopt;
      return std::vector<TileAccess>{by_index(s.access, node.operand(0).shape(), 0, s.domain)};
    }
    case Kind::scan: return by_tiles(node.as<ScanSpec>().axis != 0);
    case Kind::order: return by_tiles(node.as<OrderSpec>().axis != 0);
    default: return std::nullopt;
  }
}

bool can_be_cut(const Node& node) {
  const auto accesses = tile_accesses(node);
  return accesses && std::ranges::find(*accesses, TileAccess::other) == accesses->end();
}

std::int64_t common_rows(const Node& node, std::int64_t rows) {
  for (std::uint32_t r = 0; r < node.result_count(); ++r) {
    if (node.shape_of(r).rank() == 0) return 0;
    rows = std::gcd(rows, node.shape_of(r)[0]);
  }
  if (node.kind == Kind::call)
    for (const Node* n : Body(*node.as<CallSpec>().body).cut) rows = common_rows(*n, rows);
  return rows;
}

std::vector<Ref> tile_of(const Node& node, std::span<const Ref> operands, std::int64_t tiles) {
  if (!can_be_cut(node)) throw InternalError(fmt::format("a tile of a {} node that cannot be cut", name_of(node.kind)));
  if (node.kind == Kind::call) return call_tile(node, operands, tiles);
  Shape shape = node.shape;
  shape[0] /= tiles;
  switch (node.kind) {
    case Kind::map: return {graph::map(node.shared<Formula>(), operands, shape)};
    case Kind::sum: {
      SumSpec s = node.as<SumSpec>();
      s.domain[static_cast<std::size_t>(s.output[0].plain())] /= tiles;
      return {graph::sum_in_order(s, shape, operands.first(s.factors.size()), operands.subspan(s.factors.size()), node.dtype)};
    }
    case Kind::reduce: {
      ReduceSpec s = node.as<ReduceSpec>();
      s.domain[0] /= tiles;
      return {graph::reduce(s, operands[0])};
    }
    case Kind::cast: return {graph::cast(operands[0], node.dtype)};
    case Kind::stop_gradient: return {graph::stop_gradient(operands[0])};
    case Kind::scan: return {graph::scan(operands[0], operands[1], node.as<ScanSpec>().axis, node.as<ScanSpec>().reverse)};
    case Kind::order: return {graph::order(operands[0], node.as<OrderSpec>().axis, node.as<OrderSpec>().descending)};
    default: throw InternalError(fmt::format("a tile of a {}", name_of(node.kind)));
  }
}

}  // namespace cotan
