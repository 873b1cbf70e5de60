#include "autograd/differentiate.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

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

// How what differentiation makes for a node is marked.
Marks marks_for(const Node& node) {
  const std::shared_ptr<const Piece> piece = node.table->piece_of(node);
  return {piece && piece->gradient ? piece->gradient : RecordingMarks::current().piece, true};
}

// A graph whose results are numbered, so that what is known of each result is an entry of an array.
class Numbered {
 public:
  explicit Numbered(std::span<const Ref> roots) : order(topological(roots)) {
    first_.reserve(order.size());
    for (const Node* n : order) {
      begin.push_back(operands.size());
      for (const Edge& e : n->operands()) operands.push_back(first_.at(e.node) + e.result);
      first.push_back(results);
      first_.emplace(n, results);
      results += n->result_count();
    }
  }
  // The number of a result, or `results` where it is not of this graph.
  [[nodiscard]] std::size_t find(const Edge& e) const {
    const auto found = first_.find(e.node);
    return found != first_.end() ? found->second + e.result : results;
  }

  std::vector<Node*> order;
  std::vector<std::size_t> first;            // the number of each node's first result
  std::vector<std::size_t> begin, operands;  // numbers of operands, and where each node's begin
  std::size_t results = 0;

 private:
  std::unordered_map<const Node*, std::size_t> first_;
};

// Results through which a gradient flows: all of those nodes that have a floating one and depend on one of `sources`.
std::vector<char> dependents(const Numbered& graph, const std::vector<char>& sources) {
  std::vector<char> flows(graph.results, 0);
  for (std::size_t i = 0; i < graph.order.size(); ++i) {
    const Node& n = *graph.order[i];
    if (n.kind == Kind::stop_gradient) continue;
    bool floating = false, depends = false;
    for (std::uint32_t r = 0; r < n.result_count(); ++r) floating |= is_floating(n.dtype_of(r));
    for (std::size_t k = 0; k < n.operand_count; ++k) {
      const Edge& e = n.operands()[k];
      const std::size_t o = graph.operands[graph.begin[i] + k];
      depends |= is_floating(e.node->dtype_of(e.result)) && (sources[o] || flows[o]);
    }
    if (floating && depends) std::fill_n(flows.begin() + static_cast<std::ptrdiff_t>(graph.first[i]), n.result_count(), 1);
  }
  return flows;
}

}  // namespace

std::vector<Ref> vjp(std::span<const Ref> outputs, std::span<const Ref> cotangents, std::span<const Ref> wrt) {
  const Numbered graph(outputs);
  std::vector<char> sources(graph.results, 0);
  for (const Ref& w : wrt) {
    require_floating(w, "a tensor");
    if (const std::size_t at = graph.find(w.edge()); at < graph.results) sources[at] = 1;
  }
  std::vector<Ref> adjoints(graph.results);  // of each result, while they are being collected
  auto add = [&](std::size_t to, const Ref& g) {
    if (g) adjoints[to] = rules::plus(adjoints[to], g);
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    require_floating(outputs[i], "an output");
    require_type(cotangents[i], outputs[i], "cotangent");
    add(graph.find(outputs[i].edge()), cotangents[i]);
  }
  const std::vector<char> flows = dependents(graph, sources);

  for (std::size_t i = graph.order.size(); i-- > 0;) {
    Node* n = graph.order[i];
    if (!flows[graph.first[i]]) continue;
    const std::span<const std::size_t> operands = std::span(graph.operands).subspan(graph.begin[i], n->operand_count);
    auto wanted = [&](std::size_t k) {
      const Edge& e = n->operands()[k];
      return is_floating(e.node->dtype_of(e.result)) && (sources[operands[k]] || flows[operands[k]]);
    };
    const Ref node(n);
    const RecordingMarks marks(marks_for(*n));
    if (n->kind == Kind::call) {
      const auto results = std::span<const Ref>(adjoints).subspan(graph.first[i], n->result_count());
      if (std::none_of(results.begin(), results.end(), [](const Ref& r) { return static_cast<bool>(r); })) continue;
      std::vector<bool> asked;
      for (std::size_t k = 0; k < n->operand_count; ++k) asked.push_back(wanted(k));
      const std::vector<Ref> given = rules::call_adjoint(node, results, asked);
      for (std::size_t k = 0; k < given.size(); ++k) add(operands[k], given[k]);
      continue;
    }
    const Ref g = adjoints[graph.first[i]];
    if (!g) continue;
    for (std::size_t k = 0; k < n->operand_count; ++k) {
      if (!wanted(k)) continue;
      switch (n->kind) {
        case Kind::map: add(operands[k], rules::map_adjoint(node, k, g)); break;
        case Kind::sum: add(operands[k], rules::sum_adjoint(node, k, g)); break;
        case Kind::reduce: add(operands[k], rules::reduce_adjoint(node, g)); break;
        case Kind::scan: add(operands[k], rules::scan_adjoint(node, k, g)); break;
        case Kind::cast: add(operands[k], rules::cast_adjoint(node, g)); break;
        case Kind::barrier:
          if (k == 0) add(operands[k], g);
          break;
        default: break;
      }
    }
  }
  std::vector<Ref> result;
  for (const Ref& w : wrt) {
    const std::size_t at = graph.find(w.edge());
    result.push_back(at < graph.results ? adjoints[at] : Ref());
  }
  return result;
}

std::vector<Ref> gradients(const Ref& output, std::span<const Ref> wrt, const Ref& seed) {
  require_floating(output, "an output");
  const RecordingMarks marks({RecordingMarks::current().piece, true});
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
    const RecordingMarks marks(marks_for(*n));
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
      case Kind::barrier: keep(0, in[0]); break;
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
