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

// Where two lists of results differ by more than tolerance * max(1, |a|, |b|): what cancels leaves rounding errors beside values of about one.
[[nodiscard]] inline Failures compare_results(std::string_view what, const std::vector<reference::Array>& got, const std::vector<reference::Array>& expected,
                                              double tolerance) {
  Failures failures;
  for (std::size_t r = 0; r < expected.size(); ++r)
    for (std::size_t i = 0; i < expected[r].values.size(); ++i)
      if (!close(got[r].values[i], expected[r].values[i], tolerance))
        failures.push_back(fmt::format("{}: result {}, at {}: got {}, expected {}", what, r, i, got[r].values[i], expected[r].values[i]));
  return failures;
}

// Where f compiled for so many threads differs from the reference in float64.
[[nodiscard]] inline Failures compare_with_reference(const Function& f, const std::vector<reference::Array>& inputs, double tolerance, int threads) {
  return compare_results(fmt::format("{} threads", threads), run_compiled(f, inputs, threads), reference::evaluate(f, inputs, {.exact = true}), tolerance);
}

// Bounds of a comparison of three computations, each relative to max(1, |a|, |b|) for each number.
struct Bounds {
  double reference = 0;  // between a compiled program, fused or not, and the reference in float64
  double fused = 0;      // between the fused and the unfused program
};

// Where f compiled with fusions, f compiled without them, and the reference in float64 differ from each other.
[[nodiscard]] inline Failures compare_three(const Function& f, const std::vector<reference::Array>& inputs, const Bounds& bounds, int threads) {
  CompileOptions options;
  options.threads = threads;
  const auto fused = run_compiled(f, inputs, options);
  options.passes = without_fusion();
  const auto unfused = run_compiled(f, inputs, options), expected = reference::evaluate(f, inputs, {.exact = true});
  Failures failures = compare_results(fmt::format("fused, {} threads, against the reference", threads), fused, expected, bounds.reference);
  for (const Failures& more : {compare_results(fmt::format("unfused, {} threads, against the reference", threads), unfused, expected, bounds.reference),
                               compare_results(fmt::format("fused, {} threads, against unfused", threads), fused, unfused, bounds.fused)})
    failures.insert(failures.end(), more.begin(), more.end());
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

// The random graph of that seed, with the gradients of its floating results: the gradient is the transpose of the tangent (float64), and fused, unfused and
// reference agree on values and gradients. Every fourth graph is smooth and in float32, where primitives take part; the others are in float64.
//
//     float64   1e-8 between compiled and reference: roundings of 2^-53, magnified by up to 200 nodes and their gradients
//               1e-12 between fused and unfused
//     float32   2e-3 between compiled and reference
//               1e-3 between fused and unfused, since a primitive with what follows it rounds otherwise than one alone
//
// Adds the rows that occur in it to `rows`. A graph with a step at whose edge it stands is no failure; it counts in `undecided`.
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
  const Function f = with_gradients(g.inputs, g.function.results, random);
  const Bounds bounds = single ? Bounds{2e-3, 1e-3} : Bounds{1e-8, 1e-12};
  Failures different = compare_three(f, rounded(g.inputs.arrays()), bounds, count);
  if (!different.empty() && stands_at_an_edge(f, rounded(g.inputs.arrays()), bounds.reference)) {
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
