// The bodies of the composites, one function each, defined in the file of their family.
#pragma once

#include "graph/composites/composites.h"

namespace cotan::graph {

#define COMPOSITE(form_, name_, Options_, ...) [[nodiscard]] std::vector<Ref> name_##_body(std::span<const Ref> operands, const Options_& options);
#include "graph/composites/composites.def"
#undef COMPOSITE

}  // namespace cotan::graph
