// Kernels as loops: the backend that takes everything.
//
// Each function compiles for the shapes and strides of the views it is given; the buffers come when the kernel runs (inputs in the order given here, then the
// output). Kernels are stateless, so one may run in many threads at once, and their chunks are independent. How work is cut into chunks depends on shapes and
// strides only, so results have the same bits for any number of threads. Views that do not fit what is computed are a fault.
#pragma once

#include <span>
#include <string>

#include "graph/target.h"
#include "graph/closed_loop.h"
#include "graph/kernel.h"
#include "ops/sum_spec.h"

namespace cotan::loops {

// A fused loop. inputs[k] is the view of the cluster's input k, outputs[k] of its output k; all have one shape. An output may be the very same memory as an
// input of equal view and element size. f32 and f64 arithmetic has the bits of the reference; other functions have errors of up to 2.2 ULP.
[[nodiscard]] KernelRef compile_cluster(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, InstructionSet set);
// The same by the tile evaluator, which takes every cluster; the above generates machine code of that set where it can (jit/jit.h). The bits are the same.
[[nodiscard]] KernelRef compile_cluster_on_tiles(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs);

// A fused loop that ends in sums, as compile_loop (graph/closed_loop.h) says.
[[nodiscard]] KernelRef compile_closed(const Cluster& cluster, std::span<const LoopSum> sums, std::span<const View> inputs, std::span<const View> outputs,
                                       InstructionSet set);
// The same tile by tile, what is added up being a tile that the loop writes: for every type and any views. The loop is generated code of that set, where
// there is any.
[[nodiscard]] KernelRef compile_closed_on_tiles(const Cluster& cluster, std::span<const LoopSum> sums, std::span<const View> inputs,
                                                std::span<const View> outputs, InstructionSet set);

// Any indexed sum. Buffers: the factors, the tables (integer tensors), the output. f32 is accumulated in float64 and rounded once, except in a scatter into an
// output too large for that; integers wrap; bool is "any". A table's entry that is out of range drops the point.
[[nodiscard]] KernelRef compile_sum(const SumSpec& spec, std::span<const View> factors, std::span<const View> tables, const View& output);

// Extremes and their positions, as ReduceSpec says.
[[nodiscard]] KernelRef compile_reduce(const ReduceSpec& spec, const View& x, const View& output);
// s[i] = a[i] * s[i-1] + b[i]; the running value of floats is kept in float64. The output may be a or b itself.
[[nodiscard]] KernelRef compile_scan(const ScanSpec& spec, const View& a, const View& b, const View& output);
// Stable argsort along an axis.
[[nodiscard]] KernelRef compile_order(const OrderSpec& spec, const View& x, const View& output);
// Proves that all entries of x are in range; throws CheckFailure when run. With an output, x is copied there as well.
[[nodiscard]] KernelRef compile_check(const CheckSpec& spec, const View& x);
[[nodiscard]] KernelRef compile_check(const CheckSpec& spec, const View& x, const View& output);
// 0, 1, 2, ... along an axis.
[[nodiscard]] KernelRef compile_iota(int axis, const View& output);
// Uniform numbers in [0, 1), element i in row-major order being philox::uniform(key, counter, i, dtype). The one input is a RandomState.
[[nodiscard]] KernelRef compile_random(const View& output);
// One value everywhere.
[[nodiscard]] KernelRef compile_fill(double value, const View& output, InstructionSet set);
// A copy from view to view of one shape, converted where the types differ.
[[nodiscard]] KernelRef compile_copy(const View& from, const View& to, InstructionSet set);

}  // namespace cotan::loops
