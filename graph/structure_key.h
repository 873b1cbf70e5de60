// The structure of a recorded graph as bytes: what the cache of compiled graphs is keyed with, compared in full.
//
// It has kinds, specifications, shapes, dtypes, operands by position and the results wanted. It leaves out data, versions of variables, scalar operands'
// values, random counters and source lines.
#pragma once

#include <span>
#include <unordered_set>
#include <vector>

#include "graph/node.h"

namespace cotan {

struct StructureKey {
  std::vector<std::uint64_t> words;
  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const StructureKey&) const = default;
};

// A graph to be evaluated: what it reads, in a canonical order, and its key.
struct Structure {
  std::vector<Node*> order;  // operands before readers, inputs included
  std::vector<Edge> inputs;  // leaves (but iota) and results that have a value already, by first appearance
  StructureKey key;
  std::vector<std::size_t> begins;  // where in the key each node of the order begins
};

// `known(node)` is true of nodes whose value is there: they count as inputs. The key holds addresses of interned specifications; whoever keeps it keeps the
// nodes (or copies that share the specifications) too.
template <class Known>
[[nodiscard]] Structure structure_of(std::span<const Ref> roots, Known&& known);

[[nodiscard]] Structure structure_of_order(std::span<const Ref> roots, std::vector<Node*> order, const std::unordered_set<const Node*>& known);

template <class Known>
Structure structure_of(std::span<const Ref> roots, Known&& known) {
  std::unordered_set<const Node*> values;
  auto order = topological(roots, [&](const Node& n) {
    if (n.kind == Kind::leaf || !known(n)) return false;
    values.insert(&n);
    return true;
  });
  return structure_of_order(roots, std::move(order), values);
}

// The graph as a closed function: inputs become parameters p0, p1, ... (scalar and random leaves keep their roles), results are the roots. `images` receives
// the function's node for each node of the structure's order.
[[nodiscard]] Function close(const Structure& structure, std::span<const Ref> roots, std::vector<Node*>& images);

}  // namespace cotan
