// Right sides put in the place of what matched.
#pragma once

#include "graph/rewrite/match.h"

namespace cotan::rewrite {

// The map again, with the term at node `at` of its formula replaced by the right side. What the formula needs of other maps' inner terms is computed in it
// again; results of other nodes are read. `calls` receives the calls that were made.
[[nodiscard]] Ref replaced_in(const Ref& map, int at, const Piece& right, const Match& match, std::vector<Ref>& calls);

// The piece as nodes over these operands, the variables by number. `axis` and `full` are for its forms.
[[nodiscard]] Ref nodes_of(const Piece& piece, std::span<const Ref> variables, const Shape& shape, int axis, const Shape& full,
                           std::vector<Ref>* calls = nullptr);

// The map again, with the value of node `at` of its formula read from `operand`.
[[nodiscard]] Ref with_operand_at(const Ref& map, int at, const Ref& operand);

// The value of node `at` of the map's formula as a map of its own.
[[nodiscard]] Ref extracted(const Node& map, int at);

// x spread along an axis to the larger shape `full`, which x has not, or has with size 1.
[[nodiscard]] Ref spread_along(const Ref& x, int axis, const Shape& full);

}  // namespace cotan::rewrite
