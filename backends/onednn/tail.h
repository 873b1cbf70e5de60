// What follows a sum's value in its kernel: post-operations that are not yet tied to the strides of one call, and a rest that a loop of our own computes.
//
// A formula becomes a list of steps (steps_of). The first ones are post-operations. From the first one on that the library has none for that keeps NaN and
// infinity (relu, say), and in reproducible mode from the first one on that it rounds in another way than a loop, what is left is a formula of the value so
// far: a loop (rest_loop.h) runs over what a primitive has written while it is in the cache. The views of the tensors that the steps read become strides along
// the output's dimensions (AlongOutput).
#pragma once

#include <algorithm>
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

// A formula of a value (operand 0) and of other tensors.
struct Steps {
  std::vector<TailStep> ops;            // post-operations, one after the other
  FormulaRef rest;                      // of what they leave (operand 0) and of tensors; null: nothing
  std::vector<int> rest_operands;       // the operand of the whole formula that each later operand of the rest is
  std::vector<std::string_view> names;  // of all steps, those of the rest too
};

// The formula as steps, or why it is none.
[[nodiscard]] std::variant<Steps, Reason> steps_of(const Formula& formula, const BackendOptions& options);

// The steps of a kernel whose inputs are a sum's two factors, then tensors.
struct Tail {
  std::vector<PostOp> ops;              // strides are filled in for each call
  std::vector<std::size_t> reads;       // the kernel's input that each step reads, where it reads one
  std::optional<std::size_t> old;       // the input that the output holds before, where a step accumulates; it may share the output's memory
  FormulaRef rest;                      // what a loop does after them to the value (operand 0); null: nothing
  std::vector<std::size_t> rest_reads;  // the kernel's input that each later operand of the rest is
  InstructionSet instructions{};        // that the loop's code may have
  std::vector<std::string_view> names;  // of all steps, for reports
  std::vector<View> tensors;            // of the inputs after the two factors

  [[nodiscard]] bool empty() const { return ops.empty() && !rest; }
  // Of how many buffers, the output's among them, one call makes use at most: a tensor that two steps read counts twice.
  [[nodiscard]] std::size_t buffers_of_a_call() const { return std::max(3 + reads.size(), 2 + rest_reads.size()); }
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
