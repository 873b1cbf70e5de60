#include "backends/loops/jit/generator.h"

#if defined(__x86_64__)
#include "backends/loops/jit/emitter.h"
#endif
#include "ops/error.h"

namespace cotan::loops::jit {

#if defined(__x86_64__)

Generated generate(const Program& program) {
  const Plan plan = make_plan(program);
  Generated made;
  made.copies = plan.copies;
  made.spills = plan.spills;
  made.lanes = program.instruction_set() == InstructionSet::avx512 ? 16 : 8;
  const std::size_t steps = plan.call.size() + plan.row.size() + plan.main.size() + plan.rest.size();
  for (std::size_t bytes = 4096 + 48 * steps;; bytes *= 2) {
    // Aligned as the pages are that the code will be copied to.
    std::vector<std::uint8_t> memory(bytes + 63);
    std::uint8_t* first = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
    try {
      Emitter emitter(program, plan, program.instruction_set() == InstructionSet::avx512, bytes, first);
      emitter.emit();
      made.bytes.assign(first, first + emitter.getSize());
      return made;
    } catch (const Xbyak::Error& e) {
      if (int(e) != Xbyak::ERR_CODE_IS_TOO_BIG || bytes > std::size_t{1} << 26) throw InternalError(std::string("generated code: ") + e.what());
    }
  }
}

#else

Generated generate(const Program&) { throw InternalError("generated code for a processor that has none"); }

#endif

}  // namespace cotan::loops::jit
