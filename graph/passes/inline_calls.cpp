#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "graph/builder.h"
#include "graph/composites/closed_gradients.h"
#include "graph/passes/composite_cost.h"
#include "graph/passes/passes.h"

namespace cotan::passes {
namespace {

bool has_calls(std::span<const Ref> results) {
  const std::vector<Node*> nodes = topological(results);
  return std::any_of(nodes.begin(), nodes.end(), [](const Node* n) { return n->kind == Kind::call; });
}

using Readers = std::unordered_map<const Node*, std::vector<const Node*>>;

Readers readers_in(const Function& function) {
  Readers readers;
  for (const Node* n : topological(function.results))
    for (const Edge& e : n->operands()) readers[e.node].push_back(n);
  return readers;
}

bool is_loop(const Node& n) { return n.kind == Kind::map && n.operand_count > 0; }

// Loops of the call's shape that could be one region with its body: that compute what it alone reads, and that read its result.
int neighbours_of(const Node& call, const Readers& readers) {
  int before = 0, behind = 0;
  for (const Edge& e : call.operands()) {
    const auto of = readers.find(e.node);
    before |= is_loop(*e.node) && e.node->shape == call.shape && of != readers.end() && of->second.size() == 1;
  }
  if (const auto of = readers.find(&call); of != readers.end())
    behind = std::ranges::any_of(of->second, [&](const Node* n) { return is_loop(*n) && n->shape == call.shape; });
  return before + behind;
}

class Inlining {
 public:
  explicit Inlining(PassContext& context) : context_(context) {}

  // Calls inside bodies come to light first; then rules see which call reads which; what nobody computes as a whole is opened last.
  Function run(const Function& function) {
    if (!has_calls(function.results)) return function;
    Function now = function;
    do {
      changed_ = false;
      now = opened(now, true);
    } while (changed_);
    if (context_.options.passes.enabled("simplify", true)) now = simplify_calls(now, context_);
    return opened(now, false);
  }

 private:
  // The calls that no primitive is to compute become their bodies: those whose bodies have calls, or those whose bodies have none.
  Function opened(const Function& function, bool nested) {
    const Readers readers = readers_in(function);
    return transform(function, context_, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
      if (node->kind != Kind::call || has_calls(node->as<CallSpec>().body->results) != nested) return {};
      const Ref here = graph::rebuild(*node.node(), operands)[0];
      if (stays(here, *node.node(), readers)) return {};
      changed_ = true;
      return inlined(node, operands);
    });
  }

  // Whether a primitive computes the call: one can, and that costs less than the body among its neighbours. `recorded`: the call before the pass.
  bool stays(const Ref& call, const Node& recorded, const Readers& readers) {
    if (context_.claims.first(call) == nullptr) {
      for (std::size_t b = 0; b < backends().size(); ++b)
        if (const auto* why = std::get_if<Reason>(&context_.claims.match(call, b)); why != nullptr && why->code != ReasonCode::not_recognised)
          note(backends()[b]->name(), recorded, *why);
      return false;
    }
    std::optional<CompositeCost> cost;
    const bool claimed = by_primitive(*call.node(), neighbours_of(recorded, readers), context_.options, cost);
    if (!cost) return claimed;
    note("inline_calls", recorded,
         {ReasonCode::not_profitable, fmt::format("{}: {:.0f} cycles by a primitive, {:.0f} inlined{}", call->as<CallSpec>().name, cost->primitive,
                                                  cost->inlined, claimed ? "" : ", so no primitive")});
    return claimed;
  }

  // Once for each call, however often it was looked at.
  void note(std::string_view what, const Node& node, Reason reason) {
    const auto positions = context_.positions.of(&node);
    if (positions.empty()) return;
    const bool known =
        std::ranges::any_of(context_.misses, [&](const MissReport& m) { return m.what == what && m.node == positions[0] && m.reason.detail == reason.detail; });
    if (!known) context_.misses.push_back({std::string(what), positions[0], std::move(reason)});
  }

  // The call's results on these operands: in closed form, or from its body.
  std::vector<Ref> inlined(const Ref& call, std::span<const Ref> operands) {
    const auto& spec = call->as<CallSpec>();
    std::vector<Ref> results = graph::closed_gradient(spec, operands);
    if (results.empty()) {
      std::vector<std::pair<Ref, Ref>> bound;
      for (std::size_t k = 0; k < operands.size(); ++k) bound.emplace_back(spec.body->parameters[k], operands[k]);
      results = graph::substitute(spec.body->results, bound);
    }
    for (const Ref& r : results) context_.positions.replaced(*call.node(), r);
    return results;
  }

  PassContext& context_;
  bool changed_ = false;
};

}  // namespace

Function inline_calls(const Function& function, PassContext& context) { return Inlining(context).run(function); }

}  // namespace cotan::passes
