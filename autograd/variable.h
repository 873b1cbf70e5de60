// Variables: named cells of state that live from step to step, such as a model's parameters.
//
// Reading a variable records a leaf with the cell's version; assign() records its next value. Assignments run, all of a thread's at once, with the thread's
// next evaluation; it writes in place where nobody needs the old value any more. Until then, reading gives the assigned value.
#pragma once

#include <memory>
#include <string>

#include "autograd/tensor.h"

namespace cotan {

struct Cell;

// A handle; copies are one variable. Variables may be shared between threads: evaluations that write one cell run one after the other.
class Variable {
 public:
  // No variable. Using it is an Error.
  Variable() = default;
  // A cell that starts with the tensor's value, which is computed now.
  Variable(std::string name, const Tensor& initial, std::source_location where = std::source_location::current());

  // The name it was given.
  [[nodiscard]] const std::string& name(std::source_location where = std::source_location::current()) const;
  // The sizes of the dimensions; they never change.
  [[nodiscard]] const Shape& shape(std::source_location where = std::source_location::current()) const;
  // The element type; it never changes.
  [[nodiscard]] DType dtype(std::source_location where = std::source_location::current()) const;
  // How many times it has been written.
  [[nodiscard]] std::uint64_t version(std::source_location where = std::source_location::current()) const;

  // Its value as a tensor: the one assigned last in this thread.
  [[nodiscard]] Tensor value(std::source_location where = std::source_location::current()) const;
  // Records its next value, of its shape and type; a number is spread over the shape. Where the evaluation that would run it throws, it is discarded.
  // What was recorded from the old value is computed by that evaluation if the program still holds it; gradients by the variable through it are errors.
  void assign(const Operand& next) const;
  // Whether backward() accumulates here and gradients flow through reads (true at first). Turned off, no gradient work is done.
  Variable& requires_grad_(bool on = true, std::source_location where = std::source_location::current());
  // Whether it does.
  [[nodiscard]] bool requires_grad(std::source_location where = std::source_location::current()) const;
  // The gradient that backward() accumulated in this thread. Throws Error where there is none, or a step consumed it.
  [[nodiscard]] Tensor grad(std::source_location where = std::source_location::current()) const;
  // Discards the accumulated gradient.
  void zero_grad(std::source_location where = std::source_location::current()) const;

  // For the library.
  [[nodiscard]] const std::shared_ptr<Cell>& cell() const { return cell_; }

 private:
  std::shared_ptr<Cell> cell_;
};

}  // namespace cotan
