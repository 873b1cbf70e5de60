// Several kernels on a step's memory as one kernel.
//
// The pieces write places of their own and read nothing that another one writes, so they run in any order. The work is cut by bytes: neighbouring chunks of the
// pieces that are little work are one chunk, however many pieces they belong to. Sizes alone decide that, so the number of threads changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/kernel.h"

namespace cotan {

// One of the kernels, and its views in the step's memory.
struct KernelPiece {
  KernelRef kernel;
  std::vector<std::size_t> buffers;   // of the step: the kernel's inputs, then its outputs
  std::vector<std::int64_t> offsets;  // of each view from the buffer's address, in bytes
};

// All of the pieces, of which there is at least one. `name`: for reports.
[[nodiscard]] KernelRef make_piecewise_kernel(std::string name, std::vector<KernelPiece> pieces);

}  // namespace cotan
