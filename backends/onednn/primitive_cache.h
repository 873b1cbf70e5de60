// Primitives that are shared by all kernels of the process: plans for several numbers of threads, and programs that are compiled again, ask for the same ones.
// Refusals are remembered, too. Bounded: the ones that were asked for longest ago go first.
#pragma once

#include "backends/onednn/primitive.h"

namespace cotan::onednn {

// Whether the process ends and the library with it: no primitive can be made any more.
[[nodiscard]] bool is_closing();

// What Primitive::make gives for the problem. May be called from any thread; the making itself holds no lock.
[[nodiscard]] Made shared_primitive(const MatmulProblem& problem);
[[nodiscard]] Made shared_primitive(const ConvolutionProblem& problem);
[[nodiscard]] Made shared_primitive(const SoftmaxProblem& problem);
[[nodiscard]] Made shared_primitive(const PoolingProblem& problem);
[[nodiscard]] Made shared_primitive(const LayerNormProblem& problem);
[[nodiscard]] Made shared_primitive(const BatchNormProblem& problem);
[[nodiscard]] Made shared_primitive(const ReorderProblem& problem);

// How many are kept now, refusals included: at most 256. A primitive takes some 40 kB, in pieces that leave gaps where others take their place.
[[nodiscard]] std::size_t kept_primitives();

}  // namespace cotan::onednn
