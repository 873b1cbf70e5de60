// An order of nodes in which other things than operands come first, too.
#pragma once

#include <unordered_set>
#include <vector>

#include "graph/node.h"

namespace cotan {

// The nodes that `roots` need, each behind what has to come before it: `count(node)` says how many those are, `before(node, k)` which. Nothing may, by whatever
// way, come before itself. Never recurses.
template <class Count, class Before>
[[nodiscard]] std::vector<Node*> in_order(std::span<const Ref> roots, Count&& count, Before&& before) {
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

}  // namespace cotan
