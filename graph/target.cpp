#include "graph/target.h"

#include <fmt/format.h>
#include <unistd.h>

#include "ops/environment.h"

namespace cotan {
namespace {

// Of a core, as the system says; where it says nothing, what most have.
std::int64_t find_second_cache() {
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? bytes : TargetMachine().second_cache;
}

}  // namespace

std::string_view name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::none: return "none";
    case InstructionSet::avx2: return "avx2";
    case InstructionSet::avx512: return "avx512";
  }
  return "none";
}

std::string TargetMachine::text() const { return fmt::format("{}, {} KiB of second-level cache a core", name_of(instructions), second_cache >> 10); }

InstructionSet best_instructions() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2"))
    return InstructionSet::avx512;
  if (avx2) return InstructionSet::avx2;
#endif
  return InstructionSet::none;
}

InstructionSet instructions_by(std::string_view setting, InstructionSet best) {
  if (setting.empty()) return best;
  if (setting == "0") return InstructionSet::none;
  InstructionSet named = InstructionSet::none;
  if (setting == "avx2") named = InstructionSet::avx2;
  if (setting == "avx512") named = InstructionSet::avx512;
  if (named == InstructionSet::none || named > best)
    refuse_environment("COTAN_JIT", std::string(setting), fmt::format("0, avx2 or avx512, as far as the processor has them (its best is {})", name_of(best)));
  return named;
}

const TargetMachine& this_machine() {
  static const TargetMachine found{instructions_by(environment("COTAN_JIT"), best_instructions()), find_second_cache()};
  return found;
}

bool runs_here(const TargetMachine& target) { return target.instructions <= this_machine().instructions; }

}  // namespace cotan
