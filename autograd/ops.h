// The operations on tensors: one function for each row of the tables of operations (ops/elementwise.def, ops/sums.def, ops/reductions.def and
// graph/composites/composites.def), under PyTorch's names, options as designated initialisers:
//
//     Tensor y = relu(linear(x, w, b));
//     Tensor s = sum(y, {.dim = 1, .keepdim = true});
//
// What each one computes, its gradient at kinks and its errors stand in its row. All report mistakes with the caller's line.
#pragma once

#include <limits>

#include "autograd/tensor.h"
#include "graph/composites/composite_options.h"
#include "ops/row_options.h"

namespace cotan {

#define COTAN_OPERAND(name) const Operand& name
#define COTAN_TRAILING(...) __VA_OPT__(, ) __VA_ARGS__
#define P(name, standard) double name = standard
#define ELEMENTWISE(name_, operands_, parameters_, ...) \
  [[nodiscard]] Tensor name_(COTAN_LIST(COTAN_OPERAND, COTAN_UNWRAP operands_) COTAN_TRAILING parameters_);
#include "ops/elementwise.def"
#undef ELEMENTWISE
#undef P
#undef COTAN_TRAILING
#define SUM(name_, Options_, operands_, ...) [[nodiscard]] Tensor name_(COTAN_LIST(COTAN_OPERAND, COTAN_UNWRAP operands_), const Options_& options = {});
#define REDUCE SUM
#define COMPOSITE(form_, name_, Options_, operands_, ...) \
  [[nodiscard]] Tensor name_(COTAN_LIST(COTAN_OPERAND, COTAN_UNWRAP operands_), const Options_& options = {});
#include "graph/composites/composites.def"
#include "ops/reductions.def"
#include "ops/sums.def"
#undef COMPOSITE
#undef REDUCE
#undef SUM
#undef COTAN_OPERAND

// The indexed sums of the graph, for those who want them: reshape(x, shape) in short.
[[nodiscard]] inline Tensor reshape(const Operand& x, std::initializer_list<std::int64_t> shape) { return reshape(x, ReshapeOptions{.shape = shape}); }

}  // namespace cotan
