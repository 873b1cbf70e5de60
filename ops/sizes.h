// Arithmetic of sizes.
//
// What a program asks for may be any number of 64 bits. Whoever computes a size from it uses these functions: they refuse what no tensor can have, so that no
// size wraps around, and what is computed from sizes later, such as strides and index expressions, stays within 64 bits.
#pragma once

#include <cstdint>
#include <span>

#include "ops/shape.h"

namespace cotan {

// The most elements that a tensor can have, and so the largest size of a dimension.
inline constexpr std::int64_t most_elements = std::int64_t{1} << 46;

// Both throw Error where the result, a or b lies beyond most_elements, on either side of 0.
[[nodiscard]] std::int64_t sum_of_sizes(std::int64_t a, std::int64_t b);      // a + b
[[nodiscard]] std::int64_t product_of_sizes(std::int64_t a, std::int64_t b);  // a * b

// Throws Error unless every size is at least 0 and their product at most most_elements. A size of 0 counts as 1: strides of an empty tensor are products, too.
void require_possible(const Shape& shape);
// The shape of these sizes, if it is possible.
[[nodiscard]] Shape shape_of(std::span<const std::int64_t> sizes);

}  // namespace cotan
