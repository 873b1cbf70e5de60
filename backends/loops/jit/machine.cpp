#include "backends/loops/jit/machine.h"

#include <fmt/format.h>


#include "ops/environment.h"

#if defined(__x86_64__)
#include <xbyak/xbyak_util.h>
#endif

namespace cotan::loops::jit {

std::string_view name_of(Machine machine) {
  switch (machine) {
    case Machine::none: return "none";
    case Machine::avx2: return "avx2";
    case Machine::avx512: return "avx512";
  }
  return "none";
}

Machine best_machine() {
#if defined(__x86_64__)
  using Xbyak::util::Cpu;
  static const Cpu cpu;
  const bool avx2 = cpu.has(Cpu::tAVX2) && cpu.has(Cpu::tFMA);
  if (avx2 && cpu.has(Cpu::tAVX512F) && cpu.has(Cpu::tAVX512BW) && cpu.has(Cpu::tAVX512DQ) && cpu.has(Cpu::tAVX512VL) && cpu.has(Cpu::tBMI2))
    return Machine::avx512;
  if (avx2) return Machine::avx2;
#endif
  return Machine::none;
}

Machine machine_of(std::string_view setting, Machine best) {
  if (setting.empty()) return best;
  if (setting == "0") return Machine::none;
  Machine named = Machine::none;
  if (setting == "avx2") named = Machine::avx2;
  if (setting == "avx512") named = Machine::avx512;
  if (named == Machine::none || named > best)
    refuse_environment("COTAN_JIT", std::string(setting), fmt::format("0, avx2 or avx512, as far as the processor has them (its best is {})", name_of(best)));
  return named;
}

Machine machine() {
  static const Machine chosen = machine_of(environment("COTAN_JIT"), best_machine());
  return chosen;
}

}  // namespace cotan::loops::jit
