// Loops that end in sums of what they compute.
//
// A map that a sum follows would write its value, and the sum would read it again. A closed loop adds it up as it goes: a value that only the sum reads is
// never in memory. That is possible for sums over consecutive elements of the loop's domain, in row-major order, or over consecutive lines:
//
//     domain [blocks, rows, columns] -> result [blocks, columns]
//
// Columns of one element: each block is a row that is added up (a sum over the last axes; of one block, over everything). One block: a sum over the first axes.
// What the pass split_sums makes of a long sum has several blocks of several rows.
#pragma once

#include <span>
#include <variant>

#include "graph/backend.h"
#include "graph/cluster.h"
#include "ops/sum_spec.h"

namespace cotan {

// How a sum walks its one factor: the points of an element of several columns one after the other, those of a row in as many parts as their number asks for
// (backends/loops/sum_runs.h).
struct BlockSum {
  std::int64_t blocks = 1, rows = 1, columns = 1;
  // Elements of the factor that one block holds.
  [[nodiscard]] std::int64_t block() const { return rows * columns; }
};

// The form of a sum of one dense factor of that shape into a dense result, if a loop can end in it, with the order of additions that it has alone; otherwise
// why not. Defined in backends/loops.
[[nodiscard]] std::variant<BlockSum, Reason> block_sum(const SumSpec& spec, DType dtype, const Shape& factor, const Shape& result);

// A sum at the end of a loop.
struct LoopSum {
  int value = 0;    // the cluster's node that is added up
  SumSpecRef spec;  // its one factor has the domain's shape
};

// The loop with its sums: `outputs` are those of the cluster, then the dense results of the sums. The bits are those of the loop and of the sums apart. A sum
// that block_sum() refuses is a fault. Chunks are whole blocks of every sum. Defined in backends/loops.
[[nodiscard]] KernelRef compile_loop(const Cluster& cluster, std::span<const LoopSum> sums, std::span<const View> inputs, std::span<const View> outputs,
                                     InstructionSet set);

}  // namespace cotan
