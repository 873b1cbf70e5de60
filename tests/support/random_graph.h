// Random graphs over everything there is: all elementwise rows, all cases of all rows of sums, reductions and composites, random indexed sums, windows, scans,
// casts, barriers, comparisons that select. They grow to a wanted number of nodes; values stay finite and of moderate size, because the generator evaluates
// each new node and squashes what grows.
//
//     const RandomGraph g = random_graph(seed, {.nodes = 60});
//     reference::evaluate(g.function, g.inputs.arrays());
#pragma once

#include <set>
#include <string>

#include "tests/support/inputs.h"

namespace cotan::testing {

struct RandomGraphOptions {
  int nodes = 40;            // about as many
  DType floating = f64;      // of all floating tensors
  bool smooth = false;       // no kinks, steps or selections, and no stop_gradient: the derivative is the limit of differences
  bool wild_tables = false;  // tensor-valued indices that leave their dimension, which programs must not have: only the reference says what they mean
};

struct RandomGraph {
  Function function;           // results: the first one is floating
  Inputs inputs;               // the function's parameters with values; integers named "..._below4" hold 0 to 3
  std::set<std::string> rows;  // of which tables' rows there are nodes
};

// True where the value at r changes smoothly with the leaves: nothing of choice, rounding or comparison on the way, but behind a stop_gradient.
[[nodiscard]] bool is_smooth(const Ref& r);

// The graph of that seed.
[[nodiscard]] RandomGraph random_graph(std::uint64_t seed, const RandomGraphOptions& options = {});

// The graph alone: f32, of about that many nodes.
[[nodiscard]] inline Function random_function(std::uint64_t seed, int nodes) { return random_graph(seed, {.nodes = nodes, .floating = f32}).function; }

// Values for the parameters of a function made here, also after a round trip through text: integers named "..._belowN" lie in [0, N), floats in [-1, 1).
[[nodiscard]] inline std::vector<reference::Array> random_inputs(const Function& f, std::uint64_t seed) {
  Random random(seed);
  std::vector<reference::Array> arrays;
  for (const Ref& p : f.parameters) {
    const std::string& name = p->as<LeafSpec>().name;
    const std::size_t mark = name.rfind("_below");
    const std::int64_t n = p.shape().elements();
    std::vector<double> values = mark == std::string::npos ? random_values(random, n) : random_integers(random, n, 0, std::stoll(name.substr(mark + 6)) - 1);
    for (double& v : values) v = round_to(p.dtype(), v);
    arrays.push_back({p.dtype(), p.shape(), std::move(values)});
  }
  return arrays;
}

}  // namespace cotan::testing
