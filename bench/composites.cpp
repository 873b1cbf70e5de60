// Composites with a primitive: the primitive against the body inlined into loops, and what the model that chooses between them makes of it.
//
//     composites [name or all] [threads, 0: 1 and 2] [constants | points]
//
// Every composite is measured over a grid of shapes, alone and with a loop before and behind it, both ways in turn; the time of a way is its least of several.
// For each composite: on how much of the grid the model (graph/passes/composite_cost.cpp) chooses the faster way, and the geometric means of the chosen way's
// time, the primitive's, and the body's, over the faster one's. `points` prints the grid. `constants` fits the model's constants to what was measured, so that
// relative errors are small, and prints them as rows of its table. Times are cycles of the clock that the processor counts in chains of additions.
#include "graph/composites/composites.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/differentiate.h"
#include "graph/executor.h"
#include "graph/passes/composite_cost.h"
#include "graph/threads.h"

namespace cotan {
namespace {

using passes::CostTerms;
using Clock = std::chrono::steady_clock;

// A composite in one place: its function, the call in it, and the loops around the call.
struct Case {
  std::string name;
  Function function;
  Ref call;
  Shape shape;
  int neighbours = 0;
};

struct Point {
  CostTerms terms{};
  double primitive = 0, inlined = 0;  // cycles, measured
  bool chosen_primitive = true;
};

Case make_case(const std::string& name, const Shape& shape, bool among_loops) {
  const bool gradient = name.ends_with(".vjp"), soft = name.starts_with("softmax"), batch = name.starts_with("batch");
  const auto parameter = [](const std::string& of, const Shape& s) { return graph::parameter(of, f32, s); };
  const Shape vector{batch ? shape[1] : shape.back()};
  const Ref x = parameter("x", shape), z = parameter("z", shape), w = parameter("w", vector), b = parameter("b", vector), g = parameter("g", shape);
  const auto forward = [&](const Ref& in) {
    const Ref y = soft ? graph::softmax(in, {.dim = 1}) : batch ? graph::batch_norm_training(in, w, b).y : graph::layer_norm(in, w, b);
    std::vector<Ref> results;
    for (std::uint32_t r = 0; r < y->result_count(); ++r) results.emplace_back(y.node(), r);
    return results;
  };
  Case c{.name = name, .function = {"f", {x}, {}, {}}, .call = {}, .shape = shape, .neighbours = among_loops ? 2 : 0};
  Function& f = c.function;
  if (!soft) f.parameters.insert(f.parameters.end(), {w, b});
  if (!gradient) {
    f.results = forward(among_loops ? graph::add(x, z) : x);
  } else {
    const std::vector<Ref> outputs = forward(x), wrt = f.parameters;
    const Ref seed = among_loops ? graph::mul(g, z) : g;
    std::vector<std::pair<Ref, Ref>> stored;  // what the forward call gave
    for (const Ref& r : outputs) stored.emplace_back(r, parameter(fmt::format("r{}", r.result()), r.shape()));
    f.results = graph::substitute(vjp(std::span(outputs).first(1), std::span(&seed, 1), wrt), stored);
    for (const auto& [result, held] : stored) f.parameters.push_back(held);
    f.parameters.push_back(g);
  }
  c.call = f.results[0];
  if (among_loops) {
    f.results[0] = graph::mul(f.results[0], z);
    f.parameters.push_back(z);
  }
  return c;
}

// Cycles of the clock in a nanosecond: a chain of additions takes one each.
double cycles_per_nanosecond() {
  static const double measured = [] {
    double best = 0;
    for (int round = 0; round < 20; ++round) {
      const auto start = Clock::now();
      std::uint64_t sum = 1;
      for (int i = 0; i < 100'000; ++i) {
        sum += 3;
        asm volatile("" : "+r"(sum));
      }
      best = std::max(best, 1e5 / std::chrono::duration<double, std::nano>(Clock::now() - start).count());
    }
    return best;
  }();
  return measured;
}

struct Runner {
  std::shared_ptr<const Program> program;
  std::vector<InputValue> inputs;

