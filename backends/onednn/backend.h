// oneDNN as a backend of the compiler.
//
// Claimed, for f32: sums that are products of matrices or convolutions in any of their three directions (and so all their gradients), and the calls softmax
// and softmax.vjp. Everything else gets a reason. log_softmax is left to loops, which are more accurate (primitive.h says by how much), and so are
// small sums, dot products, and sums scaled by a coefficient.
#pragma once

#include "graph/backend.h"

namespace cotan {

// Lives as long as the process.
[[nodiscard]] const Backend& onednn_backend();

}  // namespace cotan
