#include "backends/loops/cluster_tiling.h"

#include <fmt/format.h>

#include "ops/error.h"

namespace cotan::loops {
namespace {

void check_views(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs) {
  if (cluster.inputs() > static_cast<int>(inputs.size()) || cluster.outputs() != static_cast<int>(outputs.size()))
    throw InternalError(fmt::format("cluster {} on {} inputs and {} outputs", cluster.name, inputs.size(), outputs.size()));
  for (const ClusterLoad& l : cluster.loads)
    if (inputs[static_cast<std::size_t>(l.input)].dtype != l.dtype) throw InternalError(fmt::format("input {} of cluster {}: type", l.input, cluster.name));
  for (const ClusterStore& s : cluster.stores)
    if (outputs[static_cast<std::size_t>(s.output)].dtype != s.dtype) throw InternalError(fmt::format("output {} of cluster {}: type", s.output, cluster.name));
}

}  // namespace

Tiling cluster_tiling(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs) {
  check_views(cluster, inputs, outputs);
  std::vector<View> all(inputs.begin(), inputs.end());
  all.insert(all.end(), outputs.begin(), outputs.end());
  Tiling tiling(all);
  // Few enough elements that the tile evaluator's temporaries of a long formula stay in the first cache beside what streams through it.
  tiling.cut(cluster.nodes.size() <= 8 ? 1024 : 512);
  return tiling;
}

}  // namespace cotan::loops
