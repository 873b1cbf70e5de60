#include "autograd/execution.h"

#include <fmt/format.h>

#include <atomic>
#include <new>

#include "graph/threads.h"
#include "ops/environment.h"
#include "ops/error.h"
#include "ops/memory.h"

namespace cotan {

SourceLine line_of(const Node& node) {
  const std::vector<Origin> origins = node.table->origins_of(node);
  return origins.empty() ? SourceLine{} : origins[0].line;
}

PassSwitches with_switches(const PassSwitches& before, const PassSwitches& further) {
  if (further == PassSwitches()) return before;
  return PassSwitches(fmt::format("{},{}", before.text(), further.text()));
}

namespace {

std::atomic<bool>& reproducible_flag() {
  static std::atomic<bool> flag = environment_switch("COTAN_REPRODUCIBLE");
  return flag;
}

}  // namespace

void set_reproducible(bool on) { reproducible_flag() = on; }
bool is_reproducible() { return reproducible_flag(); }

CompileOptions compile_options(const ExecutionOptions& options) {
  CompileOptions made;
  made.mode = options.mode;
  made.threads = threads();
  made.passes = options.passes;
  made.backends.reproducible = options.reproducible || is_reproducible();
  return made;
}

std::vector<StorageRef> run_program(const Program& program, std::span<const InputValue> inputs, const LineOf& line_of, const SourceLine& where,
                                    RunObserver* observer) {
  try {
    return program.run(inputs, observer);
  } catch (const CheckFailed& failed) {
    const SourceLine line = line_of(failed.node);
    const auto [problem, remedy] = failed.error();
    throw Error(std::string(CallSite::current_function()), problem, remedy, line.line == 0 ? where : line);
  } catch (const std::bad_alloc&) {
    no_memory("a graph was run");
  } catch (const Error& e) {  // from the reference, which knows no lines
    throw Error(std::string(CallSite::current_function()), e.problem(), e.remedy(), where);
  }
}

void describe(EvaluationReport& report, const ProgramReport& program, const LineOf& line_of) {
  for (const KernelReport& k : program.kernels) {
    EvaluationReport::Kernel kernel{k.name, {}, k.phase, k.chunks, k.flops, k.bytes};
    for (int n : k.nodes) kernel.lines.push_back(line_of(n));
    report.kernels.push_back(std::move(kernel));
  }
  for (const MissReport& m : program.misses) report.misses.push_back({m.what, line_of(m.node), m.reason});
}

}  // namespace cotan
