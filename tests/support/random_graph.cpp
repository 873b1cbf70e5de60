// The generator of random graphs.
#include "tests/support/random_graph.h"

#include <algorithm>
#include <cmath>

#include "tests/support/elementwise_points.h"
#include "tests/support/random_sum.h"
#include "tests/support/row_cases.h"

namespace cotan::testing {

bool is_smooth(const Ref& r) {
  auto formula_is_smooth = [](const Formula& f) {
    if (const ElementwiseRow* row = find_elementwise(f.row)) {
      std::vector<double> parameters;
      for (const auto& p : row->parameters) parameters.push_back(f.attributes.get<double>(p.name));
      return row->kinks(parameters).empty() && is_floating(f.dtype());
    }
    return std::none_of(f.nodes.begin(), f.nodes.end(), [](const FormulaNode& n) {
      return n.atom == Atom::where || n.atom == Atom::max || n.atom == Atom::min || n.atom == Atom::floor || n.atom == Atom::round || n.atom == Atom::rem ||
             n.atom == Atom::cast;
    });
  };
  std::vector<Ref> roots{r};
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const Ref root = roots[i];
    for (const Node* n : topological(std::span(&root, 1), [](const Node& node) { return node.kind == Kind::stop_gradient; })) {
      if (n->kind == Kind::reduce || n->kind == Kind::order || n->kind == Kind::cast) return false;
      if (n->kind == Kind::map && !formula_is_smooth(n->formula())) return false;
      if (n->kind == Kind::call) roots.insert(roots.end(), n->as<CallSpec>().body->results.begin(), n->as<CallSpec>().body->results.end());
    }
  }
  return true;
}

namespace {

class RandomGraphBuilder {
 public:
  RandomGraphBuilder(std::uint64_t seed, const RandomGraphOptions& options) : random_(seed), options_(options) {}

  [[nodiscard]] RandomGraph build() {
    const std::vector<Shape> shapes = {{3, 4}, {5}, {2, 3}, {4, 4}, {2, 1, 3}, {}};
    for (std::int64_t i = 0, n = random_.integer(2, 4); i < n; ++i) {
      const Ref p = inputs_.add_random(fmt::format("x{}", i), rows::values(random_.pick(shapes)), random_, options_.floating);
      floats_.push_back({p, inputs_.arrays().back()});
    }
    for (int t = 0; t < 2; ++t) tables_.push_back(index_parameter({4}, 4));
    while (size() < options_.nodes) step();
    // The result reads several of what there is, so that most nodes count.
    for (std::size_t i = 0; i < 3; ++i) {
      const Ref last = floats_.back().ref, other = floats_[floats_.size() - 1 - random_.below(std::min<std::size_t>(floats_.size(), 12))].ref;
      keep(graph::add(last, fitted(other, last.shape())));
    }
    RandomGraph g;
    g.function.name = "random";
    g.function.results = {floats_.back().ref};
    if (random_.chance(0.5)) g.function.results.push_back(random_.pick(floats_).ref);
    if (!options_.smooth && !others_.empty() && random_.chance(0.5)) g.function.results.push_back(random_.pick(others_).ref);
    for (std::size_t i = 0; i < g.function.results.size(); ++i) g.function.result_names.push_back(fmt::format("r{}", i));
    g.function.parameters = inputs_.parameters();
    g.inputs = inputs_;
    g.rows = rows_;
    return g;
  }

 private:
  struct Entry {
    Ref ref;
    reference::Array value;
  };

  [[nodiscard]] int size() const {
    std::vector<Ref> roots;
    for (const Entry& e : floats_) roots.push_back(e.ref);
    return static_cast<int>(topological(roots).size());
  }

  // New nodes read old ones that are recent more often than not: chains get long.
  [[nodiscard]] const Entry& any() { return random_.chance(0.5) ? floats_.back() : random_.pick(floats_); }

  void step() {
    const double kind = random_.unit();
    if (kind < 0.4)
      elementwise();
    else if (kind < 0.55)
      row();
    else if (kind < 0.75)
      sum();
    else if (kind < 0.9)
      keep(fitted(any().ref, random_shape(random_, 0, 3, 4)));
    else if (kind < 0.94)
      scan();
    else
      special();
  }

  // Keeps a result if it is of use. Values are found by evaluating the new nodes on the values that their operands are known to have.
  bool keep(const Ref& r) {
    if (r.shape().elements() == 0 || r.shape().elements() > 400 || r.shape().rank() > 6) return false;
    if (options_.smooth && !(is_floating(r.dtype()) && is_smooth(r))) return false;
    reference::Array value = evaluated(r);
    if (!is_floating(r.dtype())) {
      others_.push_back({r, std::move(value)});
      return true;
    }
    if (!std::all_of(value.values.begin(), value.values.end(), [](double v) { return std::isfinite(v); })) return false;
    if (largest(value) == 0 && random_.chance(0.95)) return false;  // read out of range everywhere, most likely
    if (largest(value) > 8) return keep(within(r, -2, 2));
    floats_.push_back({r, std::move(value)});
    return true;
  }

