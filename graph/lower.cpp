// From nodes to steps.
#include <fmt/format.h>

#include <cstdlib>
#include <unordered_map>
#include <unordered_set>

#include "graph/builder.h"
#include "graph/plan.h"
#include "graph/verify.h"
#include "graph/views.h"
#include "ops/error.h"

namespace cotan {
namespace {

// A result of a node as memory: a view of a buffer, and the steps that must have ended before it may be read.
struct Value {
  View view;
  int buffer = 0;
  std::vector<int> after;
};

// Every stage is checked in debug builds, and where COTAN_VERIFY is set, as the tests set it.
bool verifying() {
#ifdef NDEBUG
  static const bool asked = std::getenv("COTAN_VERIFY") != nullptr;
  return asked;
#else
  return true;
#endif
}

class Lowering {
 public:
  Lowering(const Function& function, std::span<Node* const> order, const CompileOptions& options) : function_(function), options_(options) {
    for (std::size_t i = 0; i < order.size(); ++i) positions_.try_emplace(order[i], static_cast<int>(i));
  }

  Plan run() {
    const std::vector<Ref> roots = inline_calls();
    if (verifying()) {
      verify(function_);
      verify({function_.name, function_.parameters, roots, {}});
    }
    for (std::size_t i = 0; i < function_.parameters.size(); ++i) add_parameter(function_.parameters[i], static_cast<int>(i));
    const std::vector<Node*> all = topological(roots);
    find_needed(roots, all);
    for (Node* n : all) {
      if (!needed_.contains(n)) continue;
      position_ = position_of(n);
      add_node(Ref(n));
    }
    add_results(roots);
    return std::move(plan_);
  }

 private:
  int position_of(const Node* n) const {
    auto found = positions_.find(n);
    return found != positions_.end() ? found->second : position_;
  }

  // ---- claims

  // A backend's answer for a node, asked for once.
  const Match& match_of(const Ref& node, std::size_t backend) {
    Answers& answers = answers_[node.node()];
    answers.node = node;
    while (answers.matches.size() <= backend) answers.matches.push_back(backends()[answers.matches.size()]->match(node, options_.backends));
    return answers.matches[backend];
  }

  // The first claim on a node, if there is one.
  const Claim* claim_of(const Ref& node) {
    for (std::size_t b = 0; b < backends().size(); ++b)
      if (const auto* claim = std::get_if<Claim>(&match_of(node, b))) return claim;
    return nullptr;
  }

  // Which nodes are computed and which claims make extra memory: backwards from the results, since a claim may read less than its node's operands. Checks stay.
  void find_needed(std::span<const Ref> roots, std::span<Node* const> all) {
    for (const Ref& r : roots) needed_.insert(r.node());
    for (std::size_t i = all.size(); i-- > 0;) {
      Node* const n = all[i];
      if (n->kind == Kind::check) needed_.insert(n);
      if (n->operand_count == 0 || !needed_.contains(n)) continue;
      const bool may_be_view = n->operand_count == 1 && (n->kind == Kind::sum || n->kind == Kind::stop_gradient || n->kind == Kind::check);
      const Claim* claim = may_be_view ? nullptr : claim_of(Ref(n));
      if (claim == nullptr) {
        for (const Edge& e : n->operands()) needed_.insert(e.node);
        continue;
      }
      for (const Ref& r : claim->inputs) needed_.insert(r.node());
      for (const Ref& partner : claim->wants) {
        wanted_.insert(partner.node());
        for (const Edge& e : partner->operands()) needed_.insert(e.node);
      }
    }
  }

  // ---- calls

  // The roots with every call that nobody claims replaced by its body. Bodies nest only as deep as composites are written.
  std::vector<Ref> inline_calls() {
    std::unordered_map<Edge, Ref, RefHash> to;
    inline_into(function_.results, to);
    return mapped(function_.results, to);
  }

  static std::vector<Ref> mapped(std::span<const Ref> refs, const std::unordered_map<Edge, Ref, RefHash>& to) {
    std::vector<Ref> out;
    for (const Ref& r : refs) {
      auto found = to.find(r.edge());
      out.push_back(found != to.end() ? found->second : r);
    }
    return out;
  }

