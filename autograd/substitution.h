// Results of a recorded graph replaced by others, everything between rebuilt under the lines that recorded it. Internal to autograd.
#pragma once

#include <unordered_map>

#include "graph/node.h"

namespace cotan {

class Substitution {
 public:
  void replace(const Ref& leaf, const Ref& by) { to_.insert_or_assign(leaf.edge(), by); }

  // The result with what it reads replaced. Nodes that are met keep their images, so that all roots together cost one walk. Never recurses.
  [[nodiscard]] Ref operator()(const Ref& root);

 private:
  std::unordered_map<Edge, Ref, RefHash> to_;
};

}  // namespace cotan
