// Clipping of gradients between backward() and step().
#pragma once

#include <vector>

#include "autograd/tensor.h"
#include "autograd/variable.h"

namespace cotan::optim {

// Options of clip_grad_norm_.
struct ClipNormOptions {
  double norm_type = 2;             // p of the p-norm, above 0; infinity: the largest magnitude
  bool error_if_nonfinite = false;  // a NaN or infinite norm is an Error; the norm and the clipped gradients are computed at once then
};

// Scales the accumulated gradients by min(1, max_norm / (norm + 1e-6)), the formula of PyTorch's function of that name, where norm is the p-norm of all
// their entries together. Gives the norm as a scalar (f64 where a gradient is f64, else f32), recorded like any tensor: read after the step it costs no
// second evaluation. Variables without a gradient are left alone; without any gradient the norm is 0. Powers are formed in the gradients' type: in f32 a
// 2-norm beyond 1.8e19 is infinite, and what is clipped by that is 0; error_if_nonfinite tells. Throws Error for a negative or NaN max_norm, a norm_type
// that is not above 0, an undefined variable, and, if asked, a norm that is not finite; then the gradients are as before.
Tensor clip_grad_norm_(const std::vector<Variable>& parameters, double max_norm, const ClipNormOptions& options = {},
                       std::source_location where = std::source_location::current());

// Clips each entry of the accumulated gradients to [-clip_value, clip_value]; NaN stays. Variables without a gradient are left alone. Throws Error for a
// negative or NaN clip_value and for an undefined variable.
void clip_grad_value_(const std::vector<Variable>& parameters, double clip_value, std::source_location where = std::source_location::current());

}  // namespace cotan::optim
