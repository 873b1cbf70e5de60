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
#include "ops/reductions.def"
#include "ops/sums.def"
#undef REDUCE
#undef SUM
#undef COTAN_OPERAND

// A composite's optional operands may be left out, all of them before options too: layer_norm(x, {.eps = 1e-6}).
#define COTAN_TAKES(operand) COTAN_CAT(COTAN_TAKES_, COTAN_FORM_OF(operand))(COTAN_NAME_OF(operand))
#define COTAN_TAKES_REQUIRED(name) const Operand& name
#define COTAN_TAKES_OPTIONAL(name) const OptionalOperand& name = {}
#define COTAN_TAKES_LIST(name) const OperandList& name
#define COTAN_FIRST(operand) COTAN_CAT(COTAN_FIRST_, COTAN_FORM_OF(operand))(COTAN_NAME_OF(operand))
#define COTAN_FIRST_REQUIRED(name) const Operand &name,
#define COTAN_FIRST_OPTIONAL(name)
#define COTAN_FIRST_LIST(name) const OperandList &name,
#define COTAN_PASS(operand) COTAN_CAT(COTAN_PASS_, COTAN_FORM_OF(operand))(COTAN_NAME_OF(operand))
#define COTAN_PASS_REQUIRED(name) name,
#define COTAN_PASS_OPTIONAL(name) OptionalOperand(),
#define COTAN_PASS_LIST(name) name,
// The second form is a template so that it gives way to the first where no operand is optional.
#define COMPOSITE(form_, name_, Options_, results_, operands_, ...)                                                                      \
  [[nodiscard]] COTAN_RESULTS_OF(Tensor, results_) name_(COTAN_LIST(COTAN_TAKES, COTAN_UNWRAP operands_), const Options_& options = {}); \
  template <class = void>                                                                                                                \
  [[nodiscard]] COTAN_RESULTS_OF(Tensor, results_) name_(COTAN_EACH(COTAN_FIRST, COTAN_UNWRAP operands_) const Options_& options) {      \
    return name_(COTAN_EACH(COTAN_PASS, COTAN_UNWRAP operands_) options);                                                                \
  }
#include "graph/composites/composites.def"
#undef COMPOSITE
#undef COTAN_PASS_LIST
#undef COTAN_PASS_OPTIONAL
#undef COTAN_PASS_REQUIRED
#undef COTAN_PASS
#undef COTAN_FIRST_LIST
#undef COTAN_FIRST_OPTIONAL
#undef COTAN_FIRST_REQUIRED
#undef COTAN_FIRST
#undef COTAN_TAKES_LIST
#undef COTAN_TAKES_OPTIONAL
#undef COTAN_TAKES_REQUIRED
#undef COTAN_TAKES

// The indexed sums of the graph, for those who want them: reshape(x, shape) in short.
[[nodiscard]] inline Tensor reshape(const Operand& x, std::initializer_list<std::int64_t> shape) { return reshape(x, ReshapeOptions{.shape = shape}); }

}  // namespace cotan
