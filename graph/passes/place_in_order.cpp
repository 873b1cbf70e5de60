// Sums of placed copies (graph/sums/placed.h) that are read in another order of their dimensions, as the gradient of a tensor that was cut into query, key and
// value. The terms are put into that order before they are added: they are copied anyway, and the copy of their sum is none any more.
#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "graph/builder.h"
#include "graph/passes/passes.h"
#include "graph/sums/folding.h"
#include "graph/sums/placed.h"

namespace cotan::passes {
namespace {

// A view that exchanges dimensions and reshapes: entry d of `order` says which of the operand's dimensions comes d-th in memory.
struct Reordering {
  std::vector<std::size_t> order;
  [[nodiscard]] bool changes() const { return !std::is_sorted(order.begin(), order.end()); }
};

// Whether a sum copies its factor so; every dimension of that has an index of its own.
std::optional<Reordering> reordering_of(const sums::OpenSum& sum) {
  const SumSpec& s = sum.spec;
  if (sum.factors.size() != 1 || !s.guards.empty() || s.coefficient != 1 || s.factors[0].size() != s.domain.size()) return std::nullopt;
  if (sum.type.shape.elements() == 0 || sum.type.shape.elements() != sum.factors[0].shape().elements()) return std::nullopt;
  // How far each index moves in the output's memory.
  std::vector<std::int64_t> steps(s.domain.size(), 0);
  const Shape strides = dense_strides(sum.type.shape);
  for (std::size_t d = 0; d < s.output.size(); ++d) {
    if (!s.output[d].affine() || s.output[d].constant != 0) return std::nullopt;
    for (const auto& term : s.output[d].terms) steps[static_cast<std::size_t>(term.index)] += term.coefficient * strides[d];
  }
  std::vector<std::size_t> dimension(s.domain.size(), s.domain.size());  // of each index
  for (std::size_t d = 0; d < s.factors[0].size(); ++d) {
    const IndexExpr& e = s.factors[0][d];
    if (!e.affine() || e.constant != 0 || e.terms.size() != 1 || e.terms[0].coefficient != 1) return std::nullopt;
    const auto i = static_cast<std::size_t>(e.terms[0].index);
    if (dimension[i] != s.domain.size() || s.domain[i] != sum.factors[0].shape()[d]) return std::nullopt;
    dimension[i] = d;
  }
  std::vector<std::size_t> indices(s.domain.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  std::stable_sort(indices.begin(), indices.end(), [&](std::size_t a, std::size_t b) { return steps[a] > steps[b]; });
  Reordering made;
  std::int64_t step = sum.type.shape.elements();
  for (std::size_t i : indices) {
    step /= s.domain[i];
    if (steps[i] != step) return std::nullopt;
    made.order.push_back(dimension[i]);
  }
  return made;
}

class Reorder {
 public:
  Reorder(const Reordering& to, const sums::Uses& uses) : to_(to), uses_(uses) {}

  // The addition on these operands, as a view of the sum of the same terms in the new order; null where there is no placed copy among them.
  Ref run(const Node& addition, std::span<const Ref> operands) {
    const Ref added = sum_of(addition, operands);
    if (!placed_) return {};
    SumSpec back;
    back.domain.assign(addition.shape.begin(), addition.shape.end());
    back.factors.emplace_back();
    for (std::size_t d = 0; d < to_.order.size(); ++d) {
      back.output.push_back(index_of(static_cast<int>(d)));
      back.factors[0].push_back(index_of(static_cast<int>(to_.order[d])));
    }
    return sums::closed({std::move(back), {added}, {}, {addition.dtype, addition.shape}});
  }

 private:
  Ref sum_of(const Node& addition, std::span<const Ref> terms) {
    std::vector<Ref> operands;
    for (const Ref& term : terms) operands.push_back(reordered(term));
    return graph::map(addition.shared<Formula>(), operands, reordered(addition.shape));
  }

  Ref reordered(const Ref& term) {
    if (uses_.single(term) && sums::is_addition(*term.node())) {
      std::vector<Ref> operands;
      for (const Edge& e : term->operands()) operands.emplace_back(e);
      return sum_of(*term.node(), operands);
    }
    if (uses_.single(term) && term->kind == Kind::sum) {
      sums::OpenSum copy = sums::opened(*term.node());
      if (sums::placed_of(copy)) {
        placed_ = true;
        const Access written = copy.spec.output;
        for (std::size_t d = 0; d < written.size(); ++d) copy.spec.output[d] = written[to_.order[d]];
        copy.type.shape = reordered(copy.type.shape);
        return sums::closed(std::move(copy));
      }
    }
    SumSpec view;
    view.domain.assign(term.shape().begin(), term.shape().end());
    view.factors.emplace_back();
    for (std::size_t d = 0; d < to_.order.size(); ++d) {
      view.factors[0].push_back(index_of(static_cast<int>(d)));
      view.output.push_back(index_of(static_cast<int>(to_.order[d])));
    }
    return sums::closed({std::move(view), {term}, {}, {term.dtype(), reordered(term.shape())}});
  }

  [[nodiscard]] Shape reordered(const Shape& shape) const {
    Shape made;
    for (std::size_t d : to_.order) made.push_back(shape[d]);
    return made;
  }

  const Reordering& to_;
  const sums::Uses& uses_;
  bool placed_ = false;
};

// The additions to be made in another order: those that sums alone read, one of which copies them in that order.
std::unordered_map<const Node*, Reordering> reorderings(const Function& function) {
  std::unordered_map<const Node*, Reordering> wanted;
  std::unordered_set<const Node*> kept;
  for (const Ref& r : function.results) kept.insert(r.node());
  for (const Node* n : topological(function.results)) {
    for (const Edge& e : n->operands())
      if (n->kind != Kind::sum) kept.insert(e.node);
    if (n->kind != Kind::sum || n->operand_count == 0 || !sums::is_addition(*n->operands()[0].node)) continue;
    auto order = reordering_of(sums::opened(*n));
    if (order && order->changes()) wanted.try_emplace(n->operands()[0].node, *std::move(order));
  }
  std::erase_if(wanted, [&](const auto& w) { return kept.contains(w.first); });
  return wanted;
}

}  // namespace

Function place_in_order(const Function& function, PassContext& context) {
  const auto wanted = sums::has_sums(function) ? reorderings(function) : std::unordered_map<const Node*, Reordering>();
  if (wanted.empty()) return function;
  sums::Uses uses(function);
  std::unordered_set<const Node*> turned;  // views of additions made in their new order, which every reader takes in
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    uses.carry(*node.node(), operands);
    if (const auto found = wanted.find(node.node()); found != wanted.end()) {
      const Ref made = Reorder(found->second, uses).run(*node.node(), operands);
      if (!made) return {};
      turned.insert(made.node());
      return {made};
    }
    if (node->kind != Kind::sum || std::none_of(operands.begin(), operands.end(), [&](const Ref& r) { return turned.contains(r.node()); })) return {};
    auto made = sums::folded(sums::opened(*node.node(), operands), sums::Fold::views, uses);
    return made ? std::vector{sums::closed(*std::move(made))} : std::vector<Ref>{};
  });
}

}  // namespace cotan::passes
