// The frames in which blocks are drawn, and what is asked of the program that they make.
#include "tests/support/crossing_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "autograd/differentiate.h"
#include "graph/composites/composites.h"
#include "tests/support/crossing_blocks.h"

namespace cotan::testing {
namespace {

using namespace cotan::graph;

constexpr double whole_room = 2.5e8;  // nanoseconds of the reference, gradients included
constexpr double gradients_share = 3.5;

double points_of(const Domain& domain) {
  double points = 1;
  for (const std::int64_t size : domain) points *= static_cast<double>(size);
  return points;
}

// Whether the reference asks at each point whether it is in range.
bool is_checked(const Node& n) {
  const auto& s = n.as<SumSpec>();
  if (!s.guards.empty() || n.operand_count != s.factors.size()) return true;
  const auto leaves = [&](const Access& access, const Shape& shape) {
    for (std::size_t d = 0; d < access.size(); ++d)
      if (!in_range(access[d], shape[d], s.domain)) return true;
    return false;
  };
  if (leaves(s.output, n.shape)) return true;
  for (std::size_t k = 0; k < s.factors.size(); ++k)
    if (leaves(s.factors[k], n.operand(k).shape())) return true;
  return false;
}

double cost_of(const Node& n) {
  const double elements = static_cast<double>(n.shape.elements());
  switch (n.kind) {
    case Kind::map: return elements * (10 + 8 * static_cast<double>(n.formula().nodes.size()));
    case Kind::sum: return points_of(n.as<SumSpec>().domain) * (is_checked(n) ? 60 : 3) + 5 * elements;
    case Kind::reduce: return points_of(n.as<ReduceSpec>().domain) * 60;
    case Kind::order: return elements * 100;
    case Kind::call: return reference_cost(n.as<CallSpec>().body->results);
    default: return elements * 5;
  }
}

class CrossingDrawing {
 public:
  explicit CrossingDrawing(std::uint64_t seed) : random_(seed), d_(seed, pick_type(), random_.chance(0.5)) {}

  CrossingGraph build() {
    start();
    d_.room = random_.chance(0.1) ? whole_room : whole_room / 5;
    if (random_.chance(0.6)) favourite_ = random_.below(crossing_blocks().size());
    ask(network());
    return finish();
  }

 private:
  [[nodiscard]] DType pick_type() { return random_.chance(0.85) ? f32 : f64; }

  // ---- what goes in

  void start() {
    x_ = input("x");
    if (random_.chance(0.25)) x_ = activated(x_);
  }

  Ref activated(const Ref& x) { return d_.exact ? relu(x) : tanh(x); }

  Ref input(const std::string& name) {
    if (input_shape_.rank() == 0) input_shape_ = shape();
    Random values(d_.random.next());
    return d_.inputs.add(name, d_.floating, input_shape_, rounded_values(values));
  }

  std::vector<double> rounded_values(Random& values) const {
    std::vector<double> v = drawn_values(values, input_shape_.elements(), 1, d_.exact);
    for (double& x : v) x = round_to(d_.floating, x);
    return v;
  }

  Shape shape() {
    const double kind = random_.unit();
    const std::int64_t rows = random_.chance(0.04) ? 0 : random_.pick({1, 2, 7, 64, 100, 128, 129, 256, 257, 1000});
    if (kind < 0.5) return {rows, random_.pick({1, 3, 8, 16, 17, 32, 64, 100, 128, 128, 130})};
    if (kind < 0.92) {
      const std::int64_t side = random_.pick({2, 3, 4, 5, 7, 8, 8, 12, 16, 16, 24});
      const std::int64_t channels = random_.pick({1, 2, 3, 3, 16, 16, 32, 32, 64});
      const std::int64_t images = random_.chance(0.04) ? 0 : random_.pick({1, 2, 2, 4, 7, 8, 8, 12, 16, 64});
      return {images, channels, side, side + (random_.chance(0.2) ? 1 : 0)};
    }
    if (kind < 0.97) return {random_.pick({1, 100, 1000, 33000, 70000, 100000})};
    return {random_.pick({2, 7, 100}), random_.pick({3, 8, 129}), random_.pick({4, 16, 64})};
  }

  // ---- the network

