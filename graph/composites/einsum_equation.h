// What an einsum's equation says once it is read: one sum over the operands. Two readers, one for each notation; errors name the place in the equation as
// "equation:1:COLUMN".
#pragma once

#include <span>
#include <string_view>

#include "graph/node.h"
#include "ops/sum_rows.h"

namespace cotan::graph {

// "ij,jk->ik", "...ij,...jk", "ii->i".
[[nodiscard]] SumDef read_letters(std::string_view equation, std::span<const Ref> operands);
// "x[n,2*i+p] * w[o,p] -> [n,o,i]; i<14, 0<=i-p<3".
[[nodiscard]] SumDef read_brackets(std::string_view equation, std::span<const Ref> operands);

}  // namespace cotan::graph