  void inline_into(std::span<const Ref> roots, std::unordered_map<Edge, Ref, RefHash>& to) {
    for (Node* n : topological(roots)) {
      if (n->operand_count == 0) continue;
      const int outer = position_;
      position_ = position_of(n);
      std::vector<Ref> operands;
      bool same = true;
      for (const Edge& e : n->operands()) {
        operands.push_back(mapped(std::vector{Ref(e)}, to)[0]);
        same &= operands.back().edge() == e;
      }
      std::vector<Ref> made;
      if (!same)
        made = graph::rebuild(*n, operands);
      else
        for (std::uint32_t r = 0; r < n->result_count(); ++r) made.emplace_back(n, r);
      if (made[0]->kind == Kind::call && claim_of(made[0]) == nullptr) {
        const CallSpec& c = made[0]->as<CallSpec>();
        std::unordered_map<Edge, Ref, RefHash> inside;
        for (std::size_t k = 0; k < operands.size(); ++k) inside.try_emplace(c.body->parameters[k].edge(), operands[k]);
        const auto body = c.body;
        inline_into(body->results, inside);
        made = mapped(body->results, inside);
      }
      for (std::uint32_t r = 0; r < made.size(); ++r) {
        positions_.try_emplace(made[r].node(), position_);
        to.try_emplace(Edge{n, r}, made[r]);
      }
      position_ = outer;
    }
  }

  // ---- buffers and steps