  // A block that was drawn, and where draws stood before it.
  struct Drawn {
    std::size_t block;
    Drawing::Place from;
  };
  using Plan = std::vector<Drawn>;

  Plan network() {
    Plan plan;
    const std::int64_t wanted = random_.chance(0.3) ? random_.integer(1, 2) : random_.integer(1, 6);
    for (int tries = 0; tries < 40 && static_cast<std::int64_t>(plan.size()) < wanted; ++tries) {
      const std::size_t b = pick_block();
      const Drawing::Place before = d_.place();
      const Ref y = drawn(b, x_);
      const double cost = y ? gradients_share * (reference_cost(std::span(&y, 1)) - reference_cost(std::span(&x_, 1))) : 0;
      if (!y || y == x_ || y.shape().elements() > 400000 || cost > d_.room) {
        d_.go_back(before);
        continue;
      }
      d_.room -= cost;
      d_.remember(y);
      x_ = y;
      plan.push_back({b, before});
      blocks_.emplace_back(crossing_blocks()[b].name);
    }
    return plan;
  }

  // Batches of no examples are computed like others, to results of none.
  static bool is_empty_batch(const Ref& x) {
    return x.shape().rank() > 1 && x.shape()[0] == 0 && std::none_of(x.shape().begin() + 1, x.shape().end(), [](std::int64_t size) { return size == 0; });
  }

  // A block on x; nothing where it does not fit or where the operations refuse what it asks for.
  Ref drawn(std::size_t b, const Ref& x) {
    try {
      return crossing_blocks()[b].draw(d_, x);
    } catch (const Error& e) {
      if (is_empty_batch(x)) refusals_.push_back(fmt::format("{} of {}: {}", crossing_blocks()[b].name, x.shape().text(), e.what()));
      return {};
    }
  }

  std::size_t pick_block() {
    const auto blocks = crossing_blocks();
    const auto weight = [&](std::size_t b) {
      return (blocks[b].exact || !d_.exact ? blocks[b].weight : 0) * (b == favourite_ ? 6 : 1);
    };
    double total = 0;
    for (std::size_t b = 0; b < blocks.size(); ++b) total += weight(b);
    double at = random_.uniform(0, total);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      at -= weight(b);
      if (at < 0) return b;
    }
    return blocks.size() - 1;
  }

  // The same blocks over the same parameters on another input; nothing where one draws otherwise there.
  std::optional<Ref> again(const Plan& plan, Ref x) {
    d_.restart();
    for (const Drawn& one : plan) {
      d_.random = one.from.random;
      const Ref y = drawn(one.block, x);
      if (!y) return std::nullopt;
      d_.remember(y);
      x = y;
    }
    return x.shape() == x_.shape() ? std::optional(x) : std::nullopt;
  }

  // ---- what is asked

  // A number made of y.
  Ref loss_of(const Ref& y) {
    const std::size_t rank = y.shape().rank();
    const double elements = static_cast<double>(std::max<std::int64_t>(1, y.shape().elements()));
    const double share = d_.exact ? 1 : 1 / std::sqrt(elements);
    switch (random_.below(d_.exact ? 6 : 9)) {
      case 0: return sum(y);
      case 1:
      case 2: return sum(mul(y, d_.parameter(y.shape(), share)));
      case 3: return element_of(y);
      case 4: return sum(mul(y, fill(share, y.dtype(), y.shape())));
      case 5: return y.shape().elements() > 0 ? max(y) : sum(y);
      case 6: return rank == 2 && y.shape().elements() > 0 ? cross_entropy(y, d_.table({y.shape()[0]}, y.shape()[1]), {}) : sum(tanh(y));
      case 7: return mul(sum(square(y)), fill(1 / elements, y.dtype(), {}));
      default: return y.shape().elements() > 0 ? mse_loss(y, d_.parameter(y.shape())) : sum(y);
    }
  }

  Ref element_of(Ref y) {
    while (y.shape().rank() > 0) {
      if (y.shape()[0] == 0) return sum(y);
      y = select(y, {.dim = 0, .index = random_.chance(0.5) ? -1 : 0});
    }
    return y;
  }

