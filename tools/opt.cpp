#include <fmt/format.h>

#include "graph/passes/explain.h"
#include "graph/text/print.h"
#include "graph/text/text.h"
#include "graph/threads.h"
#include "tools/commands.h"
#include "tools/input.h"

namespace cotan::tools {
namespace {

// As compile_program takes it: leaves whose values come with each run are parameters, random ones too.
Function with_random_parameters(const Function& f, std::span<Node* const> order) {
  Function closed = f;
  for (Node* n : order)
    if (n->kind == Kind::leaf && n->as<LeafSpec>().role == LeafRole::random) closed.parameters.emplace_back(n);
  return closed;
}

}  // namespace

void opt(const OptOptions& options) {
  const Function f = read_function(options.file);
  CompileOptions compile;
  compile.threads = threads();
  {
    const CallSite site("--passes", SourceLine{});
    compile.passes = PassSwitches(options.passes);
  }
  const std::vector<Node*> order = topological(f.results);
  const Explained after = explain(f, order, compile);
  fmt::print("{}", to_text(after.function));

  const text_form::Names names(after.function);
  for (const ExplainedGroup& g : after.groups) {
    if (!g.fused && !options.explain) continue;
    std::string members;
    for (Node* n : g.members) members += fmt::format(" {}", names.of({n, 0}));
    fmt::print("# {}:{}\n", g.name, members);
  }
  if (!options.explain) return;
  for (const PassRecord& p : after.passes) fmt::print("# pass {}: {}, {:.0f} us\n", p.name, p.changed ? "changed the graph" : "nothing to do", p.seconds * 1e6);
  const text_form::Names before(f);
  const auto program = compile_program(with_random_parameters(f, order), order, compile);
  for (const MissReport& m : program->report().misses)
    fmt::print("# miss {} at {}: {}: {}\n", m.what, before.of({order[static_cast<std::size_t>(m.node)], 0}), name_of(m.reason.code), m.reason.detail);
  for (const KernelReport& k : program->report().kernels)
    fmt::print("# kernel {}: phase {}, {} chunks, {:.0f} flops, {:.0f} bytes\n", k.name, k.phase, k.chunks, k.flops, k.bytes);
}

}  // namespace cotan::tools
