#include "graph/fusion/groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/views.h"
#include "ops/error.h"

namespace cotan {
namespace {

// How many units a search for a way around two groups looks at before it gives up, and how many times it looks at one: a unit may be a group of many nodes. For
// more than two groups both are more, in proportion.
constexpr std::size_t longest_search = 256, most_looks = 2048;
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
  const std::vector<Node*> given = topological(function.results);
  for (std::size_t i = 0; i < given.size(); ++i) places_.emplace(given[i], static_cast<int>(i));
  for (const Ref& r : function.results) results_.insert(r.node());
  // What a claim wants is no operand of its node, but it comes before it all the same; and it may be computed for that alone.
  nodes_ = in_order(
      function.results, [&](const Node& n) { return n.operand_count + wanted_by(n).size(); },
      [&](const Node& n, std::size_t k) { return k < n.operand_count ? n.operands()[k].node : wanted_by(n)[k - n.operand_count].node(); });
  for (std::size_t i = 0; i < nodes_.size(); ++i) order_.emplace(nodes_[i], static_cast<int>(i));
  find_needed();
  of_.assign(nodes_.size(), -1);
  readers_.resize(nodes_.size());
  reader_orders_.resize(nodes_.size());
  for (int order = 0; order < static_cast<int>(nodes_.size()); ++order) {
    Node* const n = nodes_[static_cast<std::size_t>(order)];
    if (!needed_.contains(n)) continue;
    const bool computed = n->kind != Kind::leaf || n->as<LeafSpec>().role == LeafRole::iota;
    if (!computed || is_view(*n)) {
      for (const Edge& e : n->operands()) add_reader(e.node, order);
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
    for (const Ref& r : g.claim.inputs) add_reader(r.node(), order);
    for (const Ref& r : g.claim.wants) {
      add_reader(r.node(), order);
      wanted_.insert(r.node());
    }
    of_[static_cast<std::size_t>(order)] = static_cast<int>(groups_.size());
    groups_.push_back(std::move(g));
    group_orders_.push_back({order});
  }
}

void Groups::add_reader(const Node* operand, int reader) {
  const auto at = static_cast<std::size_t>(order_.at(operand));
  readers_[at].push_back(nodes_[static_cast<std::size_t>(reader)]);
  reader_orders_[at].push_back(reader);
}

std::span<const Ref> Groups::wanted_by(const Node& node) {
  if (node.kind == Kind::leaf || is_view(node)) return {};
  const Claim* claim = context_.claims.first(Ref(const_cast<Node*>(&node)));
  return claim == nullptr ? std::span<const Ref>() : std::span<const Ref>(claim->wants);
}

// Backwards from the results, since a claim may read less than its node's operands. Checks stay.
void Groups::find_needed() {
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
    for (const Ref& partner : claim->wants) needed_.insert(partner.node());
  }
}

int Groups::of(const Node* node) const {
  const auto found = order_.find(node);
  return found == order_.end() ? -1 : of_[static_cast<std::size_t>(found->second)];
}

std::span<Node* const> Groups::readers(const Node* node) const {
  const auto found = order_.find(node);
  return found == order_.end() ? std::span<Node* const>() : std::span<Node* const>(readers_[static_cast<std::size_t>(found->second)]);
}

int Groups::place_of(const Node* node) const {
  const auto found = places_.find(node);
  return found == places_.end() ? -1 : found->second;
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

class Groups::WayBack {
 public:
  WayBack(const Groups& all, std::span<const int> inside) : all_(all), inside_(inside.begin(), inside.end()) {
    for (int g : inside) last_ = std::max(last_, all.last_of(g));
    // No group reaches across the end of a stretch, so what reads something from behind it does not lead back.
    last_ = all.end_of_stretch(last_);
  }

  // True also where the search was given up.
  bool exists(bool with_views) {
    for (int g : inside_)
      for (int node : orders(g)) {
        if (readers(node).size() > longest_search) return true;
        visit(node, with_views);
      }
    const std::size_t pairs = (inside_.size() + 1) / 2, own = looks_;
    while (!stack_.empty()) {
      if (seen_[0].size() + seen_[1].size() > pairs * longest_search || looks_ - own > pairs * most_looks) return true;
      const Reached here = stack_.back();
      stack_.pop_back();
      if (here.unit < 0) {
        if (!here.by_views && leads_back(~here.unit)) return true;
        visit(~here.unit, here.by_views);
        continue;
      }
      for (int node : orders(here.unit)) {
        if (leads_back(node)) return true;
        visit(node, false);
      }
    }
    return false;
  }
  [[nodiscard]] std::size_t looks() const { return looks_; }

 private:
  // A unit is reached by views alone, which the step could look through itself, or otherwise.
  struct Reached {
    int unit;
    bool by_views;
  };

  [[nodiscard]] const std::vector<int>& orders(int group) const { return all_.group_orders_[static_cast<std::size_t>(group)]; }
  [[nodiscard]] const std::vector<int>& readers(int node) const { return all_.reader_orders_[static_cast<std::size_t>(node)]; }
  [[nodiscard]] bool is_inside(int unit) const { return inside_.contains(unit); }

  void visit(int node, bool by_views) {
    for (int reader : readers(node)) {
      if (reader > last_) return;
      ++looks_;
      const int unit = all_.unit_of(reader);
      const bool still = by_views && unit < 0 && !is_opaque(*all_.nodes_[static_cast<std::size_t>(reader)]);
      if (!is_inside(unit) && seen_[still ? 1 : 0].insert(unit).second) stack_.push_back({unit, still});
    }
  }

  [[nodiscard]] bool leads_back(int node) const {
    for (int reader : readers(node)) {
      if (reader > last_) return false;
      if (is_inside(all_.unit_of(reader))) return true;
    }
    return false;
  }

  const Groups& all_;
  std::unordered_set<int> inside_;
  int last_ = 0;
  std::size_t looks_ = 0;
  std::unordered_set<int> seen_[2];
  std::vector<Reached> stack_;
};

bool Groups::can_merge(std::span<const int> groups, bool with_views) const {
  WayBack search(*this, groups);
  const bool way_back = search.exists(with_views);
  looks_ += search.looks();
  return !way_back;
}

void Groups::merge(std::span<const int> groups, Claim claim, std::string_view fusion, const Backend* backend) {
  const auto before = [&](const Ref& a, const Ref& b) { return order_.at(a.node()) < order_.at(b.node()); };
  std::vector<Ref> nodes = std::move(groups_[static_cast<std::size_t>(groups[0])].nodes);
  std::vector<int>& orders = group_orders_[static_cast<std::size_t>(groups[0])];
  for (int g : groups.subspan(1)) {
    Group& from = groups_[static_cast<std::size_t>(g)];
    std::vector<int>& others = group_orders_[static_cast<std::size_t>(g)];
    for (int order : others) of_[static_cast<std::size_t>(order)] = groups[0];
    orders.insert(orders.end(), others.begin(), others.end());
    others.clear();
    const auto middle = static_cast<std::ptrdiff_t>(nodes.size());
    nodes.insert(nodes.end(), from.nodes.begin(), from.nodes.end());
    if (before(nodes[static_cast<std::size_t>(middle)], nodes[static_cast<std::size_t>(middle) - 1]))
      std::inplace_merge(nodes.begin(), nodes.begin() + middle, nodes.end(), before);
    from = {};
  }
  std::ranges::sort(orders);
  add_stretch(orders.front(), orders.back());
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
