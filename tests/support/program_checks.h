// Compiled programs against the reference, results and gradients.
#pragma once

#include <fmt/format.h>

#include "autograd/differentiate.h"
#include "graph/threads.h"
#include "tests/support/close.h"
#include "tests/support/gradient_checks.h"
#include "tests/support/random_graph.h"
#include "tests/support/row_cases.h"
#include "tests/support/run_compiled.h"

namespace cotan::testing {

// Inputs as their types hold them, so that both sides start from the same numbers.
[[nodiscard]] inline std::vector<reference::Array> rounded(std::vector<reference::Array> arrays) {
  for (reference::Array& a : arrays)
    for (double& v : a.values) v = round_to(a.dtype, v);
  return arrays;
}

// Whether the reference itself jumps where its floating inputs move by a few units in the last place: a step such as floor or a comparison stands at its edge,
// and rounding decides on which side.
[[nodiscard]] inline bool stands_at_an_edge(const Function& f, const std::vector<reference::Array>& inputs, double tolerance) {
  const auto here = reference::evaluate(f, inputs, {.exact = true});
  Random random(1);
  for (int trial = 0; trial < 16; ++trial) {
    std::vector<reference::Array> moved = inputs;
    for (reference::Array& a : moved)
      if (is_floating(a.dtype))
        for (double& v : a.values) v *= 1 + random.uniform(-1, 1) * (a.dtype == f32 ? 1e-6 : 1e-14);
    const auto there = reference::evaluate(f, moved, {.exact = true});
    for (std::size_t r = 0; r < here.size(); ++r)
      if (!differences("moved", there[r].values, here[r].values, tolerance).empty()) return true;
  }
  return false;
}

// Where f compiled for so many threads differs from the reference in float64.
[[nodiscard]] inline Failures compare_with_reference(const Function& f, const std::vector<reference::Array>& inputs, double tolerance, int threads) {
  const auto expected = reference::evaluate(f, inputs, {.exact = true});
  const auto got = run_compiled(f, inputs, threads);
  Failures failures;
  for (std::size_t r = 0; r < expected.size(); ++r)  // beside values of about one: what cancels leaves rounding errors
    for (std::size_t i = 0; i < expected[r].values.size(); ++i)
      if (!close(got[r].values[i], expected[r].values[i], tolerance))
        failures.push_back(fmt::format("result {} at {} threads, at {}: got {}, expected {}", r, threads, i, got[r].values[i], expected[r].values[i]));
  return failures;
}

// The results, and the gradients of the floating ones by every floating parameter.
[[nodiscard]] inline Function with_gradients(const Inputs& inputs, std::vector<Ref> results, Random& random) {
  Function f;
  f.parameters = inputs.parameters();
  f.results = results;
  for (const Ref& r : results) {
    if (!is_floating(r.dtype())) continue;
    const Ref weight = graph::fill(random.uniform(0.5, 1.5), r.dtype(), r.shape());
    const Ref outputs[] = {r}, cotangents[] = {graph::mul(weight, graph::sin(r))};
    for (const Ref& g : vjp(outputs, cotangents, inputs.floating()))
      if (g) f.results.push_back(g);
  }
  return f;
}

// The random graph of that seed: its gradient is the transpose of its tangent, and compiled it does what the reference does, gradients included. Every fourth
// graph is smooth and in float32. Adds the rows that occur in it to `rows`. A graph with a step at whose edge it stands is no failure; it counts in
// `undecided`.
[[nodiscard]] inline Failures check_random_graph(std::uint64_t seed, std::set<std::string>& rows, int& undecided) {
  Random random(seed);
  const int count = 1 + static_cast<int>(seed % 4);
  set_threads(count);
  const bool single = seed % 4 == 3;
  const RandomGraph g = single ? random_graph(seed, {.nodes = static_cast<int>(random.integer(5, 40)), .floating = f32, .smooth = true})
                               : random_graph(seed, {.nodes = static_cast<int>(seed % 100 == 0 ? 200 : random.integer(5, 80))});
  rows.insert(g.rows.begin(), g.rows.end());
  Failures failures;
  if (!single) failures = check_gradients(g.inputs, g.function.results[0], random, {.differences = false});
  const Function f = single ? g.function : with_gradients(g.inputs, g.function.results, random);
  const double tolerance = single ? 2e-3 : 1e-8;
  Failures different = compare_with_reference(f, rounded(g.inputs.arrays()), tolerance, count);
  if (!different.empty() && stands_at_an_edge(f, rounded(g.inputs.arrays()), tolerance)) {
    ++undecided;
    different.clear();
  }
  for (std::string& failure : different) failures.push_back(std::move(failure));
  set_threads(0);
  for (std::string& failure : failures) failure = fmt::format("seed {}: {}", seed, failure);
  return failures;
}

// The rows of all tables that are not among these.
[[nodiscard]] inline std::vector<std::string> missing_rows(const std::set<std::string>& rows) {
  std::set<std::string> all;
  for (const ElementwiseRow& row : elementwise_rows()) all.emplace(row.name);
  for (const RowTestCase& c : row_test_cases()) all.insert(c.row);
  std::vector<std::string> missing;
  std::set_difference(all.begin(), all.end(), rows.begin(), rows.end(), std::back_inserter(missing));
  return missing;
}

}  // namespace cotan::testing
