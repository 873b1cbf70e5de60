// What the kernels of clusters have in common, however they compute.
#pragma once

#include <span>

#include "backends/loops/tiles.h"
#include "graph/cluster.h"

namespace cotan::loops {

// How the cluster's domain is cut for these views, inputs first; the same for every kind of kernel. Views that do not fit the cluster are a fault.
[[nodiscard]] Tiling cluster_tiling(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs);

}  // namespace cotan::loops
