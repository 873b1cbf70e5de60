#include "graph/passes/composite_cost.h"
#include "graph/passes/passes.h"
#include "graph/rewrite/engine.h"
#include "graph/rewrite/rules_in_use.h"

namespace cotan::passes {
namespace {

// A node that would stand for more is not told of further ones: a long chain that collapses would take quadratic time, and nobody reads such a list.
constexpr std::size_t most_positions = 16;

Function with_rules(const Function& function, PassContext& context, const rewrite::RuleSet& rules, bool fast) {
  const rewrite::Options options{
      .fast = fast,
      .accepts_call =
          [&](const Ref& call) {
            std::optional<CompositeCost> cost;  // with all the neighbours there can be: what was inlined does not become a call again
            return context.claims.first(call) != nullptr && by_primitive(*call.node(), 2, context.options, cost);
          },
      .replaced =
          [&](std::span<const Ref> from, const Ref& made) {
            for (const Ref& r : from) {
              const std::size_t has = context.positions.of(made.node()).size();
              if (has == 0 || has + context.positions.of(r.node()).size() <= most_positions) context.positions.replaced(*r.node(), made);
            }
          },
  };
  return rewrite::rewrite(function, rules, options);
}

}  // namespace

Function simplify_calls(const Function& function, PassContext& context) {
  return with_rules(function, context, rewrite::rules_in_use().those([](const rewrite::Rule& r) { return r.step && r.root == Kind::call; }), false);
}

Function simplify(const Function& function, PassContext& context) { return with_rules(function, context, rewrite::rules_in_use(), false); }
Function fast_rules(const Function& function, PassContext& context) { return with_rules(function, context, rewrite::rules_in_use(), true); }

}  // namespace cotan::passes
