// The library's blocked layouts: which of them can be told in blocks of channels, and tensors that lie in such.
#pragma once

#include <optional>

#include "backends/onednn/version.h"

namespace cotan::onednn {

// A tensor of batch, channels and spatial sizes in blocks of channels; `strides` of the batch, from block to block, of the spatial dimensions. It may be a
// part of a larger one. Nothing where no tensor of the library's lies so.
[[nodiscard]] std::optional<Layout> blocked_tensor(const dnnl::memory::dims& sizes, const dnnl::memory::dims& strides, std::int64_t block);

// Weights of output channels, input channels and taps likewise, in the blocks `in` and `out`.
[[nodiscard]] std::optional<Layout> blocked_weights(const dnnl::memory::dims& sizes, const dnnl::memory::dims& strides, const ConvolutionBlocks& blocks);

// The blocks of the layouts that a convolution without groups settled on; 1 for a layout that is not made of such.
[[nodiscard]] ConvolutionBlocks blocks_of(const ConvolutionLayouts& layouts, const dnnl::memory::dims& source, const dnnl::memory::dims& weights,
                                          const dnnl::memory::dims& result);

}  // namespace cotan::onednn
