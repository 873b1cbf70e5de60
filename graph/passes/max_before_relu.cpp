// relu behind a maximum over windows, in place of before it.
//
// relu grows with its argument, so relu of the largest entry is the largest relu; and where that is 0 no gradient passes, whichever entry was the largest. Both
// ways give the same values and gradients, entry by entry, NaN included; behind the maximum there are fewer entries, and relu's result need not be kept for
// the gradient.
#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "graph/builder.h"
#include "graph/passes/passes.h"
#include "graph/recognise.h"

namespace cotan::passes {
namespace {

bool is_relu(const Node& n) { return n.kind == Kind::map && n.operand_count == 1 && n.formula().row == "relu"; }

// Where the map is where(y <= 0, 0, g), y the operand of that number: the number of g.
std::optional<std::size_t> masked(const Node& map, const Edge& y) {
  if (map.kind != Kind::map || map.operand_count != 2) return std::nullopt;
  const Formula& f = map.formula();
  const auto at = [&](int n) -> const FormulaNode& { return f.nodes[static_cast<std::size_t>(n)]; };
  const auto is_zero = [&](int n) { return at(n).atom == Atom::constant && at(n).literal == 0; };
  const FormulaNode& last = f.nodes.back();
  if (last.atom != Atom::where || !is_zero(last.b) || at(last.c).atom != Atom::operand) return std::nullopt;
  const FormulaNode& question = at(last.a);
  if (question.atom != Atom::le || !is_zero(question.b) || at(question.a).atom != Atom::operand) return std::nullopt;
  const auto g = static_cast<std::size_t>(at(last.c).a), asked = static_cast<std::size_t>(at(question.a).a);
  if (g == asked || map.operands()[asked] != y) return std::nullopt;
  return g;
}

// The gradient of a maximum of y's windows that the map masks by y.
struct MaskedGradient {
  std::size_t g;  // the map's operand that is the gradient
  ExtremeGradient of;
};

std::optional<MaskedGradient> masked_gradient(const Node& map, const Edge& y) {
  const auto g = masked(map, y);
  if (!g || map.operands()[*g].node->kind != Kind::sum) return std::nullopt;
  auto of = as_max_gradient(*map.operands()[*g].node);
  if (!of || of->x.edge() != y) return std::nullopt;
  return MaskedGradient{*g, *std::move(of)};
}

// A maximum over windows that each hold an entry: the largest of none is -inf, and relu behind it would make that 0.
bool is_maximum(const Node& n) {
  if (n.kind != Kind::reduce) return false;
  const auto& spec = n.as<ReduceSpec>();
  const Shape& x = n.operand(0).shape();
  return (spec.reduction == Reduction::max || spec.reduction == Reduction::argmax) && n.shape.elements() < x.elements() && every_window_meets(spec, x);
}

// Who reads what, and what the caller gets.
struct Uses {
  std::unordered_map<Edge, std::vector<const Node*>, RefHash> readers;
  std::unordered_set<const Node*> results;

  explicit Uses(const Function& function) {
    for (const Node* n : topological(function.results))
      for (const Edge& e : n->operands())
        if (readers[e].empty() || readers[e].back() != n) readers[e].push_back(n);
    for (const Ref& r : function.results) results.insert(r.node());
  }
  // The readers of a node's first result; a result of the function has none that can be known.
  [[nodiscard]] const std::vector<const Node*>* of(const Node& n) const {
    const auto found = readers.find(Edge{const_cast<Node*>(&n), 0});
    return found == readers.end() || results.contains(&n) ? nullptr : &found->second;
  }
};

// Whether the positions of the maxima of y are read for gradients alone that are masked by y: where y is 0, another entry may be the first of equals.
bool only_for_masked_gradients(const Node& argmax, const Edge& y, const Uses& uses) {
  const auto* sums = uses.of(argmax);
  return sums != nullptr && std::ranges::all_of(*sums, [&](const Node* sum) {
           const auto* masks = uses.of(*sum);
           return masks != nullptr && std::ranges::all_of(*masks, [&](const Node* mask) {
                    const auto gradient = masked_gradient(*mask, y);
                    return gradient && mask->operands()[gradient->g].node == sum;
                  });
         });
}

// Whether nothing but maxima and their masked gradients reads the relu.
bool moves(const Node& relu, const Uses& uses) {
  const Edge y{const_cast<Node*>(&relu), 0};
  const auto* readers = uses.of(relu);
  return readers != nullptr && std::ranges::all_of(*readers, [&](const Node* reader) {
           if (reader->kind != Kind::reduce) return masked_gradient(*reader, y).has_value();
           if (!is_maximum(*reader)) return false;
           return reader->as<ReduceSpec>().reduction == Reduction::max || only_for_masked_gradients(*reader, y, uses);
         });
}

}  // namespace

Function max_before_relu(const Function& function, PassContext& context) {
  std::unordered_set<const Node*> moved;
  const Uses uses(function);
  for (const Node* n : topological(function.results))
    if (is_relu(*n) && moves(*n, uses)) moved.insert(n);
  if (moved.empty()) return function;

  struct Maximum {
    ReduceSpec spec;
    Ref x, y;
  };
  std::vector<Maximum> maxima;
  const auto relu_of_maximum = [&](const ReduceSpec& spec, const Ref& x, const Ref& relu) {
    for (const Maximum& m : maxima)
      if (m.spec == spec && m.x == x) return m.y;
    const Ref maximum = graph::reduce(spec, x);
    const Ref operands[] = {maximum};
    maxima.push_back({spec, x, graph::map(relu->shared<Formula>(), operands, maximum.shape())});
    return maxima.back().y;
  };
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    for (std::size_t k = 0; k < operands.size(); ++k) {
      if (!moved.contains(node->operands()[k].node)) continue;
      const Ref relu = operands[k], x = relu->operand(0);
      if (node->kind == Kind::reduce) {
        const auto& spec = node->as<ReduceSpec>();
        return {spec.reduction == Reduction::max ? relu_of_maximum(spec, x, relu) : graph::reduce(spec, x)};
      }
      const auto gradient = masked_gradient(*node.node(), node->operands()[k]);
      if (!gradient) return {};
      const Ref scattered = operands[gradient->g];
      std::vector<Ref> inner(2);
      inner[gradient->g] = scattered->operand(0);
      inner[1 - gradient->g] = relu_of_maximum(gradient->of.max, x, relu);
      const Ref factors[] = {graph::map(node->shared<Formula>(), inner, inner[0].shape())};
      const Ref tables[] = {scattered->operand(1)};
      return {graph::sum(scattered->as<SumSpec>(), scattered.shape(), factors, tables)};
    }
    return {};
  });
}

}  // namespace cotan::passes
