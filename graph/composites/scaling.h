// Scales that keep powers of entries inside their type.
#pragma once

#include "graph/builder.h"

namespace cotan::graph {

// What to divide the entries of each row along these dimensions by, which stay with size one, so that their powers of order p > 0 neither overflow nor all
// vanish: the largest size of an entry; or 1 where that is needless or no help, so that ordinary rows keep their bits. It carries no gradient: what is
// multiplied by it again does not depend on it. The dimensions hold at least one entry.
[[nodiscard]] Ref scale_for_powers(const Ref& x, double p, const Dims& dim);

}  // namespace cotan::graph
