// A region's claim: its nodes as a function of a tile, which is compiled when the views are known.
//
// What the nodes read from outside becomes the function's parameters, cut by the tile or whole; what others read of them its results. Memory that a primitive
// of the region makes for kernels outside (Claim::extra) is made by tiles as well. A tile for which a primitive of the whole is missing makes no kernel: the
// nodes are then computed one by one.
#pragma once

#include <span>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "graph/fusion/groups.h"

namespace cotan::fusion {

constexpr std::string_view regions_name = "fuse_regions";

// Whether what the node is or, if it is a view, looks at lies inside.
[[nodiscard]] bool leads_inside(const Groups& groups, const Node* n, std::span<const int> inside);
// Whether the node's kernel reads its operand k: a primitive may do without some of a call's.
[[nodiscard]] bool kernel_reads(const Groups& groups, const Node* n, std::size_t k);

// What a region makes, and what of it others want beside its results.
struct RegionClaim {
  Claim claim;
  std::vector<ExtraResult> extras;
};
// The claim of a group that runs as so many tiles (1: as a whole). `primitives`: products for which there is a primitive at their whole size.
[[nodiscard]] RegionClaim claim_region(const Groups& groups, int group, std::int64_t tiles, const std::unordered_set<const Node*>& primitives);

}  // namespace cotan::fusion
