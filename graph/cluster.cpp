#include "graph/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "ops/hash.h"

namespace cotan {
namespace {

std::string input_name(int input) { return input < 26 ? std::string(1, static_cast<char>('a' + input)) : fmt::format("in{}", input); }

std::string node_text(const Cluster& c, const FormulaNode& n) {
  switch (n.atom) {
    case Atom::operand: return fmt::format("load {}", input_name(c.loads[static_cast<std::size_t>(n.a)].input));
    case Atom::constant: return literal_text(n.literal);
    default: break;
  }
  const int operands[] = {n.a, n.b, n.c};
  std::string text = fmt::format("{}(", name_of(n.atom));
  for (int i = 0; i < arity_of(n.atom); ++i) fmt::format_to(std::back_inserter(text), "{}%{}", i > 0 ? ", " : "", operands[i]);
  return text + ")";
}

}  // namespace

int Cluster::inputs() const {
  int n = 0;
  for (const ClusterLoad& l : loads) n = std::max(n, l.input + 1);
  return n;
}

int Cluster::outputs() const {
  int n = 0;
  for (const ClusterStore& s : stores) n = std::max(n, s.output + 1);
  return n;
}

std::uint64_t Cluster::hash() const {
  std::uint64_t h = mix(hash_of(name), rank);
  for (const ClusterLoad& l : loads) h = mix(h, static_cast<std::uint64_t>(l.input) * 8 + static_cast<std::uint64_t>(l.dtype));
  for (const FormulaNode& n : nodes) {
    h = mix(mix(h, static_cast<std::uint64_t>(n.atom) * 8 + static_cast<std::uint64_t>(n.dtype)), hash_of(n.literal));
    for (int operand : {n.a, n.b, n.c}) h = mix(h, static_cast<std::uint64_t>(operand + 1));
  }
  for (const ClusterStore& s : stores)
    h = mix(mix(h, static_cast<std::uint64_t>(s.node)), static_cast<std::uint64_t>(s.output) * 8 + static_cast<std::uint64_t>(s.dtype));
  return h;
}

std::string Cluster::text() const {
  std::string out = fmt::format("cluster {} [{}] (", name, rank);
  auto to = std::back_inserter(out);
  std::vector<int> named;
  for (const ClusterLoad& l : loads) {
    if (std::find(named.begin(), named.end(), l.input) != named.end()) continue;
    fmt::format_to(to, "{}{}: {}", named.empty() ? "" : ", ", input_name(l.input), name_of(l.dtype));
    named.push_back(l.input);
  }
  out += ") {\n";
  for (std::size_t i = 0; i < nodes.size(); ++i) fmt::format_to(to, "  %{}: {} = {}\n", i, name_of(nodes[i].dtype), node_text(*this, nodes[i]));
  for (const ClusterStore& s : stores) fmt::format_to(to, "  store %{} -> out{}: {}\n", s.node, s.output, name_of(s.dtype));
  return out + "}\n";
}

Cluster map_cluster(const Formula& formula, std::size_t rank) {
  Cluster c;
  c.name = formula.row.empty() ? "map" : fmt::format("map {}", formula.row);
  c.rank = rank;
  for (std::size_t k = 0; k < formula.operands.size(); ++k) c.loads.push_back({static_cast<int>(k), formula.operands[k]});
  c.nodes = formula.nodes;
  c.stores = {{static_cast<int>(c.nodes.size()) - 1, 0, formula.dtype()}};
  return c;
}

Cluster cast_cluster(DType from, DType to, std::size_t rank) {
  Cluster c;
  c.name = from == to ? "copy" : fmt::format("cast {} to {}", name_of(from), name_of(to));
  c.rank = rank;
  c.loads = {{0, from}};
  c.nodes = {{Atom::operand, from, 0, -1, -1, 0}};
  if (from != to) c.nodes.push_back({Atom::cast, to, 0, -1, -1, 0});
  c.stores = {{static_cast<int>(c.nodes.size()) - 1, 0, to}};
  return c;
}

Cluster cluster_of(const Node& node) {
  if (node.kind == Kind::map) return map_cluster(node.formula(), node.shape.rank());
  if (node.kind == Kind::cast) return cast_cluster(node.operand(0).dtype(), node.dtype, node.shape.rank());
  throw InternalError(fmt::format("a cluster of a {}", name_of(node.kind)));
}

}  // namespace cotan
