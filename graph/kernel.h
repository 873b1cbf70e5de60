// Kernels: what a backend makes of a node or of a claimed set of nodes, and the views of buffers that kernels read and write.
//
// A kernel is compiled once for its views' shapes and strides and is stateless afterwards: it may run in many threads at once. Its work is cut into
// independent chunks when it is compiled; the executor hands the chunks out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ops/dtype.h"
#include "ops/shape.h"

namespace cotan {

// A tensor inside a buffer: element (i, j, ...) lies at offset + i * strides[0] + j * strides[1] + ..., in elements. Strides may be 0 (a broadcast) or
// negative.
struct View {
  DType dtype = DType::f32;
  Shape shape;
  Shape strides;
  std::int64_t offset = 0;

  // Row-major from the buffer's first element.
  [[nodiscard]] static View dense(DType dtype, const Shape& shape) { return {dtype, shape, dense_strides(shape), 0}; }
  [[nodiscard]] bool is_dense() const;  // row-major without gaps; dimensions of size one do not matter
  bool operator==(const View&) const = default;
};

// Run-time values that are not in buffers.
struct RandomState {
  std::uint64_t key = 0, counter = 0;
};

// Compiled work on buffers.
class Kernel {
 public:
  virtual ~Kernel() = default;

  // What runs, for reports: "oneDNN matmul brg:avx512_core", "loops map relu".
  [[nodiscard]] virtual std::string name() const = 0;
  // The names of the kernels that it consists of, in the order in which they run; none for one that is a whole.
  [[nodiscard]] virtual std::vector<std::string> parts() const { return {}; }
  // Independent parts; chunk c may run on any thread, in any order.
  [[nodiscard]] std::int64_t chunks() const { return chunks_; }
  // Bytes of 64-byte aligned scratch memory that each running chunk needs.
  [[nodiscard]] std::size_t scratch_bytes() const { return scratch_bytes_; }
  // Floating-point operations of the whole kernel, and bytes it must read and write.
  [[nodiscard]] double flops() const { return flops_; }
  [[nodiscard]] double bytes() const { return bytes_; }

  // `buffers` are the addresses of element (0, 0, ...) of each input's view, then of each output's view.
  virtual void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const = 0;

 protected:
  // What the constructor of a kernel sets.
  std::int64_t chunks_ = 1;
  std::size_t scratch_bytes_ = 0;
  double flops_ = 0, bytes_ = 0;
};
// Shared: plans for several thread counts may use one kernel.
using KernelRef = std::shared_ptr<const Kernel>;

// Thrown by a check node's kernel; the executor turns it into an Error that names the line.
struct CheckFailure {
  std::int64_t value = 0;     // the first bad entry in row-major order of the chunk
  std::int64_t position = 0;  // where it stands, row-major
};

}  // namespace cotan
