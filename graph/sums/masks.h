// Masks: sums that are nonzero where a condition on the position holds, as maps over positions, so that they become part of the loop that reads them.
//
//   out[i, t[i]] = x[i]          where(positions along 1 == t, x, 0), with t and x repeated along 1
//   out[i, j] = 1 ; 0 <= i-j<n   where(0 <= i - j && i - j < n, 1, 0)
#pragma once

#include <optional>

#include "graph/sums/open_sum.h"

namespace cotan::sums {

// The map that computes the sum, where it has one of these forms. Exact.
[[nodiscard]] std::optional<Ref> as_mask(const OpenSum& sum);

}  // namespace cotan::sums
