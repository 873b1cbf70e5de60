// What recorded nodes depend on along the ways that a gradient would take. Internal to autograd.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "autograd/tape.h"
#include "graph/node.h"

namespace cotan {

// A gradient flows through floating results, but not through stop_gradient; it ends at variables, at marked tensors and at other data.
class Dependence {
 public:
  // `order` has operands before readers.
  Dependence(Tape& tape, std::vector<Node*> order);

  // Whether a gradient by something could be asked of the node: it depends on a variable, or on a tensor that was marked.
  [[nodiscard]] bool has_history(const Node* node) const { return (flags_of(node) & history) != 0; }
  // Whether it reads a version of a variable that the pending assignments overwrite, by whatever way.
  [[nodiscard]] bool reads_overwritten(const Node* node) const { return (flags_of(node) & overwritten) != 0; }
  // For each of `nodes`: why and whence it would have got gradients, once it is computed at `line` and its history forgotten.
  [[nodiscard]] std::vector<std::shared_ptr<const Forgotten>> forgotten(std::span<const Node* const> nodes, const SourceLine& line) const;

 private:
  enum : unsigned char { history = 1, overwritten = 2, carries = 4 };
  [[nodiscard]] unsigned char flags_of(const Node* node) const {
    auto found = at_.find(node);
    return found != at_.end() ? flags_[found->second] : 0;
  }

  Tape& tape_;
  std::vector<Node*> order_;
  std::unordered_map<const Node*, std::size_t> at_;
  std::vector<unsigned char> flags_;
};

}  // namespace cotan