  [[nodiscard]] static double largest(const reference::Array& a) {
    double m = 0;
    for (double v : a.values) m = std::max(m, std::abs(v));
    return m;
  }

  [[nodiscard]] reference::Array evaluated(const Ref& r) const {
    Function f;
    std::vector<reference::Array> values;
    std::vector<std::pair<Ref, Ref>> known;
    for (std::size_t i = 0; i < inputs_.parameters().size(); ++i) {
      f.parameters.push_back(inputs_.parameters()[i]);
      values.push_back(inputs_.arrays()[i]);
    }
    auto add = [&](const Entry& e) {
      if (e.ref->kind == Kind::leaf || e.ref->result_count() > 1) return;
      known.emplace_back(e.ref, graph::parameter(fmt::format("@{}", f.parameters.size()), e.ref.dtype(), e.ref.shape()));
      f.parameters.push_back(known.back().second);
      values.push_back(e.value);
    };
    for (const Entry& e : floats_) add(e);
    for (const Entry& e : others_) add(e);
    f.results = graph::substitute(std::span(&r, 1), known);
    return reference::evaluate(f, values)[0];
  }

  // x squashed smoothly into (low, high).
  [[nodiscard]] static Ref within(const Ref& x, double low, double high) {
    return graph::formula({x}, [=](std::span<const Ex> in) {
      using namespace formula_language;
      return (low + high) / 2 + (high - low) / 2 * formula_language::tanh(in[0] * 0.5);
    });
  }

  // A view of x in that shape: dimensions shifted, flipped, strided, exchanged, repeated; what lies outside is 0.
  [[nodiscard]] Ref fitted(const Ref& x, const Shape& shape) {
    SumSpec s;
    s.domain.assign(shape.begin(), shape.end());
    for (std::size_t d = 0; d < shape.rank(); ++d) s.output.push_back(index_of(static_cast<int>(d)));
    Access in;
    for (std::size_t d = 0; d < x.shape().rank(); ++d) {
      const std::int64_t last = x.shape()[d] - 1;
      if (shape.rank() == 0 || random_.chance(0.1)) {
        in.emplace_back(random_.integer(0, last));
        continue;
      }
      const IndexExpr i = index_of(static_cast<int>(random_.chance(0.6) ? std::min(d, shape.rank() - 1) : random_.below(shape.rank())));
      const double how = random_.unit();
      in.push_back(how < 0.6    ? i
                   : how < 0.7  ? IndexExpr(last) - i
                   : how < 0.85 ? i + IndexExpr(random_.integer(-1, 1))
                                : 2 * i + IndexExpr(random_.integer(-1, 0)));
    }
    s.factors = {in};
    return graph::sum(std::move(s), shape, std::span(&x, 1));
  }

  [[nodiscard]] Ref index_parameter(const Shape& shape, std::int64_t below) {
    return inputs_.add_random(fmt::format("t{}_below{}", inputs_.parameters().size(), below), rows::indices(shape, below), random_);
  }

  [[nodiscard]] Ref condition(const Shape& shape) {
    std::vector<Ref> fit;
    for (const Entry& e : others_)
      if (e.ref.dtype() == DType::boolean && e.ref.shape() == shape) fit.push_back(e.ref);
    if (!fit.empty() && random_.chance(0.7)) return random_.pick(fit);
    return graph::lt(fitted(any().ref, shape), fitted(any().ref, shape));
  }

  void elementwise() {
    const std::size_t number = random_.below(elementwise_rows().size());
    const ElementwiseRow& row = elementwise_rows()[number];
    const std::vector<DType> types = signature_of(row, options_.floating).value();
    const Entry& first = any();
    std::vector<Ref> operands;
    for (std::size_t k = 0; k < types.size(); ++k) {
      if (types[k] == DType::boolean) {
        if (options_.smooth) return;
        operands.push_back(condition(first.ref.shape()));
        continue;
      }
      const Entry& e = k == 0 ? first : any();
      Ref x = e.ref;
      const auto& [low, high] = row.samples[k];
      const bool inside = std::all_of(e.value.values.begin(), e.value.values.end(), [&, l = low, h = high](double v) { return v >= l && v <= h; });
      if (!inside || low > -1) x = within(x, low, high);
      try {
        if (k > 0) static_cast<void>(broadcast_shapes(first.ref.shape(), x.shape()));
      } catch (const Error&) {
        x = fitted(x, first.ref.shape());
        if (low > 0) x = within(x, low, high);  // the view may have brought zeros in
      }
      operands.push_back(x);
    }
    try {
      if (keep(graph::elementwise(static_cast<ElementwiseId>(number), operands, standard_parameters(row)))) rows_.emplace(row.name);
    } catch (const Error&) {
      // shapes that do not go together: the next step tries something else
    }
  }

