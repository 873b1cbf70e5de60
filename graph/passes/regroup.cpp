#include "graph/passes/passes.h"
#include "graph/sums/folding.h"
#include "graph/sums/groups.h"

namespace cotan::passes {

Function regroup(const Function& function, PassContext& context) {
  if (!sums::has_sums(function)) return function;
  return transform(function, context, [](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    if (node->kind != Kind::sum) return {};
    const auto made = sums::regrouped(sums::opened(*node.node(), operands));
    return made ? std::vector{*made} : std::vector<Ref>{};
  });
}

}  // namespace cotan::passes
