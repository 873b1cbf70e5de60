// Terms: a graph as one expression, and a pattern's match in it.
//
// A term is an atom of some map's formula, or a result of a node that is no map. A formula's operand is no term of its own: it is the root of the map that it
// reads, so expressions go on from one recorded operation to the next, and the author of a rule sees one expression.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/node.h"
#include "graph/rewrite/pattern.h"

namespace cotan::rewrite {

struct Term {
  const Node* node = nullptr;
  int at = 0;  // the formula's node; of a node that is no map, -1 - result
  bool operator==(const Term&) const = default;

  [[nodiscard]] bool is_atom() const { return at >= 0; }
  // The atom, of one that is.
  [[nodiscard]] const FormulaNode& atom() const { return node->formula().nodes[static_cast<std::size_t>(at)]; }
  // Whether it is the value of its node.
  [[nodiscard]] bool is_result() const { return at < 0 || static_cast<std::size_t>(at) + 1 == node->formula().nodes.size(); }
  // The node's result, of one that is.
  [[nodiscard]] Ref result() const { return Ref(const_cast<Node*>(node), at < 0 ? static_cast<std::uint32_t>(-1 - at) : 0); }
  [[nodiscard]] DType dtype() const { return is_atom() ? atom().dtype : node->dtype_of(static_cast<std::uint32_t>(-1 - at)); }
  // The number it stands for, if it is a constant.
  [[nodiscard]] std::optional<double> constant() const;
};

// The term that is the edge's value.
[[nodiscard]] Term term_of(const Edge& edge);
// The term of node i of the map's formula.
[[nodiscard]] Term term_at(const Node& map, int i);
// Whether both are the same expression; false where it is too long to tell.
[[nodiscard]] bool same(const Term& a, const Term& b);

// A sum that adds up its one factor along one axis, or spreads it along one: which.
struct AlongAxis {
  int axis = 0;          // of the larger shape
  bool keepdim = false;  // the smaller shape has the axis, of size 1
};
[[nodiscard]] std::optional<AlongAxis> as_total(const Node& sum);
[[nodiscard]] std::optional<AlongAxis> as_spread(const Node& sum);

// The plain index in each dimension of an access, -1 for a dimension of size 1 that is the constant 0; nothing where an index stands twice, is shorter or
// longer than its dimension, or anything else stands there.
[[nodiscard]] std::optional<std::vector<int>> plain_indices(std::span<const IndexExpr> access, const Shape& shape, const Domain& domain);
// Whether a sum of one factor fills each entry of its output from points that are all in range, without tables or guards; and how many points each.
[[nodiscard]] std::optional<std::int64_t> points_an_entry(const Node& sum);

// A pattern's match: what its variables stand for.
struct Match {
  std::vector<std::optional<Term>> variables;
  std::optional<int> axis;         // of its forms
  Shape full;                      // the shape that has the axis
  std::vector<const Node*> nodes;  // that the match has looked into
};

// Tries the pattern at a term. Commutative atoms match in both orders. `why`, where given, receives why the furthest attempt failed.
[[nodiscard]] std::optional<Match> match(const Piece& pattern, const Variables& variables, const Term& term, std::string* why = nullptr);

}  // namespace cotan::rewrite
