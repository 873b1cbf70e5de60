// The kernels of this backend: a list of calls, of primitives and of loops, cut into chunks. What the calls are is decided when the kernel is compiled; to run
// a chunk is to walk its part of the list.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "backends/onednn/primitive.h"
#include "graph/kernel.h"

namespace cotan::onednn {

class CallList final : public Kernel {
 public:
  // The inputs and outputs of a batch norm's gradient, the primitive with the most.
  static constexpr std::size_t most_arguments = 9;

  // Starts a list of no calls.
  CallList() { chunks_ = 0; }

  // The number by which calls name the primitive. `inputs`, `outputs`: which of the kernel's buffers (its inputs, then its outputs) each of the primitive's is,
  // in its order; at most `most_arguments` together. The same primitive on the same buffers keeps its number.
  [[nodiscard]] std::size_t add_primitive(const std::shared_ptr<const Primitive>& primitive, std::vector<std::size_t> inputs, std::vector<std::size_t> outputs);
  // The same of another kernel, all chunks of which are one call: `buffers` are those of its inputs and outputs.
  [[nodiscard]] std::size_t add_loop(const KernelRef& loop, std::vector<std::size_t> buffers);
  // Appends a call to the last chunk. Offsets in elements from the first one of each of its buffers, in the order that its number was given for. Elements are
  // f32, but those of a workspace, which are bytes.
  void add_call(std::size_t number, std::span<const std::int64_t> offsets);
  // Says that this argument of all calls (inputs, then outputs) is a workspace.
  void set_workspace(std::size_t argument) { workspace_ = argument; }
  // Says that the primitives of the last chunk add to what input `from` of the kernel holds in these rows of the first output, `stride` elements apart: unless
  // both share their memory, the chunk copies them first. One for each chunk, or none at all.
  void start_from(std::size_t from, std::int64_t offset, std::int64_t rows, std::int64_t columns, std::int64_t stride);
  // Closes the last chunk.
  void end_chunk();
  [[nodiscard]] std::size_t calls() const { return calls_.size(); }

  // "oneDNN `what` `implementation`, 4 tiles"; work as Kernel has it.
  void describe(const std::string& what, double flops, double bytes);

  [[nodiscard]] std::string name() const override { return name_; }
  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override;

 private:
  // What a call runs, on which buffers: a primitive, or a loop.
  struct Callee {
    std::shared_ptr<const Primitive> primitive;
    KernelRef loop;
    std::vector<std::size_t> buffers;
    std::size_t inputs = 0;  // of the buffers, a primitive's
  };
  struct Call {
    std::size_t callee;
    std::array<std::int64_t, most_arguments> offsets;  // in bytes
  };
  struct Start {
    std::size_t from, to;  // buffers
    std::int64_t offset, rows, columns, stride;
  };
  std::size_t number_of(Callee callee);
  static void copy_start(const Start& start, std::span<void* const> buffers);

  std::size_t workspace_ = most_arguments;
  std::vector<Callee> callees_;
  std::vector<Call> calls_;
  std::vector<Start> starts_;      // of each chunk
  std::vector<std::size_t> ends_;  // of each chunk
  std::string name_;
};

}  // namespace cotan::onednn
