// Which backend computes a graph, told without regard to the machine: oneDNN counts as the one that computes a node where it would take it on some machine,
// even if its library has no optimized implementation for this one. So the answer can stand in documentation.
#pragma once

#include <span>
#include <string>

#include "graph/node.h"

namespace cotan::tools {

// What computes `results`, given that `known` are there: "oneDNN (matmul), loops (map, reduction), views", each once, in the order of the graph. Calls that
// oneDNN does not take count as what they are made of.
[[nodiscard]] std::string runs_of(std::span<const Ref> results, std::span<const Ref> known = {});

}  // namespace cotan::tools
