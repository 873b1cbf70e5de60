#include <algorithm>

#include "graph/builder.h"
#include "graph/passes/passes.h"

namespace cotan::passes {
namespace {

bool has_calls(std::span<const Ref> results) {
  const std::vector<Node*> nodes = topological(results);
  return std::any_of(nodes.begin(), nodes.end(), [](const Node* n) { return n->kind == Kind::call; });
}

// The call's results from its body, on these operands.
std::vector<Ref> inlined(const Ref& call, std::span<const Ref> operands, PassContext& context) {
  const auto body = call->as<CallSpec>().body;
  std::vector<std::pair<Ref, Ref>> bound;
  for (std::size_t k = 0; k < operands.size(); ++k) bound.emplace_back(body->parameters[k], operands[k]);
  std::vector<Ref> results = graph::substitute(body->results, bound);
  for (const Ref& r : results) context.positions.replaced(*call.node(), r);
  return results;
}

// The calls that no backend claims become their bodies: those whose bodies have calls, or those whose bodies have none.
Function opened(const Function& function, PassContext& context, bool nested, bool& changed) {
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    if (node->kind != Kind::call || has_calls(node->as<CallSpec>().body->results) != nested) return {};
    const Ref here = graph::rebuild(*node.node(), operands)[0];
    if (context.claims.first(here) != nullptr) return {};
    changed = true;
    return inlined(node, operands, context);
  });
}

}  // namespace

// Calls inside bodies come to light first; then rules see which call reads which; what nobody computes as a whole is opened last.
Function inline_calls(const Function& function, PassContext& context) {
  if (!has_calls(function.results)) return function;
  Function now = function;
  for (bool changed = true; changed;) {
    changed = false;
    now = opened(now, context, true, changed);
  }
  if (context.options.passes.enabled("simplify", true)) now = simplify_calls(now, context);
  bool changed = false;
  return opened(now, context, false, changed);
}

}  // namespace cotan::passes
