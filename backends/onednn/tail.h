// What follows a sum's value in its kernel: post-operations that are not yet tied to the strides of one call.
//
// A formula becomes a list of steps (steps_of); the views of the tensors that the steps read become strides along the output's dimensions (AlongOutput).
#pragma once

#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "backends/onednn/primitive.h"
#include "graph/backend.h"

namespace cotan::onednn {

// One post-operation and the operand of the formula that it reads; -1: none.
struct TailStep {
  PostOp op;
  int operand = -1;
};

// The formula of operand 0 and of other tensors as post-operations, one after the other, or why it is none.
[[nodiscard]] std::variant<std::vector<TailStep>, Reason> steps_of(const Formula& formula);

// The steps of a kernel whose inputs are a sum's two factors, then tensors.
struct Tail {
  std::vector<PostOp> ops;         // strides are filled in for each call
  std::vector<std::size_t> reads;  // the kernel's input that each step reads, where it reads one
  std::optional<std::size_t> old;  // the input that the output holds before, where a step accumulates; it may share the output's memory
  std::vector<View> tensors;       // of the inputs after the two factors

  // The number of the kernel's inputs, which is the output's buffer.
  [[nodiscard]] std::size_t inputs() const { return 2 + tensors.size(); }
};

// ", then add, relu": for reports. Empty for no steps.
[[nodiscard]] std::string text_of(const Tail& tail);

// A tensor of a dense output's shape, walked as the output is.
class AlongOutput {
 public:
  AlongOutput(const Shape& shape, const View& tensor) : shape_(shape), strides_(tensor.strides) {}

  // Where the element lies that belongs to the output's element at this offset, in elements after the tensor's first.
  [[nodiscard]] std::int64_t at(std::int64_t output_offset) const;
  // How far one of `size` steps of the output's stride goes in the tensor; none where the steps are not all alike.
  [[nodiscard]] std::optional<std::int64_t> stride(std::int64_t size, std::int64_t output_stride) const;

 private:
  Shape shape_, strides_;
};

// The tail's steps with strides for an output of these sizes and strides (in the primitive's order of dimensions); none where a tensor does not follow them.
[[nodiscard]] std::optional<std::vector<PostOp>> tied(const Tail& tail, const Shape& output, std::span<const std::int64_t> sizes,
                                                      std::span<const std::int64_t> strides);

}  // namespace cotan::onednn
