// oneDNN as a backend of the compiler.
//
// Claimed, for f32: sums that are products of matrices, convolutions in any of their three directions or average poolings (and so all their gradients); max
// poolings and, sharing a workspace with them, their gradients; the calls softmax, layer_norm and batch_norm_training and the calls of their gradients.
// Everything else gets a reason. log_softmax is left to loops, which are more accurate (primitive.h says by how much), and so are small sums, dot products, and
// products scaled by a coefficient.
#pragma once

#include "graph/backend.h"

namespace cotan {

// Lives as long as the process.
[[nodiscard]] const Backend& onednn_backend();

}  // namespace cotan
