// What a named composite costs, computed by its primitive and inlined into loops: the two figures by which inline_calls decides. Internal to the pass.
#pragma once

#include <optional>

#include "graph/node.h"

namespace cotan::passes {

// Cycles of one worker.
struct CompositeCost {
  double primitive = 0;  // the primitive, and the loops beside it as loops of their own, in its region or not
  double inlined = 0;    // the body, with those loops part of its loops
};

// The cost of a call that a backend would claim; nothing where no figures are known. `neighbours`: loops of the call's shape right before and behind it.
[[nodiscard]] std::optional<CompositeCost> composite_cost(const Node& call, int neighbours);

}  // namespace cotan::passes
