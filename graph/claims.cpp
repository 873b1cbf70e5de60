#include "graph/claims.h"

namespace cotan {

const Match& Claims::match(const Ref& node, std::size_t backend) {
  Answers& answers = answers_[node.node()];
  answers.node = node;
  while (answers.matches.size() <= backend) answers.matches.push_back(backends()[answers.matches.size()]->match(node, options_));
  return answers.matches[backend];
}

const Claim* Claims::first(const Ref& node) {
  for (std::size_t b = 0; b < backends().size(); ++b)
    if (const auto* claim = std::get_if<Claim>(&match(node, b))) return claim;
  return nullptr;
}

}  // namespace cotan
