// A cluster as a list of tile operations on numbered places.
//
// A place is the memory of one tile during a run: what a load brings, a constant, a temporary, or the part of an output that the tile covers. Places of values
// that nobody reads any more are used again.
#pragma once

#include <vector>

#include "backends/loops/tile_op.h"
#include "graph/cluster.h"

namespace cotan::loops {

struct TileInstruction {
  TileFunction function = nullptr;
  int out = -1;              // place
  int in[4] = {0, 0, 0, 0};  // places; unused ones are place 0
};

// A value that ends up in an output other than by the instruction that computes it.
struct TileStore {
  int place = 0;
  int output = 0;
};

struct TileProgram {
  std::vector<TileInstruction> instructions;
  std::vector<TileStore> stores;
  std::vector<FormulaNode> constants;  // constant k is place loads + k
  int loads = 0;                       // load k is place k
  std::vector<bool> reads;             // whether load k is read at all
  int temporaries = 0;                 // temporary k is place loads + constants + k
  int outputs = 0;                     // output k is place loads + constants + temporaries + k
  std::size_t element_size = 1;        // of the largest element in any place
  int operations = 0;                  // arithmetic operations for each element

  [[nodiscard]] int first_temporary() const { return loads + static_cast<int>(constants.size()); }
  [[nodiscard]] int first_output() const { return first_temporary() + temporaries; }
  [[nodiscard]] int places() const { return first_output() + outputs; }
};

// `writable[o]`: an output's tile is packed memory that an instruction may write. `aliases[o][l]`: output o and load l may be the same memory.
[[nodiscard]] TileProgram make_tile_program(const Cluster& cluster, const std::vector<bool>& writable, const std::vector<std::vector<bool>>& aliases);

}  // namespace cotan::loops
