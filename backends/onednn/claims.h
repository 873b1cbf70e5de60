// The parts of the backend: what it claims, by kind of node.
#pragma once

#include <array>
#include <functional>

#include "backends/onednn/primitive.h"
#include "backends/onednn/tail.h"
#include "graph/backend.h"
#include "graph/recognise.h"

namespace cotan::onednn {

// Sums that are products of matrices or convolutions.
[[nodiscard]] Match match_sum(const Ref& node, const BackendOptions& options);
// The same, with what follows the sum's value as post-operations.
[[nodiscard]] Match match_sum_with(const Ref& node, const Epilogue& epilogue, const BackendOptions& options);
// Calls of layer norm, of batch norm in training, and of their gradients; nothing for other calls.
[[nodiscard]] std::optional<Match> match_norm(const Ref& node, const BackendOptions& options);
// Calls of softmax and of its gradient.
[[nodiscard]] Match match_softmax(const Ref& node);

// Sums of one factor that are average poolings, or their gradients; nothing where a sum is none.
[[nodiscard]] std::optional<Match> match_average(const Ref& node);
// Sums of one factor that put a tensor into blocks of channels, or out of them; nothing where a sum is none.
[[nodiscard]] std::optional<Match> match_reorder(const Ref& node);
// Reductions that are max poolings.
[[nodiscard]] Match match_max(const Ref& node);
// Sums that are max poolings' gradients; nothing where a sum is none.
[[nodiscard]] std::optional<Match> match_max_gradient(const Ref& node);

// A kernel for the views as they are, or the reason against it.
struct Attempt {
  KernelRef kernel;
  Reason reason;
  std::int64_t parts = 1;  // of the output, which the compiler adds up (cotan::Made::parts)
};
[[nodiscard]] inline Attempt declined(ReasonCode code, std::string detail) { return {nullptr, {code, std::move(detail)}}; }
// A primitive's refusal as a reason.
[[nodiscard]] Attempt declined(const Made& made);

// A sum's three tensors as views: the output, then the factors.
using SumViews = std::array<View, 3>;

[[nodiscard]] Attempt attempt_matmul(const MatmulForm& form, const SumSpec& spec, const SumViews& views, const Tail& tail, const BackendOptions& options,
                                     int threads);
[[nodiscard]] Attempt attempt_convolution(const ConvolutionForm& form, const SumSpec& spec, const SumViews& views, const Tail& tail, int threads);

// The blocks in which a convolution of dense tensors had better be computed: of its output and of its factors. Empty where plain layouts are as good, and
// where the tensors are not those of a plain convolution (batch, channels, positions).
[[nodiscard]] std::vector<Blocking> convolution_blockings(const ConvolutionForm& form, const SumSpec& spec, const TensorShapes& shapes);
// Those of a sum; empty for what is no convolution.
[[nodiscard]] std::vector<Blocking> blockings_of(const Ref& node, const BackendOptions& options);

// What a sum of two factors can be claimed as.
struct Forms {
  std::optional<MatmulForm> matmul;
  std::vector<ConvolutionForm> convolutions;
};
// All forms, in the order that the views suggest, until one gives a kernel; the reason is that of the form tried first. Sizes too small to be worth it are
// match_sum's concern.
[[nodiscard]] Attempt attempt_forms(const Forms& forms, const SumSpec& spec, const SumViews& views, const Tail& tail, const BackendOptions& options,
                                    int threads);

// Makes a kernel with `attempt`, or says which input to copy into dense memory so that it succeeds; `work` (multiply-adds) is what a copy must be small beside.
[[nodiscard]] cotan::Made with_copies(std::span<const View> inputs, double work, const std::function<Attempt(std::span<const View>)>& attempt);

// The elements of a view.
[[nodiscard]] inline double elements_of(const View& view) { return static_cast<double>(view.shape.elements()); }
// The same, counting once what a broadcast repeats.
[[nodiscard]] inline double elements_in_memory(const View& view) {
  double elements = 1;
  for (std::size_t i = 0; i < view.shape.rank(); ++i)
    if (view.strides[i] != 0) elements *= static_cast<double>(view.shape[i]);
  return elements;
}

}  // namespace cotan::onednn