  void ask(const Plan& plan) {
    const Ref value = x_;
    Ref loss = random_.chance(0.1) ? value : loss_of(value);
    std::vector<Ref> wrt = wanted();
    const double kind = random_.unit();
    result("loss", loss);
    if (random_.chance(0.4)) result("value", value);
    if (random_.chance(0.3))
      if (const Ref other = d_.earlier(value.shape())) result("other", other);
    if (kind < 0.15 || wrt.empty()) return;
    std::vector<Ref> g = gradients_of(loss, wrt);
    if (g.empty()) return;
    if (kind < 0.3) {  // two losses' gradients added, as two backward() before a step
      if (const Ref second = second_loss(plan)) {
        const std::vector<Ref> h = gradients_of(second, wrt);
        for (std::size_t i = 0; i < h.size(); ++i)
          if (h[i].dtype() != DType::bf16) g[i] = add(g[i], h[i]);
      }
    } else if (kind < 0.4) {  // a penalty on each parameter
      for (std::size_t i = 0; i < g.size(); ++i)
        if (wrt[i].dtype() != DType::bf16) g[i] = add(g[i], mul(wrt[i], fill(d_.exact ? 0.25 : 1e-2, wrt[i].dtype(), wrt[i].shape())));
    }
    if (kind > 0.92 && !d_.exact) second_order(g);
    if (kind > 0.4 && kind < 0.6) {  // the input goes against its gradient
      const auto at = std::find(wrt.begin(), wrt.end(), d_.inputs.parameters()[0]);
      if (at != wrt.end()) {
        const Ref& gx = g[static_cast<std::size_t>(at - wrt.begin())];
        result("moved", sub(*at, mul(gx, fill(d_.exact ? 0.125 : 0.1, gx.dtype(), gx.shape()))));
        if (random_.chance(0.6)) return;
      }
    }
    if (kind > 0.6 && kind < 0.78)
      update(wrt, g);
    else
      for (std::size_t i = 0; i < g.size(); ++i) result(fmt::format("d{}", i), g[i]);
  }

  // The floating parameters that the value depends on.
  std::vector<Ref> wanted() {
    std::vector<Ref> wrt;
    const std::vector<Node*> used = topological(std::span(&x_, 1));
    for (const Ref& p : d_.inputs.floating())
      if (std::find(used.begin(), used.end(), p.node()) != used.end()) wrt.push_back(p);
    if (wrt.size() > 1 && random_.chance(0.3)) {
      random_.shuffle(wrt);
      wrt.resize(1 + random_.below(wrt.size() - 1));
    }
    return wrt;
  }

  // Nothing where a gradient is refused.
  std::vector<Ref> gradients_of(const Ref& loss, const std::vector<Ref>& wrt) {
    const auto of = [&](const std::vector<Ref>& some) {
      const Ref seed = fill(1, loss.dtype(), loss.shape());
      return gradients(loss, some, seed);
    };
    try {
      return of(wrt);
    } catch (const Error&) {
      return {};
    }
  }

  Ref second_loss(const Plan& plan) {
    const Ref x2 = input("x2");
    const std::optional<Ref> y = again(plan, x2);
    return y ? sum(mul(*y, d_.parameter(y->shape(), 0.1))) : Ref();
  }

  // Derivatives of the gradients' squares.
  void second_order(std::vector<Ref>& g) {
    Ref total;
    for (const Ref& one : g) {
      if (one.dtype() != d_.floating || one.shape().elements() > 4000) continue;
      const Ref squared = sum(square(one));
      total = total ? add(total, squared) : squared;
    }
    if (!total || reference_cost(std::span(&total, 1)) > whole_room / 4) return;
    const std::vector<Ref> wrt = wanted();
    const std::vector<Ref> h = gradients_of(total, wrt);
    if (h.empty() || reference_cost(h) > whole_room) return;
    for (std::size_t i = 0; i < h.size(); ++i) result(fmt::format("h{}", i), h[i]);
  }