  int add_buffer(BufferKind kind, int index, std::size_t bytes) {
    plan_.buffers.push_back({kind, index, bytes, 0, 0, 0});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  static std::size_t bytes_of(DType dtype, const Shape& shape) { return static_cast<std::size_t>(shape.elements()) * size_of(dtype); }

  void add_parameter(const Ref& p, int index) {
    const auto& leaf = p->as<LeafSpec>();
    plan_.parameter_roles.push_back(leaf.role);
    plan_.parameter_types.push_back(p.dtype());
    Value v{View::dense(p.dtype(), p.shape()), add_buffer(BufferKind::parameter, index, bytes_of(p.dtype(), p.shape())), {}};
    if (leaf.role == LeafRole::random)
      random_state_[p.node()] = v.buffer;
    else
      values_[p.edge()] = v;
  }

  Slot slot_of(const Value& v) const { return {v.buffer, static_cast<std::size_t>(v.view.offset) * size_of(v.view.dtype), is_whole(v)}; }

  [[nodiscard]] bool is_whole(const Value& v) const {
    return v.view.is_dense() && v.view.offset == 0 && plan_.buffers[static_cast<std::size_t>(v.buffer)].bytes == bytes_of(v.view.dtype, v.view.shape);
  }

  static void merge(std::vector<int>& into, const std::vector<int>& from) {
    for (int s : from)
      if (std::find(into.begin(), into.end(), s) == into.end()) into.push_back(s);
  }

  int add_step(KernelRef kernel, std::span<const Value> inputs, std::span<const Value> outputs, bool in_place) {
    Step step;
    step.kernel = std::move(kernel);
    step.node = position_;
    step.in_place = in_place;
    step.inputs = static_cast<int>(inputs.size());
    for (const Value& v : inputs) {
      step.slots.push_back(slot_of(v));
      merge(step.after, v.after);
    }
    for (const Value& v : outputs) step.slots.push_back(slot_of(v));
    plan_.steps.push_back(std::move(step));
    return static_cast<int>(plan_.steps.size()) - 1;
  }

  Value fresh_value(const ResultType& type) {
    return {View::dense(type.dtype, type.shape), add_buffer(BufferKind::arena, 0, bytes_of(type.dtype, type.shape)), {}};
  }

  const Value& value_of(const Edge& e) const {
    auto found = values_.find(e);
    if (found == values_.end()) throw InternalError(fmt::format("a {} node has no value yet", name_of(e.node->kind)));
    return found->second;
  }

  // The same, computed now if it is not there: a claim that was counted on gave no kernel, or another one wants this claim's extra memory.
  const Value& computed(const Ref& r) {
    if (!values_.contains(r.edge())) {
      const int reader = position_;
      const Ref roots[] = {r};
      for (Node* n : topological(roots, [&](Node& m) { return values_.contains(Edge{&m, 0}); })) {
        position_ = position_of(n);
        add_node(Ref(n));
      }
      position_ = reader;
    }
    return value_of(r.edge());
  }

  void add_node(const Ref& node) {
    if (values_.contains(node.edge())) return;
    switch (node->kind) {
      case Kind::stop_gradient: values_[node.edge()] = value_of(node->operands()[0]); return;
      case Kind::check: add_check(node); return;
      case Kind::leaf:
        if (node->as<LeafSpec>().role == LeafRole::random) {
          add_random(node);
          return;
        }
        break;
      case Kind::sum:
        if (node->operand_count == 1) {
          const Value& x = value_of(node->operands()[0]);
          if (auto view = view_through(*node.node(), x.view)) {
            values_[node.edge()] = {*view, x.buffer, x.after};
            return;
          }
        }
        break;
      default: break;
    }
    add_claimed(node);
  }

  void add_claimed(const Ref& node) {
    for (std::size_t b = 0; b < backends().size(); ++b) {
      const Backend& backend = *backends()[b];
      const Match& match = match_of(node, b);
      if (const auto* why = std::get_if<Reason>(&match))
        note_miss(backend, *why);
      else if (compile_claim(backend, node, std::get<Claim>(match)))
        return;
    }
    throw InternalError(fmt::format("no backend takes a {} node", name_of(node->kind)));
  }

  void note_miss(const Backend& backend, const Reason& why) {
    if (why.code != ReasonCode::not_recognised) plan_.report.misses.push_back({std::string(backend.name()), position_, why});
  }

  bool compile_claim(const Backend& backend, const Ref& node, const Claim& claim) {
    std::vector<Value> inputs, outputs;
    std::vector<View> in, out;
    for (const Ref& r : claim.inputs) inputs.push_back(computed(r));
    for (const Ref& partner : claim.wants) {
      computed(partner);
      const auto found = extras_.find(partner.node());
      if (found == extras_.end() || found->second.first != &backend) {
        note_miss(backend, {ReasonCode::partner_missing, fmt::format("a {} node", name_of(partner->kind))});
        return false;
      }
      inputs.push_back(found->second.second);
    }
    for (const Value& v : inputs) in.push_back(v.view);
    for (const Ref& r : claim.results) out.push_back(View::dense(r.dtype(), r.shape()));
    const bool extra = claim.extra && wanted_.contains(node.node());
    if (extra) out.push_back(View::dense(claim.extra->dtype, claim.extra->shape));
    Made made = claim.compile(in, out, options_.threads);
    for (std::size_t tries = 0; !made.kernel && made.copy_operand >= 0 && tries < in.size(); ++tries) {
      const auto k = static_cast<std::size_t>(made.copy_operand);
      plan_.report.misses.push_back({fmt::format("{}: operand {} copied", backend.name(), k), position_, made.reason});
      inputs[k] = dense_copy(inputs[k], {in[k].dtype, in[k].shape});
      in[k] = inputs[k].view;
      made = claim.compile(in, out, options_.threads);
    }
    if (!made.kernel) {
      note_miss(backend, made.reason);
      return false;
    }
    made.parts.resize(out.size(), 1);
    for (std::size_t r = 0; r < out.size(); ++r) {
      Shape shape = out[r].shape;
      if (made.parts[r] > 1) shape.insert(0, made.parts[r]);
      outputs.push_back(fresh_value({out[r].dtype, shape}));
    }
    const int step = add_step(std::move(made.kernel), inputs, outputs, claim.in_place);
    for (Value& v : outputs) v.after = {step};
    for (std::size_t r = 0; r < claim.results.size(); ++r) values_[claim.results[r].edge()] = made.parts[r] > 1 ? added_up(outputs[r]) : outputs[r];
    if (extra) extras_.insert_or_assign(node.node(), std::pair(&backend, outputs.back()));
    return true;
  }

  // The sum of a result's parts.
  Value added_up(const Value& parts) {
    Shape shape = parts.view.shape;
    shape.erase(0);
    const Ref sum = graph::sum(graph::parameter("parts", parts.view.dtype, parts.view.shape), {.dim = 0});
    const View in[] = {parts.view}, out[] = {View::dense(parts.view.dtype, shape)};
    for (const Backend* backend : backends()) {
      const Match match = backend->match(sum, options_.backends);
      const auto* claim = std::get_if<Claim>(&match);
      if (claim == nullptr) continue;
      Made made = claim->compile(in, out, options_.threads);
      if (!made.kernel) continue;
      Value whole = fresh_value({out[0].dtype, shape});
      const Value ins[] = {parts}, outs[] = {whole};
      whole.after = {add_step(std::move(made.kernel), ins, outs, false)};
      return whole;
    }
    throw InternalError("no backend adds up parts");
  }

  Value dense_copy(const Value& from, const ResultType& type) {
    Value to = fresh_value(type);
    const Value in[] = {from}, out[] = {to};
    to.after = {add_step(compile_copy(from.view, to.view), in, out, false)};
    return to;
  }

  void add_check(const Ref& node) {
    const Value& x = value_of(node->operands()[0]);
    const Value in[] = {x};
    const auto& spec = node->as<CheckSpec>();
    const int step = add_step(compile_check(spec, x.view), in, {}, false);
    plan_.steps.back().is_check = true;
    plan_.steps.back().check = spec;
    Value checked = x;
    checked.after.push_back(step);
    values_[node.edge()] = checked;
  }

  void add_random(const Ref& node) {
    const Value state{View{}, random_state_.at(node.node()), {}};
    Value out = fresh_value({node.dtype(), node.shape()});
    const Value in[] = {state}, outs[] = {out};
    out.after = {add_step(compile_random(out.view), in, outs, false)};
    values_[node.edge()] = out;
  }

  // ---- results

  void add_results(std::span<const Ref> roots) {
    std::unordered_map<Edge, int, RefHash> done;
    for (std::size_t r = 0; r < roots.size(); ++r) {
      auto [it, first] = done.try_emplace(roots[r].edge(), 0);
      if (!first) {
        plan_.result_buffers.push_back(it->second);
        continue;
      }
      Value v = value_of(roots[r].edge());
      position_ = position_of(roots[r].node());
      const Buffer& b = plan_.buffers[static_cast<std::size_t>(v.buffer)];
      const bool whole = is_whole(v);
      const bool returned_parameter = whole && b.kind == BufferKind::parameter && is_tensor(b.index);
      if (!returned_parameter && (!whole || b.kind != BufferKind::arena)) {
        plan_.report.misses.push_back({"view", position_, {ReasonCode::result_is_view, "copied into memory of its own"}});
        v = dense_copy(v, {v.view.dtype, v.view.shape});
      }
      Buffer& mine = plan_.buffers[static_cast<std::size_t>(v.buffer)];
      if (mine.kind == BufferKind::arena) {
        mine.kind = BufferKind::result;
        mine.index = static_cast<int>(r);
      }
      it->second = v.buffer;
      plan_.result_buffers.push_back(v.buffer);
    }
  }

  [[nodiscard]] bool is_tensor(int parameter) const {
    const LeafRole role = plan_.parameter_roles[static_cast<std::size_t>(parameter)];
    return role != LeafRole::scalar && role != LeafRole::random;
  }

  const Function& function_;
  const CompileOptions& options_;
  Plan plan_;
  std::unordered_map<const Node*, int> positions_;
  std::unordered_map<Edge, Value, RefHash> values_;
  std::unordered_map<const Node*, int> random_state_;
  struct Answers {
    Ref node;  // kept, so that its address stays its own
    std::vector<Match> matches;
  };
  std::unordered_map<const Node*, Answers> answers_;
  std::unordered_set<const Node*> needed_, wanted_;
  std::unordered_map<const Node*, std::pair<const Backend*, Value>> extras_;
  int position_ = 0;
};

}  // namespace

Plan lower(const Function& function, std::span<Node* const> order, const CompileOptions& options) { return Lowering(function, order, options).run(); }

}  // namespace cotan
