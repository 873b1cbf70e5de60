// From nodes to steps.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "graph/builder.h"
#include "graph/fusion/fusion.h"
#include "graph/plan.h"
#include "graph/promises.h"
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

class Lowering {
 public:
  Lowering(const Function& function, std::span<Node* const> order, const CompileOptions& options)
      : options_(options),
        order_(order),
        positions_(order),
        claims_(options.backends),
        context_{options, positions_, claims_},
        results_(function.results.size()) {
    function_ = run_passes(function, context_, plan_.report.passes);
    plan_.report.misses = std::move(context_.misses);
  }

  // A tile's function, which has been through the passes. `extras`: nodes whose claims' extra memory is a result as well.
  Lowering(const Function& function, std::span<const Ref> extras, std::span<const View> parameters, const CompileOptions& options)
      : options_(options),
        positions_({}),
        claims_(options.backends),
        context_{options, positions_, claims_},
        results_(function.results.size()),
        function_(function),
        parameters_(parameters),
        extra_results_(extras) {
    for (const Ref& r : extras) wanted_.insert(r.node());
  }

  Plan run() {
    Groups groups(function_, context_);
    run_fusions(groups, plan_.report.passes);
    groups_ = &groups;
    for (std::size_t i = 0; i < function_.parameters.size(); ++i) add_parameter(function_.parameters[i], static_cast<int>(i));
    for (Node* n : needed_in_order()) add_unit(n);
    add_results(std::span<const Ref>(function_.results).first(results_));
    add_extra_results();
    for (MissReport& miss : groups.take_misses()) plan_.report.misses.push_back(std::move(miss));
    if (!order_.empty()) plan_.report.broken = broken_promises(function_, order_, context_, plan_);
    return std::move(plan_);
  }

 private:
  // ---- what is computed, and when

  // What a node's unit, its group or itself alone, reads.
  std::vector<Node*> read_by(Node* n) const {
    std::vector<Node*> out;
    const int group = groups_->of(n);
    if (group < 0) {
      for (const Edge& e : n->operands()) out.push_back(e.node);
      return out;
    }
    for (const Ref& r : (*groups_)[group].claim.inputs) out.push_back(r.node());
    for (const Ref& r : (*groups_)[group].claim.wants) out.push_back(r.node());
    return out;
  }

  // One node for each unit that is needed, so that what a unit reads comes before it. Never recurses.
  std::vector<Node*> needed_in_order() {
    std::vector<Node*> order, roots;
    std::unordered_set<Node*> seen, done;
    auto representative = [&](Node* n) {
      const int group = groups_->of(n);
      return group < 0 ? n : (*groups_)[group].nodes.front().node();
    };
    for (Node* n : topological(function_.results))
      if (n->kind == Kind::check) roots.push_back(n);
    for (const Ref& r : function_.results) roots.push_back(r.node());
    std::vector<std::pair<Node*, std::vector<Node*>>> stack;
    for (Node* root : roots) {
      if (!seen.insert(representative(root)).second) continue;
      stack.emplace_back(representative(root), read_by(root));
      while (!stack.empty()) {
        auto& [node, left] = stack.back();
        if (left.empty()) {
          order.push_back(node);
          done.insert(node);
          stack.pop_back();
          continue;
        }
        Node* const next = representative(left.back());
        left.pop_back();
        if (seen.insert(next).second)
          stack.emplace_back(next, read_by(next));
        else if (!done.contains(next))
          throw InternalError(fmt::format("groups of nodes wait for each other: %{} and what it reads\n{}", groups_->order_of(next), groups_->text()));
      }
    }
    for (Node* n : order) {
      const int group = groups_->of(n);
      if (group < 0) continue;
      for (const Ref& partner : (*groups_)[group].claim.wants) wanted_.insert(partner.node());
    }
    return order;
  }

  void set_position(const Node* n) {
    const auto of = positions_.of(n);
    if (!of.empty()) here_.assign(of.begin(), of.end());
    places_.clear();
    if (const int place = groups_->place_of(n); place >= 0) places_ = {place};
  }

