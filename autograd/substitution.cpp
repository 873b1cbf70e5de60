#include "autograd/substitution.h"

#include "graph/builder.h"

namespace cotan {
namespace {

std::vector<Ref> rebuilt(const Node& n, std::span<const Ref> operands) {
  std::vector<Ref> made = graph::rebuild(n, operands);
  NodeTable& table = NodeTable::current();
  for (const Origin& origin : table.origins_of(n)) table.add_origin(*made[0].node(), origin);
  return made;
}

}  // namespace

Ref Substitution::operator()(const Ref& root) {
  const Ref roots[] = {root};
  auto replaced = [&](const Node& n) {  // all results are known
    for (std::uint32_t r = 0; r < n.result_count(); ++r)
      if (!to_.contains({const_cast<Node*>(&n), r})) return false;
    return true;
  };
  for (Node* n : topological(roots, replaced)) {
    if (replaced(*n)) continue;
    std::vector<Ref> operands;
    bool same = true;
    for (const Edge& e : n->operands()) {
      operands.push_back(to_.at(e));
      same &= operands.back().edge() == e;
    }
    std::vector<Ref> made;
    if (same)
      for (std::uint32_t r = 0; r < n->result_count(); ++r) made.emplace_back(n, r);
    else
      made = rebuilt(*n, operands);
    for (std::uint32_t r = 0; r < made.size(); ++r) to_.try_emplace(Edge{n, r}, made[r]);
  }
  return to_.at(root.edge());
}

}  // namespace cotan
