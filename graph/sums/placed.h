// Placed copies: sums that put a view of a tensor at some place along one dimension of their output, zeros everywhere else, as the gradients of slices do and
// the parts of a concatenation.
//
//   out[i, j+4] = x[j, i]          along dimension 1, from 4 on
#pragma once

#include <optional>

#include "graph/kernel.h"
#include "graph/sums/open_sum.h"

namespace cotan::sums {

// Where a placed copy stands: entries first <= position < end of that dimension of the output, all of every other dimension.
struct Placed {
  int dimension = 0;
  std::int64_t first = 0, end = 0;
};

// The place of a sum of one factor without guards or tables; nothing for any other sum, for one that fills its output, and for one cut along several
// dimensions.
[[nodiscard]] std::optional<Placed> placed_of(const OpenSum& sum);

// What stands at first <= position < end, inside the sum's place, as a view of the factor, given the factor's own view. The coefficient is left out. Nothing
// where strides cannot say it.
[[nodiscard]] std::optional<View> view_at(const OpenSum& sum, const Placed& at, const View& factor);

// Whether the node is a map that adds its operands up, each once, and does nothing else.
[[nodiscard]] bool is_addition(const Node& node);

}  // namespace cotan::sums
