// The kernels of this backend: a list of calls of primitives, cut into chunks. What the calls are is decided when the kernel is compiled; to run a chunk is to
// walk its part of the list.
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
  // Starts a list of no calls. `inputs`: which of the kernel's inputs each input of the primitives is, in the primitives' order; one or two. `kernel_inputs`:
  // how many inputs the kernel has; its only output comes after them.
  CallList(std::vector<std::size_t> inputs, std::size_t kernel_inputs) : inputs_(std::move(inputs)), kernel_inputs_(kernel_inputs) { chunks_ = 0; }

  // The number by which calls name the primitive. The same primitive keeps its number.
  [[nodiscard]] std::size_t add_primitive(const std::shared_ptr<const Primitive>& primitive);
  // Appends a call to the last chunk. Offsets in elements (f32) from the first element of each buffer: of the primitives' inputs, of the output.
  void add_call(std::size_t primitive, std::array<std::int64_t, 2> input_offsets, std::int64_t output_offset);
  // Closes the last chunk.
  void end_chunk();
  [[nodiscard]] std::size_t calls() const { return calls_.size(); }

  // "oneDNN `what` `implementation`, 4 tiles"; work as Kernel has it.
  void describe(const std::string& what, double flops, double bytes);

  [[nodiscard]] std::string name() const override { return name_; }
  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override;

 private:
  struct Call {
    std::size_t primitive;
    std::array<std::int64_t, 2> in;
    std::int64_t out;
  };
  std::vector<std::size_t> inputs_;
  std::size_t kernel_inputs_;
  std::vector<std::shared_ptr<const Primitive>> primitives_;
  std::vector<Call> calls_;
  std::vector<std::size_t> ends_;  // of each chunk
  std::string name_;
};

}  // namespace cotan::onednn
