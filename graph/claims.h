// What the backends answer for the nodes of one compilation, each asked once.
#pragma once

#include <unordered_map>
#include <vector>

#include "graph/backend.h"

namespace cotan {

// Keeps the nodes that it was asked about.
class Claims {
 public:
  explicit Claims(const BackendOptions& options) : options_(options) {}

  // The answer of backends()[backend].
  [[nodiscard]] const Match& match(const Ref& node, std::size_t backend);
  // The first claim, or null.
  [[nodiscard]] const Claim* first(const Ref& node);

 private:
  struct Answers {
    Ref node;  // kept, so that its address stays its own
    std::vector<Match> matches;
  };
  BackendOptions options_;
  std::unordered_map<const Node*, Answers> answers_;
};

}  // namespace cotan