  Runner(const Case& c, int threads, std::string_view passes) {
    CompileOptions options;
    options.threads = threads;
    options.passes = PassSwitches(passes);
    program = compile_program(c.function, topological(c.function.results), options);
    for (const Ref& p : c.function.parameters) {
      InputValue& in = inputs.emplace_back();
      in.storage = allocate(static_cast<std::size_t>(p.shape().elements()) * sizeof(float));
      auto* values = static_cast<float*>(in.storage->data());
      for (std::int64_t i = 0; i < p.shape().elements(); ++i) values[i] = 0.1F + static_cast<float>(i * 37 % 101) / 101.0F;
    }
  }
  double cycles(int calls) const {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) (void)program->run(inputs);
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count() * cycles_per_nanosecond() / calls;
  }
};

Point measure(const Case& c, int threads) {
  Point point{.terms = passes::terms_of(*c.call.node(), c.neighbours, threads)};
  const auto cost = passes::composite_cost(*c.call.node(), c.neighbours, threads);
  point.chosen_primitive = !cost || cost->primitive <= cost->inlined;
  const Runner primitive(c, threads, "-inline_calls"), inlined(c, threads, "+inline_calls");
  (void)primitive.cycles(1);
  const int calls = static_cast<int>(std::clamp(2e5 / std::max(primitive.cycles(3), inlined.cycles(3)), 1.0, 200.0));
  point.primitive = point.inlined = 1e300;
  for (int round = 0; round < 12; ++round) {
    point.primitive = std::min(point.primitive, primitive.cycles(calls));
    point.inlined = std::min(point.inlined, inlined.cycles(calls));
  }
  return point;
}

// Constants, none below 0, for which the sums over the terms come near the measured cycles: least squares of relative errors, one constant after the other.
CostTerms fit(const std::vector<Point>& points, double Point::*measured) {
  CostTerms constants{};
  for (int round = 0; round < 20'000; ++round) {
    for (std::size_t k = 0; k < passes::cost_terms; ++k) {
      double along = 0, length = 0;
      for (const Point& p : points) {
        double rest = p.*measured;
        for (std::size_t j = 0; j < passes::cost_terms; ++j) rest -= j == k ? 0 : constants[j] * p.terms[j];
        const double term = p.terms[k] / (p.*measured);
        along += term * rest / (p.*measured);
        length += term * term;
      }
      constants[k] = length > 0 ? std::max(along / length, 0.0) : 0;
    }
  }
  return constants;
}

std::string rounded(const CostTerms& constants) {
  std::vector<std::string> texts;
  for (const double c : constants) texts.push_back(fmt::format("{:.3g}", c));
  return fmt::format("{{{}}}", fmt::join(texts, ", "));
}

// How far the way that `primitive` tells lies above the faster one, as a geometric mean.
template <class Chosen>
double above_the_better(const std::vector<Point>& points, const Chosen& primitive) {
  double sum = 0;
  for (const Point& p : points) sum += std::log((primitive(p) ? p.primitive : p.inlined) / std::min(p.primitive, p.inlined));
  return std::exp(sum / static_cast<double>(std::max<std::size_t>(points.size(), 1)));
}

std::vector<Shape> grid(std::string_view name) {
  std::vector<Shape> shapes;
  if (name.starts_with("batch"))
    for (const Shape& space : {Shape{}, Shape{7, 7}, Shape{28, 28}})
      for (const std::int64_t n : {8, 64, 512, 4096})
        for (const std::int64_t channels : {16, 64, 512}) {
          Shape s{n, channels};
          for (const std::int64_t d : space) s.push_back(d);
          shapes.push_back(s);
        }
  else
    for (const std::int64_t rows : {16, 64, 256, 1024, 4096})
      for (const std::int64_t length : {8, 32, 128, 512, 1024, 4096}) shapes.push_back({rows, length});
  std::erase_if(shapes, [](const Shape& s) { return s.elements() > std::int64_t{1} << 21; });
  return shapes;
}

void study(const std::string& name, const std::vector<int>& counts, std::string_view what) {
  std::vector<Point> points;
  for (const int threads : counts) {
    set_threads(threads);
    for (const bool among_loops : {false, true})
      for (const Shape& shape : grid(name)) {
        const Case c = make_case(name, shape, among_loops);
        const Point& p = points.emplace_back(measure(c, threads));
        if (what != "points") continue;
        const auto cost = passes::composite_cost(*c.call.node(), c.neighbours, threads);
        fmt::print("{:24} {:18} {} thread(s) {} loops: primitive {:10.0f} inlined {:10.0f}, ratio {:5.2f}; the model {:10.0f} {:10.0f} {}\n", name,
                   shape.text(), threads, c.neighbours, p.primitive, p.inlined, p.primitive / p.inlined, cost ? cost->primitive : 0, cost ? cost->inlined : 0,
                   p.chosen_primitive == (p.primitive <= p.inlined) ? "" : "wrong");
      }
  }
  const auto right = std::ranges::count_if(points, [](const Point& p) { return p.chosen_primitive == (p.primitive <= p.inlined); });
  fmt::print("{:24} {:3} points: {:3.0f}% chosen well; over the better way: chosen {:.3f}, primitives {:.3f}, bodies {:.3f}\n", name, points.size(),
             100.0 * static_cast<double>(right) / static_cast<double>(points.size()),
             above_the_better(points, [](const Point& p) { return p.chosen_primitive; }), above_the_better(points, [](const Point&) { return true; }),
             above_the_better(points, [](const Point&) { return false; }));
  if (what == "constants") {
    const CostTerms primitive = fit(points, &Point::primitive), inlined = fit(points, &Point::inlined);
    const auto sum = [](const CostTerms& c, const Point& p) {
      double s = 0;
      for (std::size_t k = 0; k < passes::cost_terms; ++k) s += c[k] * p.terms[k];
      return s;
    };
    fmt::print("    Figures{{\"{}\", {}, {}}},  // over the better way: {:.3f}\n", name, rounded(primitive), rounded(inlined),
               above_the_better(points, [&](const Point& p) { return sum(primitive, p) <= sum(inlined, p); }));
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace cotan

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "all";
  const int threads = argc > 2 ? std::atoi(argv[2]) : 0;
  const std::string_view what = argc > 3 ? argv[3] : "";
  try {
    for (const std::string each : {"softmax", "softmax.vjp", "layer_norm", "layer_norm.vjp", "batch_norm_training", "batch_norm_training.vjp"})
      if (name == "all" || name == each) cotan::study(each, threads > 0 ? std::vector{threads} : std::vector{1, 2}, what);
  } catch (const cotan::Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
