#include <algorithm>
#include <unordered_set>

#include "graph/builder.h"
#include "graph/passes/pass.h"

namespace cotan {

Positions::Positions(std::span<Node* const> recorded) {
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    std::vector<int>& of = of_[recorded[i]];
    if (of.empty()) kept_.emplace_back(recorded[i]);
    of.push_back(static_cast<int>(i));
  }
}

std::span<const int> Positions::of(const Node* node) const {
  const auto found = of_.find(node);
  return found == of_.end() ? std::span<const int>() : std::span<const int>(found->second);
}

void Positions::add(const Ref& made, std::span<const int> positions) {
  std::vector<int>& of = of_[made.node()];
  if (of.empty()) kept_.push_back(made);
  if (of.empty() || positions.empty() || of.back() < positions.front()) {  // as a walk in order finds them: a long chain may end up in one node
    of.insert(of.end(), positions.begin(), positions.end());
    return;
  }
  std::vector<int> all;
  std::set_union(of.begin(), of.end(), positions.begin(), positions.end(), std::back_inserter(all));
  of = std::move(all);
}

void Positions::replaced(const Node& from, const Ref& made) {
  const std::vector<int> positions(of(&from).begin(), of(&from).end());
  const Ref roots[] = {made};
  const std::vector<Node*> fresh = topological(roots, [&](const Node& n) { return of_.contains(&n); });
  for (Node* n : fresh)
    if (!of_.contains(n) || n == made.node()) add(Ref(n), positions);
}

Function transform(const Function& function, PassContext& context,
                   const std::function<std::vector<Ref>(const Ref& node, std::span<const Ref> operands)>& replace) {
  std::unordered_map<Edge, Ref, RefHash> to;
  std::unordered_set<const Node*> given;  // parameters, which may be results of nodes that are no business of this function
  for (const Ref& p : function.parameters) {
    to.emplace(p.edge(), p);
    given.insert(p.node());
  }
  std::vector<Ref> operands;
  for (Node* n : topological(function.results, [&](const Node& n) { return given.contains(&n); })) {
    if (given.contains(n)) continue;
    operands.clear();
    bool same = true;
    for (const Edge& e : n->operands()) {
      operands.push_back(to.at(e));
      same &= operands.back().edge() == e;
    }
    std::vector<Ref> made = replace(Ref(n), operands);
    if (made.empty() && !same) made = graph::rebuild(*n, operands);
    if (made.empty())
      for (std::uint32_t r = 0; r < n->result_count(); ++r) made.emplace_back(n, r);
    for (std::uint32_t r = 0; r < made.size(); ++r) {
      if (made[r].node() != n) context.positions.replaced(*n, made[r]);
      to.emplace(Edge{n, r}, made[r]);
    }
  }
  Function out{function.name, function.parameters, {}, function.result_names};
  for (const Ref& r : function.results) out.results.push_back(to.at(r.edge()));
  return out;
}

}  // namespace cotan
