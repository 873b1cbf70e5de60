#include "graph/passes/explain.h"

#include "graph/fusion/fusion.h"

namespace cotan {

Explained explain(const Function& function, std::span<Node* const> order, const CompileOptions& options) {
  Explained out;
  Positions positions(order);
  Claims claims(options.backends);
  PassContext context{options, positions, claims};
  out.function = run_passes(function, context, out.passes);
  Groups groups(out.function, context);
  run_fusions(groups, out.passes);
  for (const Node* n : topological(out.function.results)) {
    const auto of = positions.of(n);
    out.positions.emplace_back(of.begin(), of.end());
  }
  for (const Group& g : groups.all()) {
    if (g.nodes.empty()) continue;
    ExplainedGroup group;
    group.fused = !g.fusion.empty();
    group.name = group.fused ? std::string(g.fusion) : g.backend == nullptr ? "" : std::string(g.backend->name());
    for (const Ref& n : g.nodes) group.members.push_back(n.node());
    out.groups.push_back(std::move(group));
  }
  return out;
}

}  // namespace cotan
