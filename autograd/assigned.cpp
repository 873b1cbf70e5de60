// Reads of variables whose assignments are pending, replaced by what is assigned.
#include <unordered_map>

#include "autograd/tape.h"
#include "graph/builder.h"

namespace cotan {
namespace {

class Substitution {
 public:
  void replace(const Ref& leaf, const Ref& by) { to_.insert_or_assign(leaf.edge(), by); }

  // The node with what it reads replaced. Nodes that are met keep their images, so that all roots together cost one walk.
  Ref operator()(const Ref& root) {
    const Ref roots[] = {root};
    for (Node* n : topological(roots, [&](const Node& m) { return to_.contains({const_cast<Node*>(&m), 0}); })) {
      if (to_.contains({n, 0})) continue;
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

 private:
  static std::vector<Ref> rebuilt(const Node& n, std::span<const Ref> operands) {
    std::vector<Ref> made = graph::rebuild(n, operands);
    NodeTable& table = NodeTable::current();
    for (const Origin& origin : table.origins_of(n)) table.add_origin(*made[0].node(), origin);
    return made;
  }

  std::unordered_map<Edge, Ref, RefHash> to_;
};

}  // namespace

std::vector<Ref> with_assigned_values(const Tape& tape, std::span<const Ref> roots) {
  bool any = false;
  for (const Tape::Assignment& a : tape.pending) any |= static_cast<bool>(a.leaf);
  if (!any) return {roots.begin(), roots.end()};
  Substitution substitution;
  for (const Tape::Assignment& a : tape.pending)  // an assigned value reads only what was assigned before it
    if (a.leaf) substitution.replace(a.leaf, substitution(a.next));
  std::vector<Ref> result;
  for (const Ref& r : roots) result.push_back(substitution(r));
  return result;
}

}  // namespace cotan
