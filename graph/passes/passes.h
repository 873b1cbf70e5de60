// The passes of the pipeline, one function each, in the order in which pipeline.cpp runs them.
#pragma once

#include "graph/passes/pass.h"

namespace cotan::passes {

// Calls that no backend claims become their bodies, with the bodies' own calls.
[[nodiscard]] Function inline_calls(const Function& function, PassContext& context);

}  // namespace cotan::passes
