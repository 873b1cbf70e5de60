#include "autograd/differentiate.h"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "autograd/rules.h"
#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {
namespace {

void require_floating(const Ref& r, std::string_view what) {
  if (!is_floating(r.dtype()))
    fail(fmt::format("{} of type {} has no gradient", what, name_of(r.dtype())), "Only floating tensors have one: cast to f32 before the computation");
}

void require_type(const Ref& given, const Ref& wanted, std::string_view what) {
  if (given.shape() != wanted.shape() || given.dtype() != wanted.dtype())
    fail(fmt::format("a {} of {} {} for a tensor of {} {}", what, name_of(given.dtype()), given.shape().text(), name_of(wanted.dtype()), wanted.shape().text()),
         "Both have the same shape and type");
}

// The cotangents of a node's results while they are being collected.
class Adjoints {
 public:
  void add(const Edge& to, const Ref& g) {
    if (!g) return;
    Ref& sum = of_[to];
    sum = rules::plus(sum, g);
  }
  [[nodiscard]] Ref find(const Edge& e) const {
    auto found = of_.find(e);
    return found != of_.end() ? found->second : Ref{};
  }

 private:
  std::unordered_map<Edge, Ref, RefHash> of_;
};

// Nodes through which a gradient flows: floating results that depend on one of `wrt`.
std::unordered_set<const Node*> dependents(std::span<Node* const> order, const std::unordered_set<Edge, RefHash>& wrt) {
  std::unordered_set<const Node*> nodes;
  for (const Node* n : order) {
    if (n->kind == Kind::stop_gradient) continue;
    bool floating = false, depends = false;
    for (std::uint32_t r = 0; r < n->result_count(); ++r) floating |= is_floating(n->dtype_of(r));
    for (const Edge& e : n->operands()) depends |= is_floating(e.node->dtype_of(e.result)) && (wrt.contains(e) || nodes.contains(e.node));
    if (floating && depends) nodes.insert(n);
  }
  return nodes;
}

}  // namespace

std::vector<Ref> vjp(std::span<const Ref> outputs, std::span<const Ref> cotangents, std::span<const Ref> wrt) {
  std::unordered_set<Edge, RefHash> sources;
  for (const Ref& w : wrt) {
    require_floating(w, "a tensor");
    sources.insert(w.edge());
  }
  Adjoints adjoints;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    require_floating(outputs[i], "an output");
    require_type(cotangents[i], outputs[i], "cotangent");
    adjoints.add(outputs[i].edge(), cotangents[i]);
  }
  const std::vector<Node*> order = topological(outputs);
  const auto flows = dependents(order, sources);

  for (std::size_t i = order.size(); i-- > 0;) {
    Node* n = order[i];
    if (!flows.contains(n)) continue;
    auto wanted = [&](std::size_t k) {
      const Edge& e = n->operands()[k];
      return is_floating(e.node->dtype_of(e.result)) && (sources.contains(e) || flows.contains(e.node));
    };
    const Ref node(n);
    if (n->kind == Kind::call) {
      std::vector<Ref> results(n->result_count());
      bool any = false;
      for (std::uint32_t r = 0; r < results.size(); ++r) {
        results[r] = adjoints.find({n, r});
        any |= static_cast<bool>(results[r]);
      }
      if (!any) continue;
      std::vector<bool> asked;
      for (std::size_t k = 0; k < n->operand_count; ++k) asked.push_back(wanted(k));
      const std::vector<Ref> given = rules::call_adjoint(node, results, asked);
      for (std::size_t k = 0; k < given.size(); ++k) adjoints.add(n->operands()[k], given[k]);
      continue;
    }
    const Ref g = adjoints.find({n, 0});
    if (!g) continue;
    for (std::size_t k = 0; k < n->operand_count; ++k) {
      if (!wanted(k)) continue;
      switch (n->kind) {
        case Kind::map: adjoints.add(n->operands()[k], rules::map_adjoint(node, k, g)); break;
        case Kind::sum: adjoints.add(n->operands()[k], rules::sum_adjoint(node, k, g)); break;
        case Kind::reduce: adjoints.add(n->operands()[k], rules::reduce_adjoint(node, g)); break;
        case Kind::scan: adjoints.add(n->operands()[k], rules::scan_adjoint(node, k, g)); break;
        case Kind::cast: adjoints.add(n->operands()[k], rules::cast_adjoint(node, g)); break;
        default: break;
      }
    }
  }
  std::vector<Ref> result;
  for (const Ref& w : wrt) result.push_back(adjoints.find(w.edge()));
  return result;
}

std::vector<Ref> gradients(const Ref& output, std::span<const Ref> wrt, const Ref& seed) {
  require_floating(output, "an output");
  const Ref outputs[] = {output}, cotangents[] = {seed ? seed : graph::fill(1, output.dtype(), output.shape())};
  std::vector<Ref> result = vjp(outputs, cotangents, wrt);
  for (std::size_t i = 0; i < result.size(); ++i)
    if (!result[i]) result[i] = graph::fill(0, wrt[i].dtype(), wrt[i].shape());
  return result;
}

std::vector<Ref> jvp(std::span<const Ref> outputs, std::span<const Ref> wrt, std::span<const Ref> tangents) {
  std::unordered_map<Edge, Ref, RefHash> moving;
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    require_floating(wrt[i], "a tensor");
    require_type(tangents[i], wrt[i], "tangent");
    moving[wrt[i].edge()] = tangents[i];
  }
  for (const Ref& o : outputs) require_floating(o, "an output");
  auto tangent_of = [&](const Edge& e) {
    auto found = moving.find(e);
    return found != moving.end() ? found->second : Ref{};
  };
  for (Node* n : topological(outputs)) {
    std::vector<Ref> in;
    bool any = false;
    for (const Edge& e : n->operands()) {
      in.push_back(tangent_of(e));
      any |= static_cast<bool>(in.back());
    }
    if (!any) continue;
    const Ref node(n);
    auto keep = [&](std::uint32_t result, const Ref& t) {
      if (t) moving.try_emplace(Edge{n, result}, t);  // a node among `wrt` keeps the tangent it was given
    };
    switch (n->kind) {
      case Kind::map: keep(0, rules::map_tangent(node, in)); break;
      case Kind::sum: keep(0, rules::sum_tangent(node, in)); break;
      case Kind::reduce:
        if (is_floating(n->dtype)) keep(0, rules::reduce_tangent(node, in[0]));
        break;
      case Kind::scan: keep(0, rules::scan_tangent(node, in)); break;
      case Kind::cast: keep(0, rules::cast_tangent(node, in[0])); break;
      case Kind::call: {
        const std::vector<Ref> results = rules::call_tangent(node, in);
        for (std::uint32_t r = 0; r < results.size(); ++r) keep(r, results[r]);
        break;
      }
      default: break;
    }
  }
  std::vector<Ref> result;
  for (const Ref& o : outputs) {
    const Ref t = tangent_of(o.edge());
    result.push_back(t ? t : graph::fill(0, o.dtype(), o.shape()));
  }
  return result;
}

}  // namespace cotan
