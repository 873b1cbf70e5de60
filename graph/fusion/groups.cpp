#include "graph/fusion/groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/views.h"
#include "ops/error.h"

namespace cotan {
namespace {

// How many units a search for a way around looks at before it gives up.
constexpr std::size_t longest_search = 256;
// How many misses of one fusion are kept.
constexpr std::size_t most_misses = 256;

}  // namespace

bool is_view(const Node& node) {
  if (node.kind == Kind::stop_gradient || node.kind == Kind::check || node.kind == Kind::barrier) return true;
  if (node.kind != Kind::sum || node.operand_count != 1) return false;
  const Ref x = node.operand(0);
  return view_through(node, View::dense(x.dtype(), x.shape())).has_value();
}

Ref memory_of(Ref value) {
  while (value->operand_count > 0 && is_view(*value.node())) value = value->operand(0);
  return value;
}

bool is_fill(const Node& node) { return node.kind == Kind::map && node.operand_count == 0; }

bool is_opaque(const Node& node) { return node.kind == Kind::check || node.kind == Kind::barrier; }

Groups::Groups(const Function& function, PassContext& context) : function_(function), context_(context) {
  nodes_ = topological(function.results);
  for (std::size_t i = 0; i < nodes_.size(); ++i) places_.emplace(nodes_[i], static_cast<int>(i));
  order_ = places_;
  for (const Ref& r : function.results) results_.insert(r.node());
  // A gradient may be wanted alone, of something that is computed in two parts: the other part is computed then as well, for what it leaves behind.
  std::vector<Ref> roots(function.results);
  for (std::vector<Ref> missing = find_needed(); !missing.empty(); missing = find_needed()) {
    roots.insert(roots.begin(), missing.begin(), missing.end());
    nodes_ = topological(roots);
    order_.clear();
    for (std::size_t i = 0; i < nodes_.size(); ++i) order_.emplace(nodes_[i], static_cast<int>(i));
    needed_.clear();
  }
  for (Node* n : nodes_) {
    if (!needed_.contains(n)) continue;
    const bool computed = n->kind != Kind::leaf || n->as<LeafSpec>().role == LeafRole::iota;
    if (!computed || is_view(*n)) {
      for (const Edge& e : n->operands()) readers_[e.node].push_back(n);
      continue;
    }
    Group g;
    g.nodes = {Ref(n)};
    for (std::size_t b = 0; b < backends().size(); ++b) {
      const Match& match = context.claims.match(Ref(n), b);
      const auto* claim = std::get_if<Claim>(&match);
      if (claim == nullptr) continue;
      g.claim = *claim;
      g.backend = backends()[b];
      break;
    }
    for (const Ref& r : g.claim.inputs) readers_[r.node()].push_back(n);
    for (const Ref& r : g.claim.wants) {
      readers_[r.node()].push_back(n);
      wanted_.insert(r.node());
    }
    of_.emplace(n, static_cast<int>(groups_.size()));
    groups_.push_back(std::move(g));
  }
}

// Backwards from the results, since a claim may read less than its node's operands. Checks stay.
std::vector<Ref> Groups::find_needed() {
  std::vector<Ref> missing;
  for (const Ref& r : function_.results) needed_.insert(r.node());
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    Node* const n = nodes_[i];
    if (n->kind == Kind::check) needed_.insert(n);
    if (n->operand_count == 0 || !needed_.contains(n)) continue;
    const Claim* claim = is_view(*n) ? nullptr : context_.claims.first(Ref(n));
    if (claim == nullptr) {
      for (const Edge& e : n->operands()) needed_.insert(e.node);
      continue;
    }
    for (const Ref& r : claim->inputs) needed_.insert(r.node());
    for (const Ref& partner : claim->wants) {
      needed_.insert(partner.node());
      for (const Edge& e : partner->operands()) needed_.insert(e.node);
      if (!order_.contains(partner.node())) missing.push_back(partner);
    }
  }
  return missing;
}

int Groups::of(const Node* node) const {
  const auto found = of_.find(node);
  return found == of_.end() ? -1 : found->second;
}

std::span<Node* const> Groups::readers(const Node* node) const {
  const auto found = readers_.find(node);
  return found == readers_.end() ? std::span<Node* const>() : std::span<Node* const>(found->second);
}

int Groups::place_of(const Node* node) const {
  const auto found = places_.find(node);
  return found == places_.end() ? -1 : found->second;
}

int Groups::unit_of(const Node* node) const {
  const int group = of(node);
  return group >= 0 ? group : ~order_.at(node);
}

bool Groups::in_gradient(const Node* node) const {
  const std::vector<bool>& made = context_.options.in_gradient;
  const auto positions = context_.positions.of(node);
  return !positions.empty() &&
         std::ranges::all_of(positions, [&](int p) { return static_cast<std::size_t>(p) < made.size() && made[static_cast<std::size_t>(p)]; });
}

Reason Groups::needed_outside(const Node* node) const {
  const auto of = readers(node);
  const std::unordered_set<const Node*> different(of.begin(), of.end());
  const std::string count = fmt::format("{}{}", different.size(), is_result(node) ? ", and it is a result" : "");
  if (in_gradient(node) || is_result(node)) return {ReasonCode::several_readers, count};
  const auto there = static_cast<std::size_t>(std::ranges::count_if(different, [&](const Node* n) { return in_gradient(n); }));
  if (there == 0 || there + 1 < different.size()) return {ReasonCode::several_readers, count};  // others would still be several
  return {ReasonCode::needed_by_gradient, fmt::format("{} of {} readers", there, different.size())};
}

