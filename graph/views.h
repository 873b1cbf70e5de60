// Sums that only look at a tensor another way: transposes, slices, broadcasts, reshapes, diagonals. They cost nothing where strides can say it.
#pragma once

#include <optional>

#include "graph/kernel.h"
#include "graph/node.h"

namespace cotan {

// The view of the one factor's buffer that a sum node amounts to, given the factor's own view; nothing where it computes, clips, leaves entries of its output
// out, or splits a dimension that is not contiguous; and where it brings parts of a dimension together as blocks
// (graph/layouts/blocking.h), which are memory of their own.
[[nodiscard]] std::optional<View> view_through(const Node& sum, const View& factor);
// The value of whose memory this one may be a part, itself where it is none. Wider than memory_of() (graph/fusion/groups.h), which asks whether the operand, if
// it is dense, is looked at: a sum of one operand that is no view of a dense tensor may be one of what is a view in its turn.
[[nodiscard]] Ref source_of(Ref value);

}  // namespace cotan
