// Derivatives of tensors below a call site that is open already, so that errors name the public function that the user called. Internal to autograd.
#pragma once

#include <vector>

#include "autograd/tensor.h"

namespace cotan::derivatives {

// As the functions of gradients.h.
[[nodiscard]] std::vector<Tensor> gradients(const Tensor& output, const std::vector<Operand>& wrt);
[[nodiscard]] std::vector<Tensor> vjp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents, const std::vector<Operand>& wrt);
[[nodiscard]] std::vector<Tensor> jvp(const std::vector<Tensor>& outputs, const std::vector<Operand>& wrt, const std::vector<Tensor>& tangents);

}  // namespace cotan::derivatives
