#include "graph/rewrite/live.h"

#include "ops/error.h"

namespace cotan::rewrite {

LiveGraph::LiveGraph(const Function& function, std::size_t expected) {
  states_.reserve(expected);
  for (const Ref& r : function.results) add_readers(r.node(), 1);
}

int LiveGraph::readers(const Node* node) const {
  const auto found = states_.find(node);
  return found == states_.end() ? 0 : found->second.readers;
}

Node* LiveGraph::current(Node* node) {
  while (true) {
    const auto found = states_.find(node);
    if (found == states_.end() || !found->second.forward) return node;
    node = found->second.forward.node();
  }
}

void LiveGraph::add_readers(Node* first, int first_count) {
  std::vector<std::pair<Node*, int>> work{{first, first_count}};
  while (!work.empty()) {
    const auto [given, count] = work.back();
    work.pop_back();
    Node* node = current(given);
    State& s = states_[node];
    const bool fresh = s.readers == 0;
    s.readers += count;
    if (!fresh) continue;
    total_ += measure_of(*node);
    for (const Edge& e : node->operands()) work.emplace_back(e.node, 1);
  }
}

void LiveGraph::remove_readers(Node* first, int first_count) {
  std::vector<std::pair<Node*, int>> work{{first, first_count}};
  while (!work.empty()) {
    const auto [given, count] = work.back();
    work.pop_back();
    Node* node = current(given);
    State& s = states_[node];
    s.readers -= count;
    if (s.readers < 0) throw InternalError("a node lost more readers than it had");
    if (s.readers > 0) continue;
    total_ -= measure_of(*node);
    for (const Edge& e : node->operands()) work.emplace_back(e.node, 1);
  }
}

void LiveGraph::replace(const Ref& from, const Ref& to) {
  const int count = readers(from.node());
  if (count == 0 || current(to.node()) == from.node()) return;
  add_readers(to.node(), count);
  remove_readers(from.node(), count);
  states_[from.node()].forward = to;
}

bool LiveGraph::replace_if_lower(const Ref& from, const Ref& to) {
  const int count = readers(from.node());
  const Measure before = total_;
  add_readers(to.node(), count);
  remove_readers(from.node(), count);
  if (total_ < before) {
    states_[from.node()].forward = to;
    return true;
  }
  add_readers(from.node(), count);
  remove_readers(to.node(), count);
  return false;
}

}  // namespace cotan::rewrite
