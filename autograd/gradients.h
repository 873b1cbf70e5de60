// Gradients of tensors.
#pragma once

#include <vector>

#include "autograd/tensor.h"
#include "autograd/variable.h"

namespace cotan {

// The gradient of a floating scalar by each of `wrt` (tensors or variables), as recorded tensors of their shapes: nothing is computed yet, and they can be
// differentiated again. Zeros where output does not depend on one. Throws Error where output is no floating scalar, where a wrt is not floating, or where the
// way from one to the other is gone because it was computed and forgotten or a step overwrote it; the message names the line.
[[nodiscard]] std::vector<Tensor> gradients(const Tensor& output, const std::vector<Operand>& wrt,
                                            std::source_location where = std::source_location::current());

// Vector-Jacobian products: the gradients of the sum over outputs of <cotangent, output>. Cotangents are shaped and typed like their outputs.
[[nodiscard]] std::vector<Tensor> vjp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents, const std::vector<Operand>& wrt,
                                      std::source_location where = std::source_location::current());

// Jacobian-vector products by forward mode: the derivative of each output as the wrt move along their tangents, shaped and typed like the wrt.
[[nodiscard]] std::vector<Tensor> jvp(const std::vector<Tensor>& outputs, const std::vector<Operand>& wrt, const std::vector<Tensor>& tangents,
                                      std::source_location where = std::source_location::current());

}  // namespace cotan
