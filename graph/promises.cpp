#include "graph/promises.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "graph/fusion/fusion.h"

namespace cotan {
namespace {

constexpr std::size_t most_misses = 4;  // that are told of one promise

bool costs_anything(const Node& n) { return n.kind != Kind::leaf && !is_view(n) && !is_fill(n); }

bool fusing(const PassSwitches& switches) {
  return std::ranges::any_of(fusions(), [&](const Fusion& f) { return f.optional && switches.enabled(f.name, true); });
}

// One promise against a plan.
class Looking {
 public:
  Looking(const Promise& promise, std::span<Node* const> nodes, std::span<Node* const> order, const Positions& positions)
      : nodes_(nodes), order_(order), positions_(positions) {
    for (int p : promise.nodes)
      if (costs_anything(*order_[static_cast<std::size_t>(p)])) promised_.insert(p);
  }

  // The steps that compute what is promised, each with the first of its nodes.
  struct Part {
    const Step* step;
    const Node* node;
  };
  [[nodiscard]] std::vector<Part> parts(const Plan& plan) const {
    std::vector<Part> found;
    std::unordered_set<const Node*> seen;
    for (const Step& step : plan.steps) {
      const Node* first = nullptr;
      for (int place : step.places) {
        const Node* n = nodes_[static_cast<std::size_t>(place)];
        if (is_promised(*n) && !is_second_half(*n) && seen.insert(n).second && first == nullptr) first = n;
      }
      if (first != nullptr) found.push_back({&step, first});
    }
    return found;
  }

  [[nodiscard]] bool is_promised(int position) const { return promised_.contains(position); }

 private:
  [[nodiscard]] bool is_promised(const Node& n) const {
    bool any = false;
    for (int p : positions_.of(&n)) {
      if (!costs_anything(*order_[static_cast<std::size_t>(p)])) continue;
      if (!is_promised(p)) return false;
      any = true;
    }
    return any;
  }

  // Of a sum that became a sum over blocks of sums.
  [[nodiscard]] bool is_second_half(const Node& n) const {
    if (n.kind != Kind::sum || n.operand_count != 1) return false;
    const Node& blocks = *n.operands()[0].node;
    return blocks.kind == Kind::sum && !is_view(blocks) && std::ranges::equal(positions_.of(&n), positions_.of(&blocks));
  }

  std::span<Node* const> nodes_;  // of the function after the passes
  std::span<Node* const> order_;  // as recorded
  const Positions& positions_;
  std::unordered_set<int> promised_;
};

// Why two steps are two, where no fusion has said so.
Reason why_apart(const Looking::Part& a, const Looking::Part& b) {
  if (a.node->shape != b.node->shape)
    return {ReasonCode::domain,
            fmt::format("'{}' runs over {}, '{}' over {}", a.step->kernel->name(), a.node->shape.text(), b.step->kernel->name(), b.node->shape.text())};
  return {ReasonCode::not_recognised, fmt::format("no fusion joins '{}' and '{}'", a.step->kernel->name(), b.step->kernel->name())};
}

}  // namespace

std::vector<BrokenPromise> broken_promises(const Function& function, std::span<Node* const> order, const PassContext& context, const Plan& plan) {
  std::vector<BrokenPromise> broken;
  const std::vector<Promise>& promises = context.options.promises;
  if (promises.empty() || !fusing(context.options.passes)) return broken;
  const std::vector<Node*> nodes = topological(function.results);
  for (std::size_t i = 0; i < promises.size(); ++i) {
    const Looking looking(promises[i], nodes, order, context.positions);
    const std::vector<Looking::Part> parts = looking.parts(plan);
    if (parts.size() < 2) continue;
    BrokenPromise& b = broken.emplace_back();
    b.promise = static_cast<int>(i);
    for (const Looking::Part& p : parts) {
      KernelReport& kernel = b.kernels.emplace_back();
      kernel.name = p.step->kernel->name();
      std::ranges::copy_if(p.step->nodes, std::back_inserter(kernel.nodes), [&](int n) { return looking.is_promised(n); });
    }
    for (const MissReport& m : plan.report.misses) {
      const bool of_fusion = std::ranges::any_of(fusions(), [&](const Fusion& f) { return f.name == m.what; });
      if (of_fusion && looking.is_promised(m.node) && b.misses.size() < most_misses) b.misses.push_back(m);
    }
    if (b.misses.empty()) {
      const auto at = context.positions.of(parts[1].node);
      b.misses.push_back({"fusion", at.empty() ? 0 : at[0], why_apart(parts[0], parts[1])});
    }
  }
  return broken;
}

}  // namespace cotan
