// Updates of parameters inside the products that give their gradients.
#include "graph/fusion/epilogues.h"
#include "graph/fusion/fusion.h"

namespace cotan::fusion {
namespace {

constexpr std::string_view name = "fuse_updates_into_products";

// The product that the update's new value is a chain over: back from the update, through maps that nobody else reads.
std::optional<Chain> chain_to(const Groups& groups, const Ref& update, std::optional<Reason>& why_not) {
  for (const Edge& e : update->operands()) {
    std::vector<Ref> maps{update};
    Ref at(e);
    for (int group; (group = groups.of(at.node())) >= 0; at = at->operand(0)) {
      const Group& g = groups[group];
      if (g.nodes.size() != 1) break;
      if (at->kind == Kind::sum) {
        Chain chain(at);
        for (; !maps.empty() && next_map(groups, chain.end(), why_not) == maps.back(); maps.pop_back()) chain = chain.with(maps.back());
        if (maps.empty()) return chain;
        break;
      }
      if (at->kind != Kind::map || !g.claim.loop || at->operand_count == 0) break;
      maps.push_back(at);
    }
  }
  return std::nullopt;
}

}  // namespace

void fuse_updates_into_products(Groups& groups) {
  const Function& f = groups.function();
  for (const Update& u : groups.context().options.updates) {
    const Ref& updated = f.results[static_cast<std::size_t>(u.result)];
    const Ref& old = f.parameters[static_cast<std::size_t>(u.parameter)];
    const int last = groups.of(updated.node());
    if (last < 0 || !groups[last].claim.loop || groups[last].nodes.size() != 1 || updated->kind != Kind::map) continue;
    std::optional<Reason> why_not;
    const std::optional<Chain> chain = chain_to(groups, updated, why_not);
    if (!chain) {
      if (why_not) groups.miss(name, updated.node(), *why_not);
      continue;
    }
    const int base = groups.of(chain->base().node());
    if (groups[base].backend == nullptr) continue;
    std::vector<int> members;
    for (const Ref& n : chain->nodes()) members.push_back(groups.of(n.node()));
    Match match = claim_chain(groups, *chain, old);
    const auto* reason = std::get_if<Reason>(&match);
    if (reason != nullptr)
      groups.miss(name, updated.node(), *reason);
    else if (!groups.can_merge(members))
      groups.miss(name, updated.node(), {ReasonCode::between, "what lies between reads the one and is read by the other"});
    else
      groups.merge(members, std::get<Claim>(std::move(match)), name, groups[base].backend);
  }
}

}  // namespace cotan::fusion
