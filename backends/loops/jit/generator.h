// From a program to machine code.
//
// The code runs over rows and columns:
//
//     once        what is the same for the whole call
//     each row    what is the same for a row; then whole vectors (several side by side where the program is long), then what is left, masked
//
// Constants stand behind the instructions. The code may be copied to any address.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/target.h"
#include "backends/loops/jit/program.h"

namespace cotan::loops::jit {

// The call of generated code. pointers[k] is the address of the first row's first element of load k, or, behind the loads, of store k - loads; the table is
// overwritten. row_bytes[k] is what lies between rows. At least one row and one column.
using Code = void (*)(void** pointers, const std::int64_t* row_bytes, std::int64_t rows, std::int64_t columns);

struct Generated {
  std::vector<std::uint8_t> bytes;
  int copies = 1;  // vectors side by side in the loop over columns
  int spills = 0;  // values of that loop that do not fit into the registers
  int lanes = 0;   // of one vector
};

// Code for the program's instruction set.
[[nodiscard]] Generated generate(const Program& program);

}  // namespace cotan::loops::jit
