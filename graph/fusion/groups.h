// Groups: which nodes one step computes.
//
// At first every node that a backend claims is a group of its own; views, leaves and checks are in none, since they cost nothing or are the compiler's own.
// Fusions merge groups. What remains is lowered: one step a group, or, where the merged claim turns out not to fit the memory, its nodes one by one.
#pragma once

#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/passes/pass.h"

namespace cotan {

// Memory that a step makes beside its results for claims of this backend, in place of the node's own claim.
struct ExtraResult {
  Ref node;
  ResultType type;
  const Backend* backend = nullptr;
};

// Nodes that one step computes.
struct Group {
  std::vector<Ref> nodes;            // operands before readers
  Claim claim;                       // what the step reads and writes, and how its kernel is made
  const Backend* backend = nullptr;  // whose claim it is; null where a fusion made it of several
  std::string_view fusion;           // that made it; empty for a node's own claim
  std::vector<ExtraResult> extras;   // a fusion's: what the kernel writes behind the claim's results
};

// The partition of a function's nodes into groups.
class Groups {
 public:
  Groups(const Function& function, PassContext& context);

  [[nodiscard]] const Function& function() const { return function_; }
  [[nodiscard]] PassContext& context() const { return context_; }
  // All groups by number, in the order of their first nodes; those merged into others are empty.
  [[nodiscard]] const std::vector<Group>& all() const { return groups_; }
  [[nodiscard]] const Group& operator[](int group) const { return groups_[static_cast<std::size_t>(group)]; }
  // The group that computes a node, or -1: a leaf, a view, a check, or nothing that is needed.
  [[nodiscard]] int of(const Node* node) const;
  // The nodes that read a node, those only that are needed.
  [[nodiscard]] std::span<Node* const> readers(const Node* node) const;
  // Whether a result of the function is one of the node's.
  [[nodiscard]] bool is_result(const Node* node) const { return results_.contains(node); }
  // Why a value of several readers cannot stay inside the step of one of them: but for the gradient there would be one, or there are several anyway.
  [[nodiscard]] Reason needed_outside(const Node* node) const;
  // Whether anything but these groups reads the result (views that only they read do not count).
  [[nodiscard]] bool read_outside(const Ref& result, std::span<const int> groups) const;
  // Whether a claim wants the extra memory of the node's.
  [[nodiscard]] bool wants_extra(const Node* node) const { return wanted_.contains(node); }
  // Where the node stands in an order of all that is computed.
  [[nodiscard]] int order_of(const Node* node) const { return order_.at(node); }
  // Where the last node of the group stands.
  [[nodiscard]] int last_of(int group) const { return group_orders_[static_cast<std::size_t>(group)].back(); }
  // Where it stands in topological(results) of the function; -1 for one that is computed only because a claim wants its extra memory.
  [[nodiscard]] int place_of(const Node* node) const;

  // Whether one step could compute them: nothing outside both reads one of them and is read by another. `with_views`: a view may, the step looks itself.
  [[nodiscard]] bool can_merge(std::span<const int> groups, bool with_views = false) const;
  // Merges groups for which can_merge holds; the first one's number stays. The claim computes them all.
  void merge(std::span<const int> groups, Claim claim, std::string_view fusion, const Backend* backend = nullptr);
  // Another claim for a group.
  void reclaim(int group, Claim claim, std::string_view fusion, const Backend* backend = nullptr, std::vector<ExtraResult> extras = {});

  // Records why something at a node was not fused.
  void miss(std::string_view what, const Node* node, Reason reason);
  [[nodiscard]] std::vector<MissReport> take_misses() { return std::move(misses_); }

  // How many times groups were merged or got another claim.
  [[nodiscard]] std::size_t changes() const { return changes_; }
  // How many readers all searches for ways around have looked at: what tests hold the growth of fusions' work to.
  [[nodiscard]] std::size_t looks() const { return looks_; }
  // As text, one line for each group of several nodes: "fuse_kernels: %3 %4 %7", numbers being places in the function's order. For tests and dumps.
  [[nodiscard]] std::string text() const;

 private:
  // Whether all that the node stands for was made by differentiation.
  [[nodiscard]] bool in_gradient(const Node* node) const;
  // Whether the group's kernel reads, of this result's node, the extra memory alone.
  [[nodiscard]] bool wants_only(int group, const Ref& result) const;
  void add_stretch(int first, int last);
  // The first place from `place` on that no group reaches across: what lies behind it never leads back before it.
  [[nodiscard]] int end_of_stretch(int place) const;
  // The nodes whose extra memory the node's own claim reads.
  [[nodiscard]] std::span<const Ref> wanted_by(const Node& node);
  void find_needed();
  // A unit of the order: a group's number, or ~order of a node in no group.
  [[nodiscard]] int unit_of(int order) const { return of_[static_cast<std::size_t>(order)] >= 0 ? of_[static_cast<std::size_t>(order)] : ~order; }
  void add_reader(const Node* operand, int reader);

  // Whether a way leads from some groups, through what is outside, back to them.
  class WayBack;

  const Function& function_;
  PassContext& context_;
  std::vector<Node*> nodes_;
  std::unordered_map<const Node*, int> order_, places_;
  // By the node's order: its group, who reads it (ascending), and their orders.
  std::vector<int> of_;
  std::vector<std::vector<Node*>> readers_;
  std::vector<std::vector<int>> reader_orders_;
  std::unordered_set<const Node*> needed_, results_, wanted_;
  std::vector<Group> groups_;
  std::vector<std::vector<int>> group_orders_;  // of each group's nodes, ascending
  // Stretches of the order, first place to last, over which groups of several nodes reach; those that overlap are one.
  std::map<int, int> stretches_;
  std::vector<MissReport> misses_;
  std::size_t changes_ = 0;
  mutable std::size_t looks_ = 0;
};

// Whether the node costs nothing where its operand is dense: a view, a stop_gradient, a check.
[[nodiscard]] bool is_view(const Node& node);
// The value in whose memory this one lies: itself, unless it is a view.
[[nodiscard]] Ref memory_of(Ref value);
// Whether the node is one value everywhere, which a loop that reads it holds as a constant.
[[nodiscard]] bool is_fill(const Node& node);
// Whether no step may look through the view: a check that must have run, a barrier.
[[nodiscard]] bool is_opaque(const Node& node);

}  // namespace cotan
