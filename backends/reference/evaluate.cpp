#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "backends/reference/kinds.h"
#include "ops/float_mode.h"
#include "ops/formula.h"
#include "ops/philox.h"

namespace cotan::reference {
namespace {

// Runs one function: a value for each (node, result) that something still reads.
class Run {
 public:
  Run(const Function& f, const Options& options) : f_(f), options_(options) {}

  std::vector<Array> run(std::span<const Array> inputs) {
    bind(inputs);
    const std::vector<Node*> order = topological(f_.results, [&](const Node& n) { return bound(n); });
    for (const Node* n : order)
      if (!bound(*n))
        for (const Edge& e : n->operands()) ++readers_[e];
    for (const Ref& r : f_.results) ++readers_[r.edge()];
    for (Node* n : order)
      if (!bound(*n)) compute(*n);
    std::vector<Array> results;
    for (const Ref& r : f_.results) results.push_back(values_.at(r.edge()));
    return results;
  }

 private:
  // f32 under `exact` is rounded as f64, that is, not at all.
  [[nodiscard]] DType rounded(DType dtype) const { return options_.exact && dtype == DType::f32 ? DType::f64 : dtype; }

  // The array's values as its type holds them.
  [[nodiscard]] Array settled(Array a) const {
    for (double& v : a.values) v = round_to(rounded(a.dtype), options_.flush_subnormals ? flushed(a.dtype, v) : v);
    return a;
  }

  [[nodiscard]] bool bound(const Node& n) const { return bound_.contains(&n); }

  void bind(std::span<const Array> inputs) {
    if (inputs.size() != f_.parameters.size())
      throw InternalError(fmt::format("{} values for the {} parameters of {}", inputs.size(), f_.parameters.size(), f_.name));
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const Ref& p = f_.parameters[k];
      if (inputs[k].dtype != p.dtype() || inputs[k].shape != p.shape() || inputs[k].values.size() != static_cast<std::size_t>(p.shape().elements()))
        throw InternalError(fmt::format("parameter {} of {} is {} {}, its value {} {}", k, f_.name, name_of(p.dtype()), p.shape().text(),
                                        name_of(inputs[k].dtype), inputs[k].shape.text()));
      bound_.insert(p.node());
      values_.insert_or_assign(p.edge(), settled(inputs[k]));
    }
  }

  void compute(Node& n) {
    std::vector<const Array*> in;
    for (const Edge& e : n.operands()) in.push_back(&values_.at(e));
    if (n.kind == Kind::call) {
      std::vector<Array> arguments;
      for (const Array* x : in) arguments.push_back(*x);
      std::vector<Array> results = evaluate(*n.as<CallSpec>().body, arguments, options_);
      for (std::uint32_t r = 0; r < results.size(); ++r) values_.emplace(Edge{&n, r}, std::move(results[r]));
    } else {
      values_.emplace(Edge{&n, 0}, value_of(n, in));
    }
    for (const Edge& e : n.operands())
      if (--readers_[e] == 0) values_.erase(e);
  }

  [[nodiscard]] Array value_of(const Node& n, const std::vector<const Array*>& in) const {
    const ResultType type{n.dtype, n.shape};
    switch (n.kind) {
      case Kind::leaf: return leaf(n);
      case Kind::map: return map(n, in);
      case Kind::sum: {
        const auto& s = n.as<SumSpec>();
        const std::span all(in);
        return settled(run_sum(s, type, all.first(s.factors.size()), all.subspan(s.factors.size())));
      }
      case Kind::reduce: return run_reduce(n.as<ReduceSpec>(), type, *in[0]);
      case Kind::scan: return settled(run_scan(n.as<ScanSpec>(), *in[0], *in[1]));
      case Kind::order: return run_order(n.as<OrderSpec>(), *in[0]);
      case Kind::cast: return settled({n.dtype, n.shape, in[0]->values});
      case Kind::check: run_check(n.as<CheckSpec>(), *in[0]); return *in[0];
      case Kind::barrier:
      case Kind::stop_gradient: return *in[0];
      case Kind::call: break;
    }
    throw InternalError(fmt::format("the reference has no value for a {}", name_of(n.kind)));
  }

  [[nodiscard]] Array map(const Node& n, const std::vector<const Array*>& in) const {
    Array out = Array::zeros(n.dtype, n.shape);
    std::vector<double> x(in.size()), scratch;
    for (std::size_t i = 0; i < out.values.size(); ++i) {
      for (std::size_t k = 0; k < in.size(); ++k) x[k] = in[k]->values[i];
      out.values[i] = cotan::evaluate(n.formula(), x, scratch, options_.exact);
    }
    return out;
  }

  [[nodiscard]] Array leaf(const Node& n) const {
    const auto& spec = n.as<LeafSpec>();
    Array out = Array::zeros(n.dtype, n.shape);
    switch (spec.role) {
      case LeafRole::scalar: out.values[0] = spec.scalar; return settled(std::move(out));
      case LeafRole::random:
        for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = philox::uniform(spec.key, spec.counter, static_cast<std::int64_t>(i), n.dtype);
        break;
      case LeafRole::iota: {
        const auto axis = static_cast<std::size_t>(spec.axis);
        const std::int64_t step = dense_strides(n.shape)[axis];
        for (std::size_t i = 0; i < out.values.size(); ++i)
          out.values[i] = round_to(rounded(n.dtype), static_cast<double>(static_cast<std::int64_t>(i) / step % n.shape[axis]));
        break;
      }
      default: throw InternalError(fmt::format("{} '{}' is not a parameter of {}", name_of(spec.role), spec.name, f_.name));
    }
    return out;
  }

  const Function& f_;
  const Options& options_;
  std::unordered_map<Edge, Array, RefHash> values_;
  std::unordered_map<Edge, int, RefHash> readers_;
  std::unordered_set<const Node*> bound_;
};

}  // namespace

// float64 is flushed by the processor, as in compiled programs; flushed() does the rest.
std::vector<Array> evaluate(const Function& f, std::span<const Array> inputs, const Options& options) {
  const FloatScope mode(FloatMode::of_programs(options.flush_subnormals));
  return Run(f, options).run(inputs);
}

}  // namespace cotan::reference