  // A case of a row, its operands cut to the case's shapes.
  void row() {
    static const auto* cases = new std::vector<RowTestCase>(row_test_cases());
    const RowTestCase& c = random_.pick(*cases);
    std::vector<Ref> operands;
    for (const rows::CaseOperand& o : c.operands) {
      using Kind = rows::CaseOperand::Kind;
      switch (o.kind) {
        case Kind::absent: operands.emplace_back(); break;
        case Kind::indices: operands.push_back(index_parameter(o.shape, o.below)); break;
        case Kind::booleans:
          if (options_.smooth) return;
          operands.push_back(condition(o.shape));
          break;
        case Kind::values: {
          const Ref x = fitted(any().ref, o.shape);
          operands.push_back(o.low == -1 && o.high == 1 ? x : within(x, o.low, o.high));
        }
      }
    }
    try {
      for (const Ref& r : c.record(operands))
        if (keep(r)) rows_.insert(c.row);
    } catch (const Error&) {
      // a check of the row's own, such as a mean over targets that are all ignored: the next step tries something else
    }
  }

  void sum() {
    std::vector<Ref> factors;
    std::vector<Shape> shapes;
    for (std::int64_t k = random_.integer(1, 3); k > 0; --k) {
      factors.push_back(any().ref);
      shapes.push_back(factors.back().shape());
    }
    const Shape shape = random_shape(random_, 0, 2, 4);
    SumSpec spec = random_spec(random_, shapes, shape, {.entries_in_range = !options_.wild_tables});
    if (random_.chance(0.3)) spec.coefficient = random_.uniform(-1, 1);
    keep(graph::sum(std::move(spec), shape, factors, tables_, options_.floating));
  }

  void scan() {
    const Ref x = any().ref;
    if (x.shape().rank() == 0) return;
    const int axis = static_cast<int>(random_.below(x.shape().rank()));
    keep(graph::scan(within(fitted(any().ref, x.shape()), -1, 1), x, axis, random_.chance(0.5)));
  }

  // A window's extreme, a sorted vector, a cast to and fro, stop_gradient, a barrier, an iota or a fill beside what is there.
  void special() {
    const Ref x = any().ref;
    const double kind = random_.unit();
    if (kind < 0.2) {
      keep(graph::mul(x, graph::fill(random_.uniform(-1, 1), options_.floating, x.shape())));
    } else if (kind < 0.35 && x.shape().rank() > 0) {
      keep(graph::add(x, within(graph::iota(options_.floating, x.shape(), static_cast<int>(random_.below(x.shape().rank()))), -1, 1)));
    } else if (kind < 0.45) {
      keep(graph::mul(graph::sin(graph::barrier(x, any().ref)), fitted(any().ref, x.shape())));
    } else if (options_.smooth) {
      return;
    } else if (kind < 0.7 && x.shape().rank() > 0) {
      ReduceSpec window;
      window.outputs = static_cast<int>(x.shape().rank());
      window.domain.assign(x.shape().begin(), x.shape().end());
      window.domain.push_back(3);
      for (std::size_t d = 0; d < x.shape().rank(); ++d) window.access.push_back(index_of(static_cast<int>(d)));
      window.access[0] = window.access[0] + index_of(window.outputs) + IndexExpr(-1);
      window.reduction = random_.chance(0.5) ? Reduction::max : Reduction::min;
      keep(graph::reduce(window, x));
    } else if (kind < 0.8) {
      sorted();
    } else if (kind < 0.9) {
      keep(graph::add(x, graph::cast(graph::cast(x, i32), options_.floating)));
    } else {
      keep(graph::mul(x, graph::stop_gradient(fitted(any().ref, x.shape()))));
    }
  }

  // A vector in order: a gather through the positions that sort it.
  void sorted() {
    const Ref v = fitted(any().ref, {random_.integer(2, 6)});
    SumSpec s;
    s.domain = {v.shape()[0]};
    s.output = {index_of(0)};
    s.factors = {{entry_of(0, {index_of(0)})}};
    const Ref factors[] = {v}, positions[] = {graph::order(v, 0, random_.chance(0.5))};
    keep(graph::sum(std::move(s), v.shape(), factors, positions));
  }

  Random random_;
  RandomGraphOptions options_;
  Inputs inputs_;
  std::vector<Entry> floats_, others_;  // others: booleans and integers
  std::vector<Ref> tables_;
  std::set<std::string> rows_;
};

}  // namespace

RandomGraph random_graph(std::uint64_t seed, const RandomGraphOptions& options) { return RandomGraphBuilder(seed, options).build(); }

}  // namespace cotan::testing
