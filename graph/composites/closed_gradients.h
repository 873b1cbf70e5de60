// Gradients of composites in closed form.
//
// Differentiation generates the body of a gradient's call from the body of its composite, and that goes through every intermediate. Where the result that is
// stored says most of it, a formula needs fewer passes over memory: the gradient of softmax is y * (g - sum(g * y)), and no exponential. The call and its
// generated body stay what they are, for primitives, for the reference and for second derivatives; inline_calls records the formula where it would record
// the body. Both agree up to the rounding of a few operations.
#pragma once

#include <span>
#include <vector>

#include "graph/node.h"

namespace cotan::graph {

// The results of the call NAME.vjp on these operands (its forward call's operands and results, then the cotangent) as a formula; nothing where there is none
// for that composite, or for cotangents of other results than the first.
[[nodiscard]] std::vector<Ref> closed_gradient(const CallSpec& call, std::span<const Ref> operands);

// Those of the families, each in the file of its bodies. For the call's attributes; `wrt` positions of operands, all of which are floating.
[[nodiscard]] std::vector<Ref> softmax_gradient(const CallSpec& call, std::span<const Ref> operands);
[[nodiscard]] std::vector<Ref> log_softmax_gradient(const CallSpec& call, std::span<const Ref> operands);
[[nodiscard]] std::vector<Ref> layer_norm_gradient(const CallSpec& call, std::span<const Ref> operands);
[[nodiscard]] std::vector<Ref> batch_norm_training_gradient(const CallSpec& call, std::span<const Ref> operands);

}  // namespace cotan::graph
