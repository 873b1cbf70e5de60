// Implementation of topological(); included by node.h.
#include <unordered_set>

namespace cotan {

template <class Stop>
std::vector<Node*> topological(std::span<const Ref> roots, Stop&& stop) {
  std::vector<Node*> order;
  std::unordered_set<const Node*> seen;
  std::vector<std::pair<Node*, std::size_t>> stack;
  auto visit = [&](Node* n) {
    if (seen.insert(n).second) stack.emplace_back(n, stop(*n) ? n->operand_count : 0);
  };
  for (const Ref& root : roots) {
    visit(root.node());
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next < node->operand_count) {
        visit(node->operands()[next++].node);
      } else {
        order.push_back(node);
        stack.pop_back();
      }
    }
  }
  return order;
}

inline std::vector<Node*> topological(std::span<const Ref> roots) {
  return topological(roots, [](const Node&) { return false; });
}

}  // namespace cotan
