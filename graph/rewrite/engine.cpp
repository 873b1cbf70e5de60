#include "graph/rewrite/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <unordered_map>

#include "graph/builder.h"
#include "graph/rewrite/live.h"
#include "graph/rewrite/replacement.h"
#include "graph/text/text.h"
#include "ops/error.h"

namespace cotan::rewrite {
namespace {

bool on(const Rule& rule, const Options& options) {
  return rule.rule_class == RuleClass::exact ? options.exact : rule.rule_class == RuleClass::stable ? options.stable : options.fast;
}

// The node's own statement, its operands standing as parameters.
std::string statement(const Ref& node) {
  std::vector<Ref> seen, in;
  Function alone;
  for (const Edge& e : node->operands()) {
    auto found = std::find(seen.begin(), seen.end(), Ref(e));
    if (found == seen.end()) {
      alone.parameters.push_back(graph::parameter(fmt::format("#{}", seen.size()), Ref(e).dtype(), Ref(e).shape()));
      found = seen.insert(found, Ref(e));
    }
    in.push_back(alone.parameters[static_cast<std::size_t>(found - seen.begin())]);
  }
  alone.results = node->kind == Kind::leaf ? std::vector<Ref>{node} : graph::rebuild(*node.node(), in);
  return to_text(alone);
}

class Rewriter {
 public:
  Rewriter(const Function& function, const RuleSet& rules, const Options& options, Report& report)
      : function_(function), rules_(rules), options_(options), report_(report), order_(topological(function.results)), live_(function, order_.size() * 5 / 4) {
    settled_.reserve(order_.size() * 5 / 4);
    if (report.rules.empty())
      for (const Rule& rule : rules.rules()) report.rules.push_back({rule.name, 0, 0, 0});
    for (const Rule& rule : rules.rules()) {
      active_.push_back(on(rule, options));
      if (rule.step && active_.back()) steps_[static_cast<std::size_t>(rule.root)].push_back(active_.size() - 1);
    }
  }

  // One walk. Whether it changed anything.
  Function run(bool& changed) {
    for (const Ref& p : function_.parameters) settled_.emplace(p.edge(), p);
    Function out{function_.name, function_.parameters, {}, function_.result_names};
    for (Node* n : order_) settle(Ref(n));
    for (const Ref& r : function_.results) out.results.push_back(settled_.at(r.edge()));
    changed = changed_;
    return out;
  }

  [[nodiscard]] const Measure& total() const { return live_.total(); }

 private:
  void settle(const Ref& first) {
    std::vector<Ref>& stack = stack_;
    stack.push_back(first);
    while (!stack.empty()) {
      const Ref n = stack.back();
      if (settled_.contains(Edge{n.node(), 0})) {
        stack.pop_back();
        continue;
      }
      if (const auto next = becomes_.find(n.node()); next != becomes_.end()) {
        const Ref to = next->second;
        if (const auto done = settled_.find(to.edge()); done != settled_.end()) {
          settled_.emplace(n.edge(), Ref(done->second));
          stack.pop_back();
        } else {
          if (++steps_taken_ > 100 * order_.size() + 10000) throw InternalError("rewriting goes round in circles");
          stack.push_back(to->result_count() > 1 ? Ref(to.node()) : to);
        }
        continue;
      }
      const std::size_t before = stack.size();
      for (const Edge& e : n->operands())
        if (!settled_.contains(Edge{e.node, 0})) stack.emplace_back(e.node, 0);
      if (stack.size() > before) continue;
      finish(n);
    }
  }

  // All operands are settled: the node on them, rewritten or settled itself.
  void finish(const Ref& n) {
    operands_.clear();
    bool same = true;
    for (const Edge& e : n->operands()) {
      operands_.push_back(settled_.at(e));
      same &= operands_.back().edge() == e;
    }
    Ref now = n;
    if (!same) {
      const std::vector<Ref> made = graph::rebuild(*n.node(), operands_);
      now = made[0];
      if (n->result_count() > 1) {
        live_.replace(n, now);
        tell({n}, now);
        for (std::uint32_t r = 0; r < n->result_count(); ++r) {
          settled_.try_emplace(Edge{n.node(), r}, made[r]);
          settled_.try_emplace(made[r].edge(), made[r]);
        }
        return;
      }
      if (now != n) {
        live_.replace(n, now);
        tell({n}, now);
        becomes_.emplace(n.node(), now);
        return;
      }
    }
    if (n->result_count() > 1) {
      for (std::uint32_t r = 0; r < n->result_count(); ++r) settled_.try_emplace(Edge{n.node(), r}, Ref(n.node(), r));
      return;
    }
    if (live_.readers(n.node()) > 0 && apply_some_rule(n)) return;
    settled_.emplace(n.edge(), n);
  }

  bool apply_some_rule(const Ref& n) {
    if (n->kind == Kind::map) {
      const auto& nodes = n->formula().nodes;
      for (std::size_t i = nodes.size(); i-- > 0;) {
        if (arity_of(nodes[i].atom) == 0) continue;
        for (const TypedRule& typed : rules_.with_root(nodes[i].atom))
          if (active_[typed.number] && timed(typed.number, [&] { return apply(typed, n, static_cast<int>(i)); })) return true;
      }
    }
    for (std::size_t number : steps_[static_cast<std::size_t>(n->kind)])
      if (timed(number, [&] { return apply_step(number, n); })) return true;
    return false;
  }

