// Sums taken apart, so that each part is something a primitive, a fused loop or a free view can be.
//
//   three and more factors        a tree of sums of two, by cost
//   an index of one factor only   that factor is summed first
//   an index of the output only   the sum is made without it, then repeated
//   nothing is summed             a map over views, which fuses with its readers
//   a scaled product or view      the scale is a map of its own, after the product, or before a view that repeats
//
// All are Stable: the order of additions and multiplications changes, and an entry that one part leaves at zero meets the rest as 0 * x.
#pragma once

#include <optional>

#include "graph/sums/open_sum.h"

namespace cotan::sums {

// The sum regrouped; nothing where it stays one node. `sum` is tidy.
[[nodiscard]] std::optional<Ref> regrouped(const OpenSum& sum);

// c * x as a map.
[[nodiscard]] Ref scaled(const Ref& x, double c);

}  // namespace cotan::sums
