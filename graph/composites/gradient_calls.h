// How the graph's layer learns what differentiation makes of a call, which it does not see: differentiation says so when the program starts.
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
using MakeGradientCall = GradientCall (*)(const CallSpec& call, std::span<const Ref> operands, const std::vector<bool>& given, const std::vector<bool>& wanted);

// Null in a program without differentiation.
[[nodiscard]] MakeGradientCall gradient_calls();
// Says how from now on.
void set_gradient_calls(MakeGradientCall make);

}  // namespace cotan
