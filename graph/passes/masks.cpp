#include "graph/sums/masks.h"

#include "graph/passes/passes.h"
#include "graph/sums/folding.h"

namespace cotan::passes {

Function masks(const Function& function, PassContext& context) {
  if (!sums::has_sums(function)) return function;
  const sums::Uses uses(function);
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    if (node->kind != Kind::sum || !uses.read_by_maps(node)) return {};
    const auto made = sums::as_mask(sums::opened(*node.node(), operands));
    return made ? std::vector{*made} : std::vector<Ref>{};
  });
}

}  // namespace cotan::passes
