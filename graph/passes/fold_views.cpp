#include "graph/passes/passes.h"
#include "graph/sums/folding.h"

namespace cotan::passes {

Function fold_views(const Function& function, PassContext& context) {
  if (!sums::has_sums(function)) return function;
  sums::Uses uses(function);
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    uses.carry(*node.node(), operands);
    if (node->kind != Kind::sum) return {};
    auto made = sums::folded(sums::opened(*node.node(), operands), sums::Fold::views, uses);
    if (!made) return {};
    return {sums::closed(*std::move(made))};
  });
}

}  // namespace cotan::passes
