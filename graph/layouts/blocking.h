// Blocked layouts as nodes of the graph.
//
// A tensor in a blocked layout is another tensor: its dimensions are the digits of the first one's, in the order in which they lie in memory. Channels in
// blocks of 16, innermost, are
//
//     %1: f32[8,2,14,14,16][n,c,h,w,b] = x[n,16*c+b,h,w]      into blocks
//     %2: f32[8,32,14,14][n,16*c+b,h,w] = %1[n,c,h,w,b]       out of blocks
//
// so that every reader and writer of blocks is an ordinary node with ordinary index expressions. Neither of the two is a view (graph/views.h): each is
// computed, once for all who read it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/node.h"

namespace cotan {

// One dimension of the blocked tensor: `size` steps of `weight` along `dimension` of the plain one.
struct Digit {
  int dimension = 0;
  std::int64_t size = 1, weight = 1;
  bool operator==(const Digit&) const = default;
};

// The dimensions of the blocked tensor, outermost first. Empty: the plain layout, row-major.
using Blocking = std::vector<Digit>;

// One dimension in blocks of `block` entries, which lie innermost; the block divides the dimension's size.
[[nodiscard]] Blocking blocking_of(const Shape& plain, int dimension, std::int64_t block);

// What is split in a blocking that splits one dimension in two and leaves the others whole and in order; `place`: of the digit that counts within a block.
struct SplitDimension {
  int dimension = 0;
  std::int64_t block = 1;
  int place = 0;
};
[[nodiscard]] std::optional<SplitDimension> one_split(const Blocking& blocking);

// Whether the digits stand in the order of the plain tensor, so that blocking is a reshape.
[[nodiscard]] bool is_reshape(const Blocking& blocking);

// The blocked tensor's shape.
[[nodiscard]] Shape shape_of(const Blocking& blocking);

// The plain tensor in blocks, and the blocked one as the plain tensor of this shape.
[[nodiscard]] Ref into_blocks(const Ref& plain, const Blocking& blocking);
[[nodiscard]] Ref out_of_blocks(const Ref& blocked, const Blocking& blocking, const Shape& plain);

// The sum over blocked tensors: the blockings of its output, its factors and its tables; `shapes` are the plain ones. Nothing where a split dimension is not
// indexed by an index of its own, over its whole size, or where one index is split in two ways.
[[nodiscard]] std::optional<SumSpec> in_blocks(const SumSpec& spec, std::span<const Shape> shapes, std::span<const Blocking> blockings);

}  // namespace cotan
