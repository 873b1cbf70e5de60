#include "tools/op_runs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "graph/backend.h"
#include "graph/recognise.h"
#include "graph/views.h"

namespace cotan::tools {
namespace {

// Reasons that lie in the graph. The others, such as a refusal by the library, lie in the machine.
bool holds_everywhere(const Reason& reason) {
  switch (reason.code) {
    case ReasonCode::not_recognised:
    case ReasonCode::dtype:
    case ReasonCode::layout:
    case ReasonCode::not_profitable: return true;
    default: return false;
  }
}

std::string_view class_of(const Ref& node) {
  switch (node->kind) {
    case Kind::sum: return name_of(recognise(*node.node()));
    case Kind::call: return node->as<CallSpec>().name;
    case Kind::leaf: return name_of(node->as<LeafSpec>().role);
    default: return name_of(node->kind);
  }
}

// The primitive that a library takes the node for.
std::string_view primitive_of(const Ref& node) {
  if (node->kind == Kind::reduce) return "max pooling";
  if (node->kind != Kind::sum) return class_of(node);
  if (as_max_gradient(*node.node())) return "max pooling gradient";
  const auto& spec = node->as<SumSpec>();
  const auto windows = spec.factors.size() == 1 ? as_pooling(spec, tensor_shapes(*node.node())) : std::nullopt;
  if (!windows) return class_of(node);
  return windows->gradient ? "average pooling gradient" : "average pooling";
}

class Runs {
 public:
  void forget(std::span<const Ref> known) {
    for (const Node* n : topological(known)) known_.insert(n);
  }

  // Bodies nest only as deep as composites are written.
  void add(std::span<const Ref> results) {
    const std::vector<Node*> all = topological(results);
    const std::unordered_set<const Node*> needed = needed_for(results, all);
    for (Node* n : all)
      if (needed.contains(n) && !known_.contains(n)) add_node(Ref(n));
  }

  [[nodiscard]] std::string text() const {
    std::vector<std::string> parts;
    for (const auto& [who, what] : found_) parts.push_back(what[0].empty() ? who : fmt::format("{} ({})", who, fmt::join(what, ", ")));
    return parts.empty() ? "nothing to compute" : fmt::format("{}", fmt::join(parts, ", "));
  }

 private:
  // What is computed for the results: a claim may read less than its node's operands. The gradient of a max pooling reads no positions.
  static std::unordered_set<const Node*> needed_for(std::span<const Ref> results, std::span<Node* const> all) {
    std::unordered_set<const Node*> needed;
    for (const Ref& r : results) needed.insert(r.node());
    for (std::size_t i = all.size(); i-- > 0;) {
      if (all[i]->kind == Kind::check) needed.insert(all[i]);
      if (!needed.contains(all[i])) continue;
      const Ref node(all[i]);
      const auto extreme = node->kind == Kind::sum ? as_max_gradient(*all[i]) : std::nullopt;
      const bool positions = !extreme || taker_of(node) == backends().back();
      for (std::size_t k = 0; k < node->operand_count; ++k)
        if (k == 0 || positions) needed.insert(node->operands()[k].node);
      if (extreme) needed.insert(extreme->x.node());
    }
    return needed;
  }

  void add_node(const Ref& node) {
    if (node->kind == Kind::stop_gradient || node->kind == Kind::barrier) return;
    if (node->kind == Kind::leaf && node->as<LeafSpec>().role != LeafRole::iota && node->as<LeafSpec>().role != LeafRole::random) return;
    if (is_view(node)) {
      note("views", "");
    } else if (const Backend* backend = taker_of(node)) {
      note(backend->name(), backend == backends().back() ? class_of(node) : primitive_of(node));
    } else if (node->kind == Kind::call) {
      add(node->as<CallSpec>().body->results);
    } else {  // checks and random numbers, which the compiler asks the loops for
      note(backends().back()->name(), class_of(node));
    }
  }

  static bool is_view(const Ref& node) {
    if (node->kind != Kind::sum || node->operand_count != 1) return false;
    const Ref x = node->operand(0);
    return view_through(*node.node(), View::dense(x.dtype(), x.shape())).has_value();
  }

  static const Backend* taker_of(const Ref& node) {
    for (const Backend* backend : backends()) {
      const Match match = backend->match(node, {});
      const auto* reason = std::get_if<Reason>(&match);
      if (reason == nullptr || !holds_everywhere(*reason)) return backend;
    }
    return nullptr;
  }

  void note(std::string_view who, std::string_view what) {
    auto at = std::ranges::find(found_, who, [](const auto& entry) { return std::string_view(entry.first); });
    if (at == found_.end()) at = found_.insert(found_.end(), {std::string(who), {}});
    if (std::ranges::find(at->second, what) == at->second.end()) at->second.emplace_back(what);
  }

  std::vector<std::pair<std::string, std::vector<std::string>>> found_;  // by backend, in order of appearance
  std::unordered_set<const Node*> known_;
};

}  // namespace

std::string runs_of(std::span<const Ref> results, std::span<const Ref> known) {
  Runs runs;
  runs.forget(known);
  runs.add(results);
  return runs.text();
}

}  // namespace cotan::tools
