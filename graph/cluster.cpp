#include "graph/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <map>
#include <tuple>
#include <unordered_map>

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
    h = mix(mix(h, static_cast<std::uint64_t>(s.node)),
            (static_cast<std::uint64_t>(s.output) * 8 + static_cast<std::uint64_t>(s.dtype)) * 2 + (s.read_elsewhere ? 1 : 0));
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
  for (const ClusterStore& s : stores)
    fmt::format_to(to, "  store %{} -> out{}: {}{}\n", s.node, s.output, name_of(s.dtype), s.read_elsewhere ? ", read elsewhere" : "");
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

namespace {

// Puts formulas one after the other into a cluster; equal nodes become one.
class Joining {
 public:
  explicit Joining(Cluster& cluster) : cluster_(cluster) {}

  int add(FormulaNode n) {
    const auto key = std::tuple(n.atom, n.dtype, n.a, n.b, n.c, std::bit_cast<std::uint64_t>(n.literal));
    auto [it, fresh] = at_.try_emplace(key, static_cast<int>(cluster_.nodes.size()));
    if (fresh) cluster_.nodes.push_back(n);
    return it->second;
  }

  // A formula's value, its operands being those nodes of the cluster.
  int add(const Formula& f, std::span<const int> operands) {
    std::vector<int> at;
    for (FormulaNode n : f.nodes) {
      if (n.atom == Atom::operand) {
        at.push_back(operands[static_cast<std::size_t>(n.a)]);
        continue;
      }
      for (int* operand : {&n.a, &n.b, &n.c})
        if (*operand >= 0) *operand = at[static_cast<std::size_t>(*operand)];
      at.push_back(add(n));
    }
    return at.back();
  }

 private:
  Cluster& cluster_;
  std::map<std::tuple<Atom, DType, int, int, int, std::uint64_t>, int> at_;
};

std::string joined_name(std::span<const Ref> nodes) {
  std::string name = "map";
  std::size_t named = 0;
  for (const Ref& n : nodes) {
    const std::string_view row = n->kind == Kind::cast ? "cast" : n->formula().row.empty() ? "formula" : std::string_view(n->formula().row);
    if (named++ == 4) break;
    name += fmt::format("{}{}", named == 1 ? " " : "+", row);
  }
  if (nodes.size() > 4) name += fmt::format("+{} more", nodes.size() - 4);
  return name;
}

}  // namespace

Cluster cluster_of(std::span<const Ref> nodes, std::span<const Ref> inputs, std::span<const Ref> results) {
  Cluster c;
  c.name = joined_name(nodes);
  c.rank = nodes[0].shape().rank();
  Joining joining(c);
  std::unordered_map<const Node*, int> at;
  for (std::size_t k = 0; k < inputs.size(); ++k) c.loads.push_back({static_cast<int>(k), inputs[k].dtype()});
  auto value_of = [&](const Edge& e) {
    if (const auto found = at.find(e.node); found != at.end()) return found->second;
    for (std::size_t k = 0; k < inputs.size(); ++k)
      if (inputs[k].edge() == e) return joining.add({Atom::operand, inputs[k].dtype(), static_cast<int>(k), -1, -1, 0});
    if (e.node->kind == Kind::map && e.node->operand_count == 0) return joining.add(e.node->formula(), {});
    throw InternalError(fmt::format("a cluster reads a {} node that is no input", name_of(e.node->kind)));
  };
  for (const Ref& n : nodes) {
    std::vector<int> operands;
    for (const Edge& e : n->operands()) operands.push_back(value_of(e));
    if (n->kind == Kind::map) {
      at[n.node()] = joining.add(n->formula(), operands);
    } else if (n->kind == Kind::cast) {
      at[n.node()] = joining.add({Atom::cast, n.dtype(), operands[0], -1, -1, 0});
    } else {
      throw InternalError(fmt::format("a cluster of a {}", name_of(n->kind)));
    }
  }
  for (std::size_t r = 0; r < results.size(); ++r) c.stores.push_back({at.at(results[r].node()), static_cast<int>(r), results[r].dtype()});
  return c;
}

}  // namespace cotan