  // New values of parameters: plain descent, momentum, or Adam-like maps.
  void update(const std::vector<Ref>& wrt, const std::vector<Ref>& g) {
    const std::size_t kind = random_.below(d_.exact ? 2 : 3);
    const bool by_scalar = random_.chance(0.5);
    const Ref rate = by_scalar ? d_.inputs.add("rate", d_.floating, {}, {d_.exact ? 0.25 : 0.05}) : Ref();
    for (std::size_t i = 0; i < wrt.size(); ++i) {
      const Ref& w = wrt[i];
      if (w.dtype() == DType::bf16 || w == d_.inputs.parameters()[0]) {
        result(fmt::format("d{}", i), g[i]);
        continue;
      }
      const auto times = [&](const Ref& t, double by) { return mul(t, fill(by, t.dtype(), t.shape())); };
      Ref step = g[i];
      if (kind == 1) {
        const Ref m = d_.parameter(w.shape());
        step = add(times(m, 0.5), g[i]);
        updated(fmt::format("m{}", i), step, m);
      } else if (kind == 2) {
        const Ref m = d_.parameter(w.shape()), root = d_.parameter(w.shape());
        const Ref m1 = add(times(m, 0.9), times(g[i], 0.1)), v1 = add(times(square(root), 0.99), times(square(g[i]), 0.01));
        updated(fmt::format("m{}", i), m1, m);
        result(fmt::format("v{}", i), v1);
        step = div(m1, add(sqrt(v1), fill(0.1, w.dtype(), w.shape())));
      }
      const Ref by = by_scalar ? mul(broadcast(rate, w.shape()), step) : times(step, d_.exact ? 0.25 : 0.05);
      updated(fmt::format("w{}", i), sub(w, by), w);
    }
  }

  void updated(const std::string& name, const Ref& value, const Ref& parameter) {
    if (std::find(results_.begin(), results_.end(), value) != results_.end()) return;
    updates_.emplace_back(static_cast<int>(results_.size()), parameter);
    result(name, value);
  }

  void result(const std::string& name, const Ref& value) {
    if (std::find(results_.begin(), results_.end(), value) != results_.end()) return;
    results_.push_back(value);
    names_.push_back(name);
  }

  // ---- the whole

  CrossingGraph finish() {
    CrossingGraph g;
    g.exact = d_.exact;
    g.blocks = blocks_;
    g.refusals = refusals_;
    g.function.name = "crossing";
    g.function.results = results_;
    g.function.result_names = names_;
    // Only what is read.
    const std::vector<Node*> used = topological(results_);
    for (std::size_t i = 0; i < d_.inputs.parameters().size(); ++i) {
      const Ref& p = d_.inputs.parameters()[i];
      if (std::find(used.begin(), used.end(), p.node()) == used.end()) continue;
      g.inputs.add(p->as<LeafSpec>().name, p.dtype(), p.shape(), d_.inputs.arrays()[i].values);
    }
    g.function.parameters = g.inputs.parameters();
    for (const auto& [result_number, parameter] : updates_) {
      const auto at = std::find(g.function.parameters.begin(), g.function.parameters.end(), parameter);
      if (at != g.function.parameters.end()) g.updates.push_back({result_number, static_cast<int>(at - g.function.parameters.begin())});
    }
    if (random_.chance(0.12)) plant(g);
    return g;
  }

  // NaN or an infinity among the values of a floating input.
  void plant(CrossingGraph& g) {
    std::vector<reference::Array*> floating;
    for (reference::Array& a : g.inputs.arrays())
      if (is_floating(a.dtype) && !a.values.empty()) floating.push_back(&a);
    if (floating.empty()) return;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const double what = random_.chance(0.6) ? std::numeric_limits<double>::quiet_NaN() : random_.chance(0.5) ? infinity : -infinity;
    reference::Array& into = *random_.pick(floating);
    for (std::int64_t k = random_.integer(1, 2); k > 0; --k) into.values[random_.below(into.values.size())] = what;
    g.nonfinite = true;
  }

  Random random_;
  Drawing d_;
  Shape input_shape_;
  std::size_t favourite_ = crossing_blocks().size();  // a block that is drawn more often
  Ref x_;
  std::vector<Ref> results_;
  std::vector<std::string> names_, blocks_, refusals_;
  std::vector<std::pair<int, Ref>> updates_;
};

}  // namespace

double reference_cost(std::span<const Ref> results) {
  double cost = 0;
  for (const Node* n : topological(results))
    if (n->kind != Kind::leaf) cost += cost_of(*n);
  return cost;
}

CrossingGraph crossing_graph(std::uint64_t seed) { return CrossingDrawing(seed).build(); }

}  // namespace cotan::testing
