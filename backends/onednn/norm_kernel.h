// A norm as a kernel: a list of calls of the library's primitives, behind which hard means are computed again.
//
// The library subtracts a mean that is rounded to f32. Where that is large beside the entries' deviation, the rounding may be larger than what the entries
// differ by, and variance, result and gradients are wrong: of {1e7, 1e7 + 1} it finds the variance 0.5. Such rows and channels are rare, and known by their
// statistics; they are computed here, in float64.
#pragma once

#include <memory>

#include "backends/onednn/call_list.h"
#include "backends/onednn/tiles.h"

namespace cotan::onednn {

// What a call normalises, as the library's primitives see it: a batch norm's (batch, channels, space), or a layer norm's
// (batch = rows, channels = features, 1).
struct NormCall {
  bool layer = false, affine = false;
  NormDirection direction = NormDirection::forward;
  std::int64_t batch = 0, channels = 0, space = 1;
  float epsilon = 0;

  [[nodiscard]] bool backward() const { return direction == NormDirection::backward; }
  [[nodiscard]] double elements() const { return static_cast<double>(batch * channels) * static_cast<double>(space); }
};

// The kernel of these calls. Its inputs and outputs are {x, [cotangent, mean, variance], [scale, [shift]]} and {y or the cotangent of x, then the statistics or
// the cotangents of scale and shift}. `means`: the rows or channels of each chunk; a layer norm's gradient gives scale and shift a part for each chunk.
[[nodiscard]] KernelRef norm_kernel(std::shared_ptr<const CallList> calls, const NormCall& norm, const Cut& means);

}  // namespace cotan::onednn
