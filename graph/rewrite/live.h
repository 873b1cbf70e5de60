// The graph while it is rewritten: who reads what, and what it all costs.
//
// Nodes never change; replacing one moves its readers, in this book only, to what stands for it. A node without readers is dead, and its operands lose a reader
// each. The total measure follows, so that it is known at once what a replacement would bring.
#pragma once

#include <unordered_map>
#include <vector>

#include "graph/rewrite/measure.h"

namespace cotan::rewrite {

class LiveGraph {
 public:
  // `expected`: about how many nodes it will know. Whoever asks keeps the nodes that are in use.
  explicit LiveGraph(const Function& function, std::size_t expected = 0);

  // How many readers the node has; results of the function count.
  [[nodiscard]] int readers(const Node* node) const;
  [[nodiscard]] const Measure& total() const { return total_; }
  // Readers of `from` read `to` from now on, whose nodes are counted in; what nobody reads any more is counted out.
  void replace(const Ref& from, const Ref& to);
  // The same, and back again where the measure did not fall: whether it did.
  [[nodiscard]] bool replace_if_lower(const Ref& from, const Ref& to);

 private:
  struct State {
    Ref forward;
    int readers = 0;
  };
  Node* current(Node* node);
  void add_readers(Node* node, int count);
  void remove_readers(Node* node, int count);

  std::unordered_map<const Node*, State> states_;
  Measure total_;
};

}  // namespace cotan::rewrite
