// The machine that a program is compiled for, as a value: all that a decision of the compiler may depend on, beside the number of threads
// (CompileOptions::threads). Nothing else that compiles asks the system, so that a program for another machine can be made, and looked at, on this one.
//
// What this cannot say follows the processor that runs: Highway and oneDNN choose their kernels by it, and oneDNN the layouts that it prefers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cotan {

// The instruction set that code is generated for, each having what those before it have.
enum class InstructionSet : std::uint8_t {
  none,    // no code is generated
  avx2,    // with FMA
  avx512,  // F, BW, DQ, VL
};

// "none", "avx2", "avx512".
[[nodiscard]] std::string_view name_of(InstructionSet set);

// A machine.
struct TargetMachine {
  // What generated code is made of.
  InstructionSet instructions = InstructionSet::none;
  // Bytes of a core's second-level cache.
  std::int64_t second_cache = 1 << 20;
  // "avx512, 1024 KiB of second-level cache a core".
  [[nodiscard]] std::string text() const;
  bool operator==(const TargetMachine&) const = default;
};

// The one that this process runs on, found once. Generated code is for the best that the processor has unless the environment variable COTAN_JIT, read once,
// says less (instructions_by). Throws Error for a COTAN_JIT that is bad.
[[nodiscard]] const TargetMachine& this_machine();

// Whether a program that was compiled for that machine can run on this one.
[[nodiscard]] bool runs_here(const TargetMachine& target);

// The best that this processor and its operating system have.
[[nodiscard]] InstructionSet best_instructions();

// What `setting`, the environment variable COTAN_JIT, makes of it: "" leaves the best, "0" switches generated code off, "avx2" and "avx512" name one, where
// what the processor does not have, and any other word, is an Error.
[[nodiscard]] InstructionSet instructions_by(std::string_view setting, InstructionSet best);

}  // namespace cotan
