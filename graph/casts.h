// What is known of casts: which types hold all values of which, and casts that are one.
#pragma once

#include "graph/node.h"

namespace cotan::graph {

// Whether every value of one type is one of the other.
[[nodiscard]] bool holds_all(DType wide, DType narrow);
// For a cast of a cast that changes no value: the cast of what that one reads, or what it reads itself where the types are equal. Else an empty Ref.
[[nodiscard]] Ref merged_casts(const Ref& cast);

}  // namespace cotan::graph
