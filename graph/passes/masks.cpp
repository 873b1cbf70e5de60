#include "graph/sums/masks.h"

#include "graph/builder.h"
#include "graph/passes/passes.h"
#include "graph/sums/folding.h"

namespace cotan::passes {
namespace {

// The map with the formula of its operand k, a map of the same shape, put into its own.
Ref with_operand_inside(const Node& map, std::span<const Ref> operands, std::size_t k) {
  const Node& inner = *operands[k].node();
  std::vector<Ref> all;
  std::vector<DType> types;
  for (const Edge& e : inner.operands()) all.emplace_back(e);
  all.insert(all.end(), operands.begin(), operands.end());
  for (const Ref& r : all) types.push_back(r.dtype());
  const FormulaRef both = make_formula(
      types,
      [&](std::span<const Ex> given) {
        std::vector<Ex> own(given.begin() + static_cast<std::ptrdiff_t>(inner.operand_count), given.end());
        own[k] = inlined(inner.formula(), given.first(inner.operand_count));
        return inlined(map.formula(), own);
      },
      map.dtype);
  return graph::map(both, all, map.shape);
}

}  // namespace

Function masks(const Function& function, PassContext& context) {
  if (!sums::has_sums(function)) return function;
  sums::Uses uses(function);
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    uses.carry(*node.node(), operands);
    if (node->kind == Kind::sum && uses.read_by_maps(node)) {
      const auto made = sums::as_mask(sums::opened(*node.node(), operands));
      return made ? std::vector{*made} : std::vector<Ref>{};
    }
    if (node->kind != Kind::map) return {};
    // One mask with a single reader is part of that: no kernel of its own, fused or not.
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const bool is_mask = node->operands()[k].node->kind == Kind::sum && operands[k]->kind == Kind::map;
      if (!is_mask || !uses.single(operands[k])) continue;
      const Ref made = with_operand_inside(*node.node(), operands, k);
      context.positions.replaced(*node->operands()[k].node, made);
      return {made};
    }
    return {};
  });
}

}  // namespace cotan::passes
