// What kernels say of themselves.
#pragma once

#include "graph/kernel.h"

namespace cotan::loops {

// Bytes of memory that a view covers: what a broadcast repeats counts once.
[[nodiscard]] inline double bytes_of(const View& v) {
  auto bytes = static_cast<double>(size_of(v.dtype));
  for (std::size_t d = 0; d < v.shape.rank(); ++d)
    if (v.strides[d] != 0 || v.shape[d] == 0) bytes *= static_cast<double>(v.shape[d]);
  return bytes;
}

}  // namespace cotan::loops
