// What differentiation makes of a call, for the graph's layer, which does not see differentiation: defined in autograd/, as the backends are defined in theirs.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/node.h"

namespace cotan {

// The body and the attributes of NAME.vjp.
struct GradientCall {
  std::shared_ptr<const Function> body;
  Attributes attributes;
};

// Makes them for a call, on the gradient's operands (the call's, its results, the cotangents): which results' cotangents are given, by which operands the
// gradient is wanted.
[[nodiscard]] GradientCall gradient_call(const CallSpec& call, std::span<const Ref> operands, const std::vector<bool>& given, const std::vector<bool>& wanted);

}  // namespace cotan