  template <class F>
  bool timed(std::size_t number, F&& f) {
    if (!options_.trace) return f();
    const auto start = std::chrono::steady_clock::now();
    const bool done = f();
    report_.rules[number].seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return done;
  }

  bool apply(const TypedRule& typed, const Ref& n, int at) {
    if (typed.left.formula->dtype() != n->formula().nodes[static_cast<std::size_t>(at)].dtype) return false;
    const auto found = match(typed.left, typed.rule->variables, term_at(*n.node(), at));
    if (!found) return false;
    for (const Condition& c : typed.rule->conditions)
      if (!c.holds(*found->variables[static_cast<std::size_t>(typed.rule->variables.number(c.variable))])) return false;
    std::vector<Ref> calls;
    const Ref made = replaced_in(n, at, typed.right, *found, calls);
    return accept(typed.number, n, made, calls, found->nodes);
  }

  bool apply_step(std::size_t number, const Ref& n) {
    const Ref made = rules_.rules()[number].step(n);
    if (!made) return false;
    std::vector<const Node*> operands;
    for (const Edge& e : n->operands()) operands.push_back(e.node);
    return accept(number, n, made, {}, operands);
  }

  bool accept(std::size_t number, const Ref& n, const Ref& made, const std::vector<Ref>& calls, std::vector<const Node*> consumed) {
    const Rule& rule = rules_.rules()[number];
    if (made.dtype() != n.dtype() || !(made.shape() == n.shape()))
      throw InternalError(
          fmt::format("rule '{}' makes {} {} of {} {}", rule.name, name_of(made.dtype()), made.shape().text(), name_of(n.dtype()), n.shape().text()));
    const bool computed = std::all_of(calls.begin(), calls.end(), [&](const Ref& c) { return !options_.accepts_call || options_.accepts_call(c); });
    if (!computed || !live_.replace_if_lower(n, made)) {
      ++report_.rules[number].refused;
      return false;
    }
    ++report_.rules[number].hits;
    changed_ = true;
    becomes_.emplace(n.node(), made);
    std::vector<Ref> from{n};
    std::sort(consumed.begin(), consumed.end());
    consumed.erase(std::unique(consumed.begin(), consumed.end()), consumed.end());
    for (const Node* c : consumed)
      if (live_.readers(c) == 0 && c != n.node()) from.emplace_back(const_cast<Node*>(c));
    tell(from, made);
    if (options_.trace) report_.trace.push_back({rule.name, statement(n), statement(made), live_.total()});
    return true;
  }

  void tell(const std::vector<Ref>& from, const Ref& made) {
    if (options_.replaced) options_.replaced(from, made);
  }

  const Function& function_;
  const RuleSet& rules_;
  const Options& options_;
  Report& report_;
  std::vector<Node*> order_;
  LiveGraph live_;
  std::vector<char> active_;
  std::array<std::vector<std::size_t>, static_cast<std::size_t>(Kind::barrier) + 1> steps_;
  std::unordered_map<Edge, Ref, RefHash> settled_;
  std::unordered_map<const Node*, Ref> becomes_;
  std::vector<Ref> operands_, stack_;
  std::size_t steps_taken_ = 0;
  bool changed_ = false;
};

}  // namespace

Function rewrite(const Function& function, const RuleSet& rules, const Options& options, Report* report) {
  Report own;
  Report& r = report != nullptr ? *report : own;
  r = {};
  Function now = function;
  for (bool changed = true; changed;) {
    Rewriter walk(now, rules, options, r);
    if (r.walks++ == 0) r.before = walk.total();
    Function next = walk.run(changed);
    r.after = walk.total();
    now = std::move(next);
  }
  return now;
}

std::string explain(const Rule& rule, const Ref& node) {
  if (!rule.left) return fmt::format("rule '{}' is a step", rule.name);
  if (node->kind != Kind::map) return fmt::format("the node is a {}, not a map", name_of(node->kind));
  std::string best = fmt::format("no atom of the formula is the root of '{}'", rule.name);
  for (DType dtype : types_of(rule.types)) {
    const Piece left = compiled(*rule.left, rule.variables, dtype, dtype);
    const auto& nodes = node->formula().nodes;
    for (std::size_t i = nodes.size(); i-- > 0;) {
      if (nodes[i].atom != left.formula->nodes.back().atom || nodes[i].dtype != left.formula->dtype()) continue;
      std::string why;
      const auto found = match(left, rule.variables, term_at(*node.node(), static_cast<int>(i)), &why);
      if (!found) {
        best = why;
        continue;
      }
      std::string failed;
      for (const Condition& c : rule.conditions)
        if (!c.holds(*found->variables[static_cast<std::size_t>(rule.variables.number(c.variable))])) failed = fmt::format("{} does not hold", c.name);
      if (failed.empty()) return "";
      best = failed;
    }
  }
  return best;
}

const RuleRecord* Report::find(std::string_view name) const {
  for (const RuleRecord& r : rules)
    if (r.name == name) return &r;
  return nullptr;
}

std::string Report::text() const {
  std::string out = fmt::format("before: {}\nafter:  {}, {} walks\n", before.text(), after.text(), walks);
  for (const RuleRecord& r : rules)
    if (r.hits + r.refused > 0) out += fmt::format("{:>6} hits {:>6} refused {:>9.1f} us  {}\n", r.hits, r.refused, 1e6 * r.seconds, r.name);
  for (const TraceEntry& t : trace) out += fmt::format("\n{} ({})\n{}{}", t.rule, t.measure.text(), t.before, t.after);
  return out;
}

}  // namespace cotan::rewrite
