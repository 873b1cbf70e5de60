// Clusters: what a fused loop computes, the one thing that loop backends see.
//
//     cluster map add [2] (a: f32, b: f32) {
//       %0: f32 = load a
//       %1: f32 = load b
//       %2: f32 = add(%0, %1)
//       store %2 -> out0: f32
//     }
//
// A cluster is a scalar formula run for every point of a domain: loads bring elements of the inputs, stores take values to the outputs. It holds no extents
// and no strides: those are the views that it is compiled for. All views have the domain's shape; a broadcast input has strides of zero.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/node.h"
#include "ops/formula.h"

namespace cotan {

struct ClusterLoad {
  int input = 0;  // whose view is read
  DType dtype = DType::f32;
  bool operator==(const ClusterLoad&) const = default;
};

struct ClusterStore {
  int node = 0;    // the value, in Cluster::nodes
  int output = 0;  // whose view is written; each output once
  DType dtype = DType::f32;
  // Whether other kernels read what lay there before (a parameter that is updated), so that other cores may hold its cache lines: for speed only.
  bool read_elsewhere = false;
  bool operator==(const ClusterStore&) const = default;
};

struct Cluster {
  std::string name;                // for reports: "map relu", "cast f32 to i32"
  std::size_t rank = 0;            // dimensions of the domain
  std::vector<ClusterLoad> loads;  // what an operand node's `a` names
  std::vector<FormulaNode> nodes;  // in order; operands are loads
  std::vector<ClusterStore> stores;

  [[nodiscard]] int inputs() const;   // one more than the greatest input that is loaded
  [[nodiscard]] int outputs() const;  // one more than the greatest output that is stored
  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const Cluster&) const = default;

  // As above; one line for each node.
  [[nodiscard]] std::string text() const;
};

// The cluster of one map: input k is the formula's operand k.
[[nodiscard]] Cluster map_cluster(const Formula& formula, std::size_t rank);
// The cluster of one cast; of equal types, a copy.
[[nodiscard]] Cluster cast_cluster(DType from, DType to, std::size_t rank);
// The cluster of one map or cast node (a fault for any other kind).
[[nodiscard]] Cluster cluster_of(const Node& node);
// The cluster of map and cast nodes of one shape, operands before readers: input k is inputs[k], output k is results[k]. Operands that are none of the nodes
// are inputs, or maps without operands, which become constants. Equal values are computed once.
[[nodiscard]] Cluster cluster_of(std::span<const Ref> nodes, std::span<const Ref> inputs, std::span<const Ref> results);

}  // namespace cotan
