// Small products of matrices as loops of their own.
//
// A library's call costs more than a small product computes. A sum of float32 that is a product of matrices, and small enough for loops to cost less, is
// register-blocked loops (product_tiles.h) in one chunk: any strides, one batch loop around it. A formula of the value may follow before it is stored: then
// the product goes to scratch memory, and the formula's loop reads it there while the cache has it. So its bits are those of the two kernels one after the
// other.
#pragma once

#include <optional>
#include <string>

#include "graph/backend.h"
#include "graph/recognise.h"

namespace cotan::loops {

// What a product costs, in cycles of one core: by these loops, and by a call of a library's primitive.
struct ProductCosts {
  double loops = 0, primitive = 0;
  [[nodiscard]] bool loops_win() const { return loops <= primitive; }
  // "1500 cycles as loops, 3000 by a primitive".
  [[nodiscard]] std::string text() const;
};

// The costs of a sum that is such a product: two factors of float32, at least two rows and columns, no extent beyond 256, 2e3 to 2e5 multiply-adds. None for
// any other sum. The one decision on who computes a product: the loops where they win, and otherwise whoever is asked first.
[[nodiscard]] std::optional<ProductCosts> small_product_costs(const Node& sum, const MatmulForm& form);
// The form of a sum that these loops compute; none for any other node.
[[nodiscard]] std::optional<MatmulForm> as_small_product(const Node& node);

// The product over these views; its error is as ProductTile has it, a coefficient adding one rounding. Buffers: two factors, the output.
[[nodiscard]] KernelRef compile_small_product(const MatmulForm& form, const SumSpec& spec, std::span<const View> factors, const View& output);
// The same, then `formula` of the value (its operand 0) and of further inputs, which follow the factors. The output may be the memory of an input of the same
// view and element size.
[[nodiscard]] KernelRef compile_small_product(const MatmulForm& form, const SumSpec& spec, std::span<const View> inputs, const View& output,
                                              const Formula& formula);

}  // namespace cotan::loops
