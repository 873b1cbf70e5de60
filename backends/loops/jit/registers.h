// Registers for straight-line code: which register each value is in, what goes to memory when they run out, and when it comes back.
//
// When they run out, the value that is needed last loses its register (Belady), before others one that is in memory anyway: because it was computed before the
// loop, or spilled before.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/loops/jit/program.h"

namespace cotan::loops::jit {

// Where a value is.
struct Place {
  enum class Kind : std::uint8_t { none, vector, mask, slot, constant };
  Kind kind = Kind::none;
  int number = -1;  // of the register, of the slot in the frame, of the constant in the table
};

// Where a value that outlives a section is kept.
struct Home {
  Place memory;
  Place pinned;  // a register that it has throughout, if any
};

struct Step {
  enum class Kind : std::uint8_t { compute, store, reload, spill };
  Kind kind = Kind::compute;
  Op op = Op::constant;
  Place out;
  Place in[3];
  std::uint32_t number = 0;  // Instruction::number; of a store its position
  int copy = 0;              // of an unrolled loop: how many vectors further on
};

// The registers that may be taken, one bit each.
struct Budget {
  std::uint32_t vectors = 0, masks = 0;
};

struct Allocation {
  std::vector<Step> steps;
  int slots = 0;         // one more than the greatest that is used
  int vectors_used = 0;  // the most at any time
  int spills = 0;
};

struct Section {
  Level level = Level::column;  // the instructions of this level are computed
  int copies = 1;               // each so many times, side by side
};

// `homes[v]` is that of value v. Slots from `first_slot` on are free for spills. With `keep`, a home's value stays in the register that it was read into until
// the register is needed. Where masks are vectors, no mask registers are asked for.
[[nodiscard]] Allocation allocate(const Program& program, const Section& section, const std::vector<Home>& homes, const Budget& budget, int first_slot,
                                  bool masks_are_vectors, bool keep);

}  // namespace cotan::loops::jit
