// Small products of matrices as loops of their own.
//
// A library's call may cost more than a small product computes. A sum of float32 that is a product of matrices, and small enough for loops to cost less, is
// register-blocked loops (product_tiles.h) in one chunk: any strides, one batch loop around it. A formula of the value may follow before it is stored: then
// the product goes to scratch memory, and the formula's loop reads it there while the cache has it. So its bits are those of the two kernels one after the
// other.
#pragma once

#include "graph/backend.h"
#include "graph/recognise.h"
#include "graph/target.h"

namespace cotan::loops {

// The backend that takes such sums, asked before all others: where loops cost less than a call of a library's primitive, by estimates in cycles of one core
// that its refusals state. Two factors of float32, at least two rows and columns, no extent beyond 256, 2e3 to 2e5 multiply-adds. Maps may follow, of up to 24
// atoms together.
[[nodiscard]] const Backend& small_products();

// The product over these views; its error is as ProductTile has it, a coefficient adding one rounding. Buffers: two factors, the output.
[[nodiscard]] KernelRef compile_small_product(const MatmulForm& form, const SumSpec& spec, std::span<const View> factors, const View& output);
// The same, then `formula` of the value (its operand 0) and of further inputs, which follow the factors. The output may be the memory of an input of the same
// view and element size.
[[nodiscard]] KernelRef compile_small_product(const MatmulForm& form, const SumSpec& spec, std::span<const View> inputs, const View& output,
                                              const Formula& formula, InstructionSet set);

}  // namespace cotan::loops
