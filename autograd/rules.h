// The adjoint and tangent rules, one pair for each kind of node. A rule returns an empty Ref for a structural zero.
#pragma once

#include <span>
#include <vector>

#include "graph/node.h"

namespace cotan::rules {

// The attribute of a call whose gradient computes the body again: how many of its operands, the first ones, it does that from.
inline constexpr const char* computed_again = "computed_again";

// ---- reverse: the cotangent of operand k (of each wanted operand, for calls), given the cotangent g of the node's value

[[nodiscard]] Ref map_adjoint(const Ref& node, std::size_t k, const Ref& g);
[[nodiscard]] Ref sum_adjoint(const Ref& node, std::size_t k, const Ref& g);
[[nodiscard]] Ref reduce_adjoint(const Ref& node, const Ref& g);
[[nodiscard]] Ref scan_adjoint(const Ref& node, std::size_t k, const Ref& g);
[[nodiscard]] Ref cast_adjoint(const Ref& node, const Ref& g);
// `cotangents` has one entry for each result, empty where there is none; `wanted` marks the operands whose cotangents are asked for.
[[nodiscard]] std::vector<Ref> call_adjoint(const Ref& node, std::span<const Ref> cotangents, const std::vector<bool>& wanted);

// ---- forward: the tangent of the node's value, given its operands' tangents (empty: zero)

[[nodiscard]] Ref map_tangent(const Ref& node, std::span<const Ref> tangents);
[[nodiscard]] Ref sum_tangent(const Ref& node, std::span<const Ref> tangents);
[[nodiscard]] Ref reduce_tangent(const Ref& node, const Ref& tangent);
[[nodiscard]] Ref scan_tangent(const Ref& node, std::span<const Ref> tangents);
[[nodiscard]] Ref cast_tangent(const Ref& node, const Ref& tangent);
[[nodiscard]] std::vector<Ref> call_tangent(const Ref& node, std::span<const Ref> tangents);

// a + b, where an empty Ref is zero.
[[nodiscard]] Ref plus(const Ref& a, const Ref& b);

}  // namespace cotan::rules
