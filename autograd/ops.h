// The operations on tensors: one function for each row of the tables of operations (ops/elementwise.def, ops/sums.def, ops/reductions.def and
// graph/composites/composites.def), under PyTorch's names, options as designated initialisers:
//
//     Tensor y = relu(linear(x, w, b));
//     Tensor s = sum(y, {.dim = 1, .keepdim = true});
//
// What each one computes, its gradient at kinks and its errors stand in its row. All report mistakes with the caller's line.
#pragma once

#include <concepts>
#include <limits>
#include <string>
#include <vector>

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

// ---- short forms, as PyTorch writes them: reshape(x, {2, -1}), narrow(x, 0, 1, 3), einsum("ij,jk->ik", {a, b})

// Numbers in braces. A class of its own, so that {.shape = {2, 3}} is options and nothing else: GCC 12 reads a designated list as a std::initializer_list too.
struct NumberList {
  Sizes numbers;
  template <std::integral... T>
    requires(sizeof...(T) > 0)
  NumberList(T... all) : numbers{static_cast<std::int64_t>(all)...} {}  // NOLINT: implicit, that is its purpose
};

// The rows of the same names with their options as arguments; see there for meaning and errors.
[[nodiscard]] inline Tensor reshape(const Operand& x, const NumberList& shape) { return reshape(x, ReshapeOptions{.shape = shape.numbers}); }
[[nodiscard]] inline Tensor broadcast_to(const Operand& x, const NumberList& size) { return broadcast_to(x, BroadcastToOptions{.size = size.numbers}); }
[[nodiscard]] inline Tensor expand(const Operand& x, const NumberList& size) { return broadcast_to(x, BroadcastToOptions{.size = size.numbers}); }
[[nodiscard]] inline Tensor permute(const Operand& x, const NumberList& dims) { return permute(x, PermuteOptions{.dims = dims.numbers}); }
[[nodiscard]] inline Tensor transpose(const Operand& x, std::int64_t dim0, std::int64_t dim1) {
  return transpose(x, TransposeOptions{.dim0 = dim0, .dim1 = dim1});
}
[[nodiscard]] inline Tensor flip(const Operand& x, const NumberList& dims) { return flip(x, FlipOptions{.dims = dims.numbers}); }
[[nodiscard]] inline Tensor repeat(const Operand& x, const NumberList& repeats) { return repeat(x, RepeatOptions{.repeats = repeats.numbers}); }
[[nodiscard]] inline Tensor squeeze(const Operand& x, std::int64_t dim) { return squeeze(x, SqueezeOptions{.dim = dim}); }
[[nodiscard]] inline Tensor unsqueeze(const Operand& x, std::int64_t dim) { return unsqueeze(x, UnsqueezeOptions{.dim = dim}); }
[[nodiscard]] inline Tensor flatten(const Operand& x, std::int64_t start_dim, std::int64_t end_dim = -1) {
  return flatten(x, FlattenOptions{.start_dim = start_dim, .end_dim = end_dim});
}
[[nodiscard]] inline Tensor select(const Operand& x, std::int64_t dim, std::int64_t index) { return select(x, SelectOptions{.dim = dim, .index = index}); }
[[nodiscard]] inline Tensor narrow(const Operand& x, std::int64_t dim, std::int64_t start, std::int64_t length) {
  return narrow(x, NarrowOptions{.dim = dim, .start = start, .length = length});
}
[[nodiscard]] inline std::vector<Tensor> split(const Operand& x, std::int64_t split_size, std::int64_t dim = 0) {
  return split(x, SplitOptions{.split_size_or_sections = {split_size}, .dim = dim});
}
[[nodiscard]] inline std::vector<Tensor> chunk(const Operand& x, std::int64_t chunks, std::int64_t dim = 0) {
  return chunk(x, ChunkOptions{.chunks = chunks, .dim = dim});
}
[[nodiscard]] inline Tensor gather(const Operand& x, std::int64_t dim, const Operand& index) { return gather(x, index, GatherOptions{.dim = dim}); }
[[nodiscard]] inline Tensor index_select(const Operand& x, std::int64_t dim, const Operand& index) {
  return index_select(x, index, IndexSelectOptions{.dim = dim});
}
[[nodiscard]] inline Tensor scatter_add(const Operand& x, std::int64_t dim, const Operand& index, const Operand& src) {
  return scatter_add(x, index, src, ScatterAddOptions{.dim = dim});
}
[[nodiscard]] inline Tensor einsum(const std::string& equation, const OperandList& operands) { return einsum(operands, EinsumOptions{.equation = equation}); }

}  // namespace cotan
