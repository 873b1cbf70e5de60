// From a cluster's formula to a program.
#pragma once

#include <optional>
#include <span>

#include "backends/loops/jit/program.h"
#include "graph/cluster.h"

namespace cotan::loops::jit {

// The cluster's program; nothing if it computes what generated code does not: 64-bit types, u32, remainders, integers of other types than i32.
// `levels[l]` says of load l how often its element changes, `ways[s]` what store s does; without them all write. `set` is not none.
[[nodiscard]] std::optional<Program> record_cluster(const Cluster& cluster, std::span<const Level> levels, InstructionSet set, std::span<const Way> ways = {});

}  // namespace cotan::loops::jit
