// One sum put into another: out[O] = ... * v[A] * ... with v[O'] = ... becomes one sum, by solving O' = A.
//
// Composition is always right for finite numbers; whether it pays is the caller's question (passes/fold_views.cpp). It is exact but for this: coefficients
// are multiplied (exact where one is a power of two, Stable otherwise), and an entry that the inner sum leaves at zero is no longer added, nor does it meet the
// other factors: beside terms that are all -0 it made the sum 0, and an infinity there made NaN (Stable: docs/ir.md counts such points for nothing).
#pragma once

#include <optional>

#include "graph/sums/open_sum.h"

namespace cotan::sums {

// The reader with its factor k computed by `inner` in place: the factors of `inner` stand where factor k stood. Nothing where the equations have no solution
// in index expressions. A sum of an empty domain where no point counts. Tidied.
[[nodiscard]] std::optional<OpenSum> composed(const OpenSum& reader, std::size_t k, const OpenSum& inner);

}  // namespace cotan::sums
