#include <cmath>

#include "graph/passes/passes.h"
#include "graph/sums/compose.h"
#include "graph/sums/folding.h"

namespace cotan::passes {
namespace {

using sums::OpenSum;
using sums::Standing;

constexpr int most_rounds = 8;

// The value of a map without operands that is one number.
std::optional<double> constant_of(const Ref& r) {
  if (r->kind != Kind::map || r->operand_count != 0 || r->formula().nodes.size() != 1) return std::nullopt;
  return r->formula().nodes[0].literal;
}

// c, where the node is a map c * x or -x of one operand.
std::optional<double> scale_of(const Node& n) {
  if (n.kind != Kind::map || n.operand_count != 1) return std::nullopt;
  const std::vector<FormulaNode>& nodes = n.formula().nodes;
  const FormulaNode& top = nodes.back();
  auto is = [&](int i, Atom atom) { return nodes[static_cast<std::size_t>(i)].atom == atom; };
  if (top.atom == Atom::neg && is(top.a, Atom::operand)) return -1;
  if (top.atom != Atom::mul) return std::nullopt;
  if (is(top.a, Atom::operand) && is(top.b, Atom::constant)) return nodes[static_cast<std::size_t>(top.b)].literal;
  if (is(top.b, Atom::operand) && is(top.a, Atom::constant)) return nodes[static_cast<std::size_t>(top.a)].literal;
  return std::nullopt;
}

// Whether the coefficient can take c in: 0 * x stays, since x may be infinite.
bool takes(const OpenSum& sum, double c) { return c != 0 && std::isfinite(c) && sums::may_multiply(sum.spec.coefficient, c, sum.type.dtype); }

// Something is summed, and by a loop, which scales at no cost.
bool takes_scales(const OpenSum& sum) {
  return is_computed(sum.type.dtype) && !is_injective(sum.spec.output, sum.spec.domain) && sums::standing_of(sum).kind != Standing::contraction;
}

// The first factor that is a constant goes into the coefficient; what it says of the range stays as guards. A type for storage has no sum without a factor.
bool take_constant(OpenSum& sum) {
  if (!is_computed(sum.type.dtype)) return false;
  for (std::size_t k = 0; k < sum.factors.size(); ++k) {
    const auto c = constant_of(sum.factors[k]);
    if (!c || !takes(sum, *c) || !(sum.factors.size() == 1 || sums::scales_terms_as_sum(sum, *c))) continue;
    const Access access = sum.spec.factors[k];
    for (std::size_t d = 0; d < access.size(); ++d) sum.spec.guards.push_back({access[d], sum.factors[k].shape()[d]});
    sum.spec.coefficient *= *c;
    sum.factors.erase(sum.factors.begin() + static_cast<std::ptrdiff_t>(k));
    sum.spec.factors.erase(sum.spec.factors.begin() + static_cast<std::ptrdiff_t>(k));
    return true;
  }
  return false;
}

// The sum with its only factor c * x replaced by x, and that in turn by what x is the sum of, where then one term at most reaches each entry: the sum of a
// scatter. What the scatter leaves at 0 is -0 behind a negative c, which adds nothing.
std::optional<OpenSum> through_scale(const OpenSum& sum) {
  if (sum.factors.size() != 1) return std::nullopt;
  const Ref x = sum.factors[0]->operand(0);
  if (x->kind != Kind::sum) return std::nullopt;
  OpenSum reader = sum;
  reader.factors[0] = x;
  const OpenSum inner = sums::opened(*x.node());
  auto made = sums::composed(reader, 0, inner);
  if (!made || !is_injective(made->spec.output, made->spec.domain) || !sums::pays(*made, reader, inner, false)) return std::nullopt;
  return made;
}

// The first factor that is c * x becomes x.
bool take_scale(OpenSum& sum) {
  if (!takes_scales(sum)) return false;
  for (Ref& factor : sum.factors) {
    const auto c = scale_of(*factor.node());
    if (!c || !takes(sum, *c)) continue;
    if (sums::scales_terms_as_sum(sum, *c)) {
      factor = factor->operand(0);
    } else if (auto made = through_scale(sum)) {
      sum = *std::move(made);
    } else {
      continue;
    }
    sum.spec.coefficient *= *c;
    return true;
  }
  return false;
}

Ref merged(const Ref& node, std::span<const Ref> operands, const sums::Uses& uses) {
  OpenSum sum = sums::opened(*node.node(), operands);
  bool changed = false;
  for (int round = 0; round < most_rounds; ++round) {
    bool more = take_constant(sum) || take_scale(sum);
    if (!more) {
      auto made = sums::folded(sum, sums::Fold::everything, uses);
      if (!made) break;
      sum = *std::move(made);
      more = true;
    }
    changed = changed || more;
  }
  if (!changed) {
    const Standing before = sums::standing_of(sum);
    OpenSum tidied = sum;
    if (sums::tidy(tidied) && !sums::standing_of(tidied).keeps(before)) return {};
  }
  return sums::closed(std::move(sum));
}

}  // namespace

Function merge_sums(const Function& function, PassContext& context) {
  if (!sums::has_sums(function)) return function;
  sums::Uses uses(function);
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    uses.carry(*node.node(), operands);
    if (node->kind == Kind::sum) {
      const Ref made = merged(node, operands, uses);
      return made ? std::vector{made} : std::vector<Ref>{};
    }
    // c * (a sum that is read here only)
    const auto c = scale_of(*node.node());
    if (!c || operands[0]->kind != Kind::sum || !uses.single(operands[0])) return {};
    OpenSum sum = sums::opened(*operands[0].node());
    if (!takes_scales(sum) || !takes(sum, *c)) return {};
    if (*c < 0 && is_floating(sum.type.dtype) && !sums::reaches_every_entry(sum)) return {};  // what nothing reaches is 0, never -0
    sum.spec.coefficient *= *c;
    return {sums::closed(std::move(sum))};
  });
}

}  // namespace cotan::passes