  void add_unit(Node* n) {
    const int group = groups_->of(n);
    if (group < 0 || (*groups_)[group].nodes.size() == 1) {
      if (group >= 0 && !(*groups_)[group].fusion.empty() && add_fused((*groups_)[group])) return;
      set_position(n);
      add_node(Ref(n));
      return;
    }
    if (add_fused((*groups_)[group])) return;
    for (const Ref& member : (*groups_)[group].nodes) computed(member);
  }

  // The group's own claim as one step; false where there is no kernel for the memory as it lies.
  bool add_fused(const Group& group) {
    here_.clear();
    places_.clear();
    for (const Ref& n : group.nodes) {
      if (const int place = groups_->place_of(n.node()); place >= 0) places_.push_back(place);
      const auto of = positions_.of(n.node());
      here_.insert(here_.end(), of.begin(), of.end());
    }
    std::sort(here_.begin(), here_.end());
    here_.erase(std::unique(here_.begin(), here_.end()), here_.end());
    if (here_.empty()) here_.push_back(0);
    return compile_claim(group.backend, group.fusion, group.claim, group.extras);
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
    Value v{parameters_.empty() ? View::dense(p.dtype(), p.shape()) : parameters_[static_cast<std::size_t>(index)],
            add_buffer(BufferKind::parameter, index, bytes_of(p.dtype(), p.shape())),
            {}};
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
    step.nodes = here_;
    step.places = places_;
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
      const std::vector<int> reader = here_, reader_places = places_;
      const Ref roots[] = {r};
      for (Node* n : topological(roots, [&](const Node& m) { return values_.contains(Edge{const_cast<Node*>(&m), 0}); })) {
        set_position(n);
        add_node(Ref(n));
      }
      here_ = reader;
      places_ = reader_places;
    }
    return value_of(r.edge());
  }

  void add_node(const Ref& node) {
    if (values_.contains(node.edge())) return;
    switch (node->kind) {
      case Kind::stop_gradient: values_[node.edge()] = value_of(node->operands()[0]); return;
      case Kind::check: add_check(node); return;
      case Kind::barrier: {
        Value waiting = value_of(node->operands()[0]);
        merge(waiting.after, value_of(node->operands()[1]).after);
        values_[node.edge()] = std::move(waiting);
        return;
      }
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
      const Match match = claims_.match(node, b);  // a copy: computing what the claim reads asks for more
      if (const auto* why = std::get_if<Reason>(&match))
        note_miss(backend.name(), *why);
      else if (const auto& claim = std::get<Claim>(match); compile_claim(&backend, backend.name(), claim, extras_of(node, claim, backend)))
        return;
    }
    throw InternalError(fmt::format("no backend takes a {} node", name_of(node->kind)));
  }

  void note_miss(std::string_view what, const Reason& why) {
    if (why.code != ReasonCode::not_recognised) plan_.report.misses.push_back({std::string(what), here_[0], why});
  }

  // What others want of the node's own claim.
  [[nodiscard]] std::vector<ExtraResult> extras_of(const Ref& node, const Claim& claim, const Backend& backend) const {
    if (!claim.extra || !wanted_.contains(node.node())) return {};
    return {{node, *claim.extra, &backend}};
  }

  // `what`: the backend's or the fusion's name, for reports.
  bool compile_claim(const Backend* backend, std::string_view what, const Claim& claim, std::span<const ExtraResult> extras) {
    std::vector<Value> inputs, outputs;
    std::vector<View> in, out;
    for (const Ref& r : claim.inputs) inputs.push_back(computed(r));
    for (const Ref& partner : claim.wants) {
      if (!extras_.contains(partner.node())) computed(partner);
      const auto found = extras_.find(partner.node());
      if (found == extras_.end() || found->second.first != backend) {
        note_miss(what, {ReasonCode::partner_missing, fmt::format("a {} node", name_of(partner->kind))});
        return false;
      }
      inputs.push_back(found->second.second);
    }
    for (const Value& v : inputs) in.push_back(v.view);
    for (const Ref& r : claim.results) out.push_back(View::dense(r.dtype(), r.shape()));
    for (const ExtraResult& e : extras) out.push_back(View::dense(e.type.dtype, e.type.shape));
    Made made = claim.compile(in, out, options_.grid());
    for (std::size_t tries = 0; !made.kernel && made.copy_operand >= 0 && tries < in.size(); ++tries) {
      const auto k = static_cast<std::size_t>(made.copy_operand);
      plan_.report.misses.push_back({fmt::format("{}: operand {} copied", what, k), here_[0], made.reason});
      inputs[k] = dense_copy(inputs[k], {in[k].dtype, in[k].shape});
      in[k] = inputs[k].view;
      made = claim.compile(in, out, options_.grid());
    }
    if (!made.kernel) {
      note_miss(what, made.reason);
      return false;
    }
    made.parts.resize(out.size(), 1);
    for (std::size_t r = 0; r < out.size(); ++r) {
      Shape shape = out[r].shape;
      if (made.parts[r] > 1) shape.insert(0, made.parts[r]);
      outputs.push_back(fresh_value({out[r].dtype, shape}));
    }
    const int step = add_step(std::move(made.kernel), inputs, outputs, claim.in_place);
    plan_.steps.back().elementwise = claim.in_place && claim.loop;
    for (Value& v : outputs) v.after = {step};
    for (std::size_t r = 0; r < claim.results.size(); ++r) values_[claim.results[r].edge()] = made.parts[r] > 1 ? added_up(outputs[r]) : outputs[r];
    for (std::size_t k = 0; k < extras.size(); ++k)
      extras_.insert_or_assign(extras[k].node.node(), std::pair(extras[k].backend, outputs[claim.results.size() + k]));
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
      Made made = claim->compile(in, out, options_.grid());
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
    to.after = {add_step(compile_copy(from.view, to.view, options_.backends.target.instructions), in, out, false)};
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
    const auto found = random_state_.find(node.node());
    if (found == random_state_.end()) throw InternalError("random numbers that are no parameter of the function");
    const Value state{View{}, found->second, {}};
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
      set_position(roots[r].node());
      const Buffer& b = plan_.buffers[static_cast<std::size_t>(v.buffer)];
      const bool whole = is_whole(v);
      const bool returned_parameter = whole && b.kind == BufferKind::parameter && is_tensor(b.index);
      if (!returned_parameter && (!whole || b.kind != BufferKind::arena)) {
        plan_.report.misses.push_back({"view", here_[0], {ReasonCode::result_is_view, "copied into memory of its own"}});
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

  // Those that there is: a claim that was counted on may have given no kernel.
  void add_extra_results() {
    for (const Ref& r : extra_results_) {
      const auto found = extras_.find(r.node());
      if (found == extras_.end()) return;
      const int b = found->second.second.buffer;
      Buffer& buffer = plan_.buffers[static_cast<std::size_t>(b)];
      buffer.kind = BufferKind::result;
      buffer.index = static_cast<int>(plan_.result_buffers.size());
      plan_.result_buffers.push_back(b);
    }
  }

  [[nodiscard]] bool is_tensor(int parameter) const {
    const LeafRole role = plan_.parameter_roles[static_cast<std::size_t>(parameter)];
    return role != LeafRole::scalar && role != LeafRole::random;
  }

  const CompileOptions& options_;
  std::span<Node* const> order_;  // as recorded; empty for a tile
  Positions positions_;
  Claims claims_;
  PassContext context_;
  const std::size_t results_;  // how many the function has; those behind them are checks
  Plan plan_;
  Function function_;                 // after the passes
  std::span<const View> parameters_;  // of a tile
  std::span<const Ref> extra_results_;
  const Groups* groups_ = nullptr;
  std::unordered_map<Edge, Value, RefHash> values_;
  std::unordered_map<const Node*, int> random_state_;
  std::unordered_set<const Node*> wanted_;
  std::unordered_map<const Node*, std::pair<const Backend*, Value>> extras_;
  std::vector<int> here_{0};  // positions of what is lowered now
  std::vector<int> places_;   // and its nodes in the function's order
};

}  // namespace

Plan lower(const Function& function, std::span<Node* const> order, const CompileOptions& options) {
  Plan plan = Lowering(function, order, options).run();
  if (options.passes.enabled("fold_constants", true)) fold_constants(plan, options.backends.target);
  return plan;
}

Plan lower_tile(const Function& function, std::span<const Ref> extras, std::span<const View> parameters, const CompileOptions& options) {
  Plan plan = Lowering(function, extras, parameters, options).run();
  schedule(plan, options, true);
  verify_plan(plan);
  return plan;
}

}  // namespace cotan
