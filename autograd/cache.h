// The bounded cache of compiled graphs. Internal to autograd.
#pragma once

#include <memory>

#include "autograd/evaluate.h"
#include "graph/structure_key.h"

namespace cotan {

// The program for a structure, compiled if it is not there. `roots` are the structure's. Sets `hit`. Safe from any thread; two threads that miss at the same
// time both compile, and one result is kept.
[[nodiscard]] std::shared_ptr<const Program> program_for(const Structure& structure, std::span<const Ref> roots, const CompileOptions& options, bool& hit);

}  // namespace cotan
