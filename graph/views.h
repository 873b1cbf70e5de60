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

}  // namespace cotan
