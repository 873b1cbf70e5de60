// Fusions: what merges groups of nodes into steps, in the order in which they run.
//
// A fusion is one file here and one line in fusions.cpp. It looks at groups, asks backends or builds kernels, and merges. All of them off, and nothing else, is
// what "unfused" means.
#pragma once

#include <span>
#include <string_view>

#include "graph/cluster.h"
#include "graph/fusion/groups.h"

namespace cotan {

// One fusion.
struct Fusion {
  std::string_view name;  // "fuse_kernels": its switch
  std::string_view what;  // one line of what it does
  void (*run)(Groups& groups) = nullptr;
  bool optional = true;  // off in what is called unfused
};

// All of them, in order.
[[nodiscard]] std::span<const Fusion> fusions();
// Runs those that are switched on.
void run_fusions(Groups& groups, std::vector<PassRecord>& records);

namespace fusion {

// The claim of a loop over map and cast nodes of one shape, operands before readers, that are in the groups `inside` or will be.
[[nodiscard]] Claim loop_claim(const Groups& groups, std::span<const Ref> nodes, std::span<const int> inside);
// The cluster of a loop over such nodes between the claim's inputs and results. A store is marked that updates a parameter which others read too.
[[nodiscard]] Cluster loop_cluster(const Groups& groups, std::span<const Ref> nodes, std::span<const int> inside, const Claim& claim);

// An update of a parameter becomes part of the product that gives its gradient.
void fuse_updates_into_products(Groups& groups);

// Maps behind products and convolutions become part of these.
void fuse_epilogues(Groups& groups);
// Placed copies that are added up (gradients of slices, concatenations) become one step that writes each entry once.
void place_copies(Groups& groups);

// Maps and casts of one shape that read each other, or the same tensors, become one loop with several outputs.
void fuse_kernels(Groups& groups);
// Loops that share their outer rows run tile by tile as one step.
void fuse_regions(Groups& groups);
// The loops that update parameters become one kernel.
void fuse_updates(Groups& groups);
// A loop that sums follow adds up what it computes, row by row, column by column or all.
void fuse_sums(Groups& groups);

}  // namespace fusion
}  // namespace cotan
