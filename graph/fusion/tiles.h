// Running nodes tile by tile: whether a set of nodes can be cut along their first dimensions, and the set again at the size of a tile.
//
// A tile holds the same share of the first dimension of every node in the set: with u tiles, entries [t * e/u, (t+1) * e/u) of a node whose first dimension
// is e. That is legal where every node reads, of what is in the set, only its own tile: where its first index is i, the first dimension of such an operand is
// accessed by r * i + (0 .. r-1), r being how many rows of the operand a row of the node stands for, and no other dimension by i at all. What the set reads
// from outside is either read so, tile by tile, or not by i at all, as a whole. What a node computes may not depend on i in any other way: a mask that compares
// i with a column, or a copy that is placed at some rows, has another formula in each tile, and is not cut, whatever it reads.
//
// A call is cut where its body can be: the tile is the same call with a body for a tile.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "graph/node.h"

namespace cotan {

// How a node reads an operand when it is cut along its first dimension.
enum class TileAccess : std::uint8_t {
  tile,   // a tile reads the operand's tile
  whole,  // every tile reads all of it
  other,  // neither: the node cannot be cut with the operand inside, nor with the operand outside
};

// For each operand of a node; none where the node cannot be cut, whatever its operands are.
[[nodiscard]] std::optional<std::vector<TileAccess>> tile_accesses(const Node& node);
// The same, where every operand is read by tiles or as a whole: whether the node can be cut.
[[nodiscard]] bool can_be_cut(const Node& node);

// The greatest common divisor of `rows` and the first dimensions of all that the node computes: each divisor of it is a number of tiles. 0 for a scalar.
[[nodiscard]] std::int64_t common_rows(const Node& node, std::int64_t rows);

// The results of the node whose first dimension is a tile's: `operands` are those of a tile, or whole. An InternalError for a
// node that cannot be cut.
[[nodiscard]] std::vector<Ref> tile_of(const Node& node, std::span<const Ref> operands, std::int64_t tiles);

}  // namespace cotan