bool Groups::read_outside(const Ref& result, std::span<const int> groups) const {
  if (is_result(result.node()) || readers(result.node()).size() > longest_search) return true;
  for (Node* reader : readers(result.node())) {
    const int group = of(reader);
    if (group < 0 ? read_outside(Ref(reader), groups) : std::ranges::find(groups, group) == groups.end() && !wants_only(group, result)) return true;
  }
  return false;
}

bool Groups::wants_only(int group, const Ref& result) const {
  const Claim& claim = (*this)[group].claim;
  return std::ranges::find(claim.wants, Ref(result.node())) != claim.wants.end() && std::ranges::find(claim.inputs, result) == claim.inputs.end();
}

void Groups::add_stretch(int first, int last) {
  auto at = stretches_.upper_bound(first);
  if (at != stretches_.begin() && std::prev(at)->second > first) --at;
  while (at != stretches_.end() && at->first < last) {
    first = std::min(first, at->first);
    last = std::max(last, at->second);
    at = stretches_.erase(at);
  }
  stretches_.emplace(first, last);
}

int Groups::end_of_stretch(int place) const {
  const auto after = stretches_.upper_bound(place);
  return after == stretches_.begin() ? place : std::max(place, std::prev(after)->second);
}

bool Groups::can_merge(std::span<const int> groups, bool with_views) const {
  int last = 0;
  const std::unordered_set<int> inside(groups.begin(), groups.end());
  // A unit is reached by views alone, which the step could look through itself, or otherwise.
  struct Reached {
    int unit;
    bool by_views;
  };
  std::unordered_set<int> seen[2];
  std::vector<Reached> stack;
  for (int g : groups) last = std::max(last, order_.at((*this)[g].nodes.back().node()));
  last = end_of_stretch(last);
  auto visit = [&](const Node* n, bool by_views) {
    for (Node* reader : readers(n)) {
      const int unit = unit_of(reader);
      const bool still = by_views && unit < 0 && !is_opaque(*reader);
      if (!inside.contains(unit) && seen[still ? 1 : 0].insert(unit).second) stack.push_back({unit, still});
    }
  };
  auto leads_back = [&](const Node* n) {
    const auto all = readers(n);
    return std::any_of(all.begin(), all.end(), [&](Node* reader) { return inside.contains(unit_of(reader)); });
  };
  for (int g : groups)
    for (const Ref& n : (*this)[g].nodes) {
      if (readers(n.node()).size() > longest_search) return false;
      visit(n.node(), with_views);
    }
  while (!stack.empty()) {
    if (seen[0].size() + seen[1].size() > longest_search) return false;
    const Reached here = stack.back();
    stack.pop_back();
    if (here.unit < 0) {
      const Node* n = nodes_[static_cast<std::size_t>(~here.unit)];
      if (order_.at(n) > last) continue;
      if (!here.by_views && leads_back(n)) return false;
      visit(n, here.by_views);
      continue;
    }
    const Group& g = (*this)[here.unit];
    if (order_.at(g.nodes.front().node()) > last) continue;
    for (const Ref& n : g.nodes) {
      if (leads_back(n.node())) return false;
      visit(n.node(), false);
    }
  }
  return true;
}

void Groups::merge(std::span<const int> groups, Claim claim, std::string_view fusion, const Backend* backend) {
  const auto before = [&](const Ref& a, const Ref& b) { return order_.at(a.node()) < order_.at(b.node()); };
  std::vector<Ref> nodes = std::move(groups_[static_cast<std::size_t>(groups[0])].nodes);
  for (int g : groups.subspan(1)) {
    Group& from = groups_[static_cast<std::size_t>(g)];
    for (const Ref& n : from.nodes) of_[n.node()] = groups[0];
    const auto middle = static_cast<std::ptrdiff_t>(nodes.size());
    nodes.insert(nodes.end(), from.nodes.begin(), from.nodes.end());
    if (before(nodes[static_cast<std::size_t>(middle)], nodes[static_cast<std::size_t>(middle) - 1]))
      std::inplace_merge(nodes.begin(), nodes.begin() + middle, nodes.end(), before);
    from = {};
  }
  add_stretch(order_.at(nodes.front().node()), order_.at(nodes.back().node()));
  groups_[static_cast<std::size_t>(groups[0])].nodes = std::move(nodes);
  reclaim(groups[0], std::move(claim), fusion, backend);
}

void Groups::reclaim(int group, Claim claim, std::string_view fusion, const Backend* backend, std::vector<ExtraResult> extras) {
  Group& g = groups_[static_cast<std::size_t>(group)];
  ++changes_;
  g.claim = std::move(claim);
  g.fusion = fusion;
  g.backend = backend;
  g.extras = std::move(extras);
}

void Groups::miss(std::string_view what, const Node* node, Reason reason) {
  if (misses_.size() >= most_misses) return;
  const auto positions = context_.positions.of(node);
  misses_.push_back({std::string(what), positions.empty() ? 0 : positions[0], std::move(reason)});
}

std::string Groups::text() const {
  std::string out;
  for (const Group& g : groups_) {
    if (g.nodes.empty() || g.fusion.empty()) continue;
    out += fmt::format("{}:", g.fusion);
    for (const Ref& n : g.nodes) out += fmt::format(" %{}", order_.at(n.node()));
    out += "\n";
  }
  return out;
}

}  // namespace cotan
