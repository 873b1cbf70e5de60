// The passes of the pipeline, one function each, in the order in which pipeline.cpp runs them.
#pragma once

#include "graph/passes/pass.h"

namespace cotan::passes {

// Calls that no backend claims become their bodies, with the bodies' own calls.
[[nodiscard]] Function inline_calls(const Function& function, PassContext& context);

// The rules of graph/rewrite whose results are the same or more accurate (exact and stable), applied until none applies.
[[nodiscard]] Function simplify(const Function& function, PassContext& context);
// The same with the rules that are equal in real arithmetic only.
[[nodiscard]] Function fast_rules(const Function& function, PassContext& context);

}  // namespace cotan::passes
