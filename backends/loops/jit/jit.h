// Clusters as generated machine code: the fast path beside the tile evaluator, with the same bits.
//
//     cluster  --record_cluster-->  program  --make_plan-->  registers and steps  --Emitter-->  code  --CodeMemory-->  kernel
//
// A program lists vector instructions; functions such as exp are recorded from the very text that the tile evaluator compiles (float_functions.inl). What the
// code depends on is the cluster's structure: extents and strides are arguments, and the code is cached.
#pragma once

#include <span>

#include "graph/target.h"
#include "graph/closed_loop.h"
#include "graph/kernel.h"

namespace cotan::loops::jit {

// A kernel of generated code, as compile_cluster (loops.h) specifies it, or null: where the set is none, or a type or an atom is not taken. Any views will
// do: what is not side by side, and short rows, are brought together tile by tile.
[[nodiscard]] KernelRef compile_cluster(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, InstructionSet set);

// A kernel of generated code that adds up in registers or beside them, as compile_loop (graph/closed_loop.h) specifies it, or null: where there is none for the
// cluster, or where lines or blocks are too short or too uneven for its vectors.
[[nodiscard]] KernelRef compile_closed(const Cluster& cluster, std::span<const LoopSum> sums, std::span<const View> inputs, std::span<const View> outputs,
                                       InstructionSet set);

}  // namespace cotan::loops::jit
