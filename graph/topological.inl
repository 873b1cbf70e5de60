// Implementation of topological() and in_order(); included by node.h.
#include <unordered_set>

namespace cotan {

template <class Count, class Before>
std::vector<Node*> in_order(std::span<const Ref> roots, Count&& count, Before&& before) {
  struct Entered {
    Node* node;
    std::size_t next, count;
  };
  std::vector<Node*> order;
  std::unordered_set<const Node*> seen;
  std::vector<Entered> stack;
  auto visit = [&](Node* n) {
    if (seen.insert(n).second) stack.push_back({n, 0, count(*n)});
  };
  for (const Ref& root : roots) {
    visit(root.node());
    while (!stack.empty()) {
      Entered& here = stack.back();
      if (here.next < here.count) {
        visit(before(*here.node, here.next++));
      } else {
        order.push_back(here.node);
        stack.pop_back();
      }
    }
  }
  return order;
}

template <class Stop>
std::vector<Node*> topological(std::span<const Ref> roots, Stop&& stop) {
  return in_order(
      roots, [&](const Node& n) { return stop(n) ? std::size_t{0} : std::size_t{n.operand_count}; },
      [](const Node& n, std::size_t k) { return n.operands()[k].node; });
}

inline std::vector<Node*> topological(std::span<const Ref> roots) {
  return topological(roots, [](const Node&) { return false; });
}

}  // namespace cotan
