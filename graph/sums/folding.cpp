#include "graph/sums/folding.h"

#include <algorithm>

#include "graph/sums/compose.h"

namespace cotan::sums {
namespace {

// A sum that took more than this many sums in has no more to gain; it bounds the work for each node.
constexpr int most_folds = 8;
// Beyond these, a sum costs more to run than what it saves.
constexpr std::size_t most_guards = 8, most_indices = 16;
// What a primitive could do is given up for a loop over so many times fewer points: a product with a one-hot matrix is a gather.
constexpr double far_fewer = 8;

// The tensor behind stop_gradient, which is the same.
Ref seen_through(Ref r) {
  while (r->kind == Kind::stop_gradient) r = r->operand(0);
  return r;
}

bool is_free_view(const OpenSum& sum) {
  return sum.spec.coefficient == 1 && sum.factors.size() == 1 && std::holds_alternative<ViewForm>(recognise(sum.spec, shapes_of(sum)));
}

}  // namespace

Uses::Uses(const Function& function) {
  for (Node* n : topological(function.results))
    for (const Edge& e : n->operands()) {
      ++given_[e];
      auto [it, first] = maps_only_.try_emplace(e, true);
      it->second = it->second && n->kind == Kind::map;
    }
  for (const Ref& r : function.results) {
    given_[r.edge()] += 2;
    maps_only_[r.edge()] = false;
  }
}

void Uses::carry(const Node& node, std::span<const Ref> operands) {
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const Edge from = node.operands()[k];
    Count& count = now_[operands[k].edge()];
    if (count.readers > 0 && count.from == from) continue;
    count.from = from;
    count.readers += given_.at(from);
  }
}

bool Uses::single(const Ref& result) const {
  const auto found = now_.find(result.edge());
  return found != now_.end() && found->second.readers == 1;
}

bool Uses::read_by_maps(const Ref& result) const {
  const auto found = maps_only_.find(result.edge());
  return found != maps_only_.end() && found->second;
}

bool has_sums(const Function& function) {
  const std::vector<Node*> all = topological(function.results);
  return std::any_of(all.begin(), all.end(), [](const Node* n) { return n->kind == Kind::sum; });
}

bool pays(const OpenSum& after, const OpenSum& reader, const OpenSum& inner, bool single) {
  if (after.spec.guards.size() > most_guards || after.spec.domain.size() > most_indices) return false;
  if (!is_computed(after.type.dtype) && !moves_entries(after.spec)) return false;
  const double points = points_of(after.spec), before = points_of(reader.spec);
  if (points > (single ? std::max(before, points_of(inner.spec)) : before)) return false;
  // A view costs nothing; what it is put into must not be computed more often, nor by several.
  if (is_free_view(reader) && !is_free_view(after) && (!single || reader.type.shape.elements() > inner.type.shape.elements())) return false;
  if (far_fewer * points <= before) return true;
  const Standing of_reader = standing_of(reader), of_inner = standing_of(inner);
  if (of_reader.kind == Standing::loop && of_inner.kind == Standing::loop) return true;
  const Standing made = standing_of(after);
  return made.keeps(of_reader) && made.keeps(of_inner);
}

std::optional<OpenSum> folded(OpenSum sum, Fold fold, const Uses& uses) {
  std::vector<bool> own;  // whether the factor is read by this sum alone
  for (Ref& factor : sum.factors) {
    own.push_back(uses.single(factor));
    factor = seen_through(factor);
  }
  int folds = 0;
  for (std::size_t k = 0; k < sum.factors.size() && folds < most_folds;) {
    const Ref factor = sum.factors[k];
    if (factor->kind != Kind::sum) {
      ++k;
      continue;
    }
    const OpenSum inner = opened(*factor.node());
    const bool moves = inner.factors.size() <= 1 && is_injective(inner.spec.output, inner.spec.domain);
    const bool merges = fold == Fold::everything && own[k] && (inner.factors.size() <= 1 || sum.factors.size() == 1);
    std::optional<OpenSum> made;
    if (moves || merges) made = composed(sum, k, inner);
    if (!made || !pays(*made, sum, inner, own[k])) {
      ++k;
      continue;
    }
    std::vector<bool> fresh;
    for (Ref& f : std::span(made->factors).subspan(k, inner.factors.size())) {
      fresh.push_back(own[k] && uses.single(f));
      f = seen_through(f);
    }
    own.erase(own.begin() + static_cast<std::ptrdiff_t>(k));
    own.insert(own.begin() + static_cast<std::ptrdiff_t>(k), fresh.begin(), fresh.end());
    sum = *std::move(made);
    ++folds;
  }
  if (folds == 0) return std::nullopt;
  return sum;
}

}  // namespace cotan::sums
