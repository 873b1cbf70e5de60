// Differentiation by generating graph.
//
// Every kind of node has one rule; no operation has a rule of its own. Reverse mode walks from the outputs to their operands and is the only place that
// accumulates; a structural zero stays a zero and costs nothing. Because gradients are ordinary nodes, they can be differentiated again, in either mode.
#pragma once

#include <span>
#include <vector>

#include "graph/node.h"

namespace cotan {

// The vector-Jacobian product: for each of `wrt`, the sum over outputs of cotangent^T * d output / d wrt, shaped like wrt. Cotangents are typed like their
// outputs. A structurally zero gradient is an empty Ref. `wrt` may be any floating results of nodes; where one depends on another,
// the gradient flows on through it, as in PyTorch.
// Throws Error where an output or a wrt is not floating.
[[nodiscard]] std::vector<Ref> vjp(std::span<const Ref> outputs, std::span<const Ref> cotangents, std::span<const Ref> wrt);

// The gradient of one output by each of `wrt`; zeros where there is none. `seed` is the output's cotangent, by default ones.
[[nodiscard]] std::vector<Ref> gradients(const Ref& output, std::span<const Ref> wrt, const Ref& seed = {});

// The Jacobian-vector product: for each output, the directional derivative as wrt moves along its tangents (typed like wrt). Zeros where there is none.
// Each of `wrt` counts as independent: one that depends on another moves along its own tangent only.
[[nodiscard]] std::vector<Ref> jvp(std::span<const Ref> outputs, std::span<const Ref> wrt, std::span<const Ref> tangents);

}  // namespace cotan
