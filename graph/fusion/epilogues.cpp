#include "graph/fusion/epilogues.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/fusion/fusion.h"
#include "graph/views.h"

namespace cotan::fusion {
namespace {

constexpr std::string_view name = "fuse_epilogues";

// The view that a value will be, as far as can be known before memory is laid out: what only looks at another value is a view of that.
View expected_view(Ref value) {
  std::vector<Ref> views;
  while (is_view(*value.node())) {
    views.push_back(value);
    value = value->operand(0);
  }
  View view = View::dense(value.dtype(), value.shape());
  for (; !views.empty(); views.pop_back()) {
    const Ref& v = views.back();
    if (v->kind != Kind::sum) continue;
    const auto through = view_through(*v.node(), view);
    view = through ? *through : View::dense(v.dtype(), v.shape());
  }
  return view;
}

// Whether the node's new value may be written over a parameter: such a map is fused by what can work in place, or left.
bool updates_parameter(const Groups& groups, const Ref& node) {
  const Function& f = groups.function();
  return std::ranges::any_of(groups.context().options.updates, [&](const Update& u) { return f.results[static_cast<std::size_t>(u.result)] == node; });
}

}  // namespace

Chain::Chain(Ref base) : nodes_{std::move(base)} {
  const DType types[] = {end().dtype()};
  formula_ = make_formula(types, [](std::span<const Ex> x) { return x[0]; });
}

Chain Chain::with(const Ref& map) const {
  Chain longer = *this;
  // Which operand of the longer formula each operand of the map is; -1: the chain's end.
  std::vector<int> place;
  for (const Edge& e : map->operands()) {
    const Ref operand(e);
    if (operand == end()) {
      place.push_back(-1);
      continue;
    }
    const auto found = std::ranges::find(longer.operands_, operand);
    place.push_back(static_cast<int>(found - longer.operands_.begin()) + 1);
    if (found == longer.operands_.end()) longer.operands_.push_back(operand);
  }
  std::vector<DType> types{base().dtype()};
  for (const Ref& r : longer.operands_) types.push_back(r.dtype());
  longer.formula_ = make_formula(
      types,
      [&](std::span<const Ex> x) {
        const Ex value = inlined(*formula_, x.first(operands_.size() + 1));
        std::vector<Ex> read;
        for (int p : place) read.push_back(p < 0 ? value : x[static_cast<std::size_t>(p)]);
        return inlined(map->formula(), read);
      },
      map->dtype);
  longer.nodes_.push_back(map);
  return longer;
}

Epilogue Chain::epilogue(const std::optional<Ref>& in_place) const {
  Epilogue epilogue{formula_, operands_, end()};
  if (!in_place) return epilogue;
  const auto found = std::ranges::find(operands_, *in_place);
  if (found != operands_.end()) epilogue.updates = static_cast<int>(found - operands_.begin()) + 1;
  return epilogue;
}

Ref next_map(const Groups& groups, const Ref& end, std::optional<Reason>& why_not) {
  const auto readers = groups.readers(end.node());
  std::vector<Node*> different(readers.begin(), readers.end());
  std::ranges::sort(different);
  different.erase(std::ranges::unique(different).begin(), different.end());
  const bool a_map_reads = std::ranges::any_of(different, [](const Node* n) { return n->kind == Kind::map; });
  if (!a_map_reads) return {};
  if (different.size() > 1 || groups.is_result(end.node())) {
    why_not = groups.needed_outside(end.node());
    return {};
  }
  const int group = groups.of(different[0]);
  if (group < 0 || !groups[group].claim.loop || groups[group].nodes.size() != 1 || different[0]->shape != end.shape()) return {};
  return Ref(different[0]);
}

Match claim_chain(const Groups& groups, const Chain& chain, const std::optional<Ref>& in_place) {
  const int base = groups.of(chain.base().node());
  const Epilogue epilogue = chain.epilogue(in_place);
  if (in_place && epilogue.updates == 0) return Reason{ReasonCode::not_recognised, "an update that does not read the old value"};
  const CompileOptions& options = groups.context().options;
  Match match = groups[base].backend->match_with(chain.base(), epilogue, options.backends);
  auto* claim = std::get_if<Claim>(&match);
  if (claim == nullptr) return match;
  // Whether there is a kernel shows only when it is made. It is kept for the real thing.
  const auto made_of = [&](const Claim& c) {
    std::vector<View> in, out;
    for (const Ref& r : c.inputs) in.push_back(expected_view(r));
    for (const Ref& r : c.results) out.push_back(View::dense(r.dtype(), r.shape()));
    return c.compile(in, out, options.grid());
  };
  const Made made = made_of(*claim);
  // A copy that the product needs anyway is no objection.
  if (made.kernel || (made.copy_operand >= 0 && made_of(groups[base].claim).copy_operand == made.copy_operand)) return match;
  return made.reason;
}

void fuse_epilogues(Groups& groups) {
  const int count = static_cast<int>(groups.all().size());
  for (int g = 0; g < count; ++g) {
    if (groups[g].nodes.size() != 1 || groups[g].backend == nullptr || groups[g].claim.loop || groups[g].nodes[0]->kind != Kind::sum) continue;
    Chain chain(groups[g].nodes[0]);
    std::optional<Claim> best;
    std::vector<int> members{g};
    std::optional<Reason> why_not;
    while (!why_not) {
      const Ref map = next_map(groups, chain.end(), why_not);
      if (!map || updates_parameter(groups, map)) break;
      const Chain longer = chain.with(map);
      Match match = claim_chain(groups, longer);
      if (const auto* reason = std::get_if<Reason>(&match)) {
        why_not = *reason;
        break;
      }
      std::vector<int> together = members;
      together.push_back(groups.of(map.node()));
      if (!groups.can_merge(together)) {
        why_not = Reason{ReasonCode::between, "what lies between reads the one and is read by the other"};
        break;
      }
      best = std::get<Claim>(std::move(match));
      members = std::move(together);
      chain = longer;
    }
    if (why_not) groups.miss(name, chain.end().node(), *why_not);
    if (best) groups.merge(members, *std::move(best), name, groups[g].backend);
  }
}

}  // namespace cotan::fusion
