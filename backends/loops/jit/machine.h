// Which instruction set generated code is made for.
#pragma once

#include <cstdint>
#include <string_view>

namespace cotan::loops::jit {

enum class Machine : std::uint8_t {
  none,    // no code is generated
  avx2,    // with FMA
  avx512,  // F, BW, DQ, VL
};

// "none", "avx2", "avx512".
[[nodiscard]] std::string_view name_of(Machine machine);

// The best that this processor and its operating system have.
[[nodiscard]] Machine best_machine();

// What `setting`, the environment variable COTAN_JIT, makes of it: "" leaves the best, "0" switches generated code off, "avx2" and "avx512" name one, where
// what the processor does not have, and any other word, is an Error.
[[nodiscard]] Machine machine_of(std::string_view setting, Machine best);

// By the environment variable, read once.
[[nodiscard]] Machine machine();

}  // namespace cotan::loops::jit
