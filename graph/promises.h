// Whether a plan keeps its promises: nodes that have to be computed by one step. Internal to graph/.
//
// The passes may merge, split and move nodes, so what is looked at are the nodes that are computed: one is of a promise if all that it stands for, and that
// costs anything, is. A node that stands for others as well, since a rule made one of several, belongs to nobody.
#pragma once

#include <span>
#include <vector>

#include "graph/passes/pass.h"
#include "graph/plan.h"

namespace cotan {

// The promises of the options that the plan does not keep. `function` is the one after the passes, `order` what positions count in. The second half of a sum
// that was split into blocks is no step of its own here, nor is adding up what workers left of a sum.
[[nodiscard]] std::vector<BrokenPromise> broken_promises(const Function& function, std::span<Node* const> order, const PassContext& context, const Plan& plan);

}  // namespace cotan
