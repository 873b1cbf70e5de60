// Checks of generated derivatives on the reference backend: reverse against forward mode, and both against differences.
#pragma once

#include "autograd/differentiate.h"
#include "tests/support/close.h"
#include "tests/support/inputs.h"

namespace cotan::testing {

// Reverse mode under test: (output, wrt, seed) -> gradients. Tests of the tests pass a wrong one.
using Gradients = std::function<std::vector<Ref>(const Ref&, std::span<const Ref>, const Ref&)>;

[[nodiscard]] inline std::vector<Ref> plain_gradients(const Ref& output, std::span<const Ref> wrt, const Ref& seed) { return gradients(output, wrt, seed); }

struct GradientCheck {
  double tolerance = 1e-9;  // of <g, J v> = <J' g, v>, relative to the size of the terms
  bool whole = false;       // cotangents and tangents are whole numbers: with whole inputs everything is exact in float64
  bool differences = true;  // compare J v with central differences too
  double difference_tolerance = 1e-6;
};

// The derivatives of `output` by all floating inputs, at the inputs' values, in a random direction.
[[nodiscard]] inline Failures check_gradients(const Inputs& given, const Ref& output, Random& random, const GradientCheck& options = {},
                                              const Gradients& gradients_of = plain_gradients) {
  Inputs inputs = given;
  const std::vector<Ref> wrt = given.floating();
  auto numbers = [&](const Shape& shape) { return options.whole ? random_integers(random, shape.elements()) : random_values(random, shape.elements()); };
  const Ref seed = inputs.add("cotangent", output.dtype(), output.shape(), numbers(output.shape()));
  std::vector<Ref> tangents;
  for (std::size_t i = 0; i < wrt.size(); ++i)
    tangents.push_back(inputs.add(fmt::format("tangent{}", i), wrt[i].dtype(), wrt[i].shape(), numbers(wrt[i].shape())));

  std::vector<Ref> results = gradients_of(output, wrt, seed);
  Failures failures;
  for (std::size_t i = 0; i < wrt.size(); ++i)
    if (results[i].shape() != wrt[i].shape() || results[i].dtype() != wrt[i].dtype()) return {fmt::format("gradient {} is not of its tensor's type", i)};
  const Ref outputs[] = {output};
  results.push_back(jvp(outputs, wrt, tangents)[0]);
  const auto values = inputs.run(results);

  auto value_of = [&](const Ref& parameter) -> const std::vector<double>& {
    for (std::size_t i = 0; i < inputs.parameters().size(); ++i)
      if (inputs.parameters()[i] == parameter) return inputs.arrays()[i].values;
    throw InternalError("not an input");
  };
  const double forward = inner_product(value_of(seed), values.back().values);
  double reverse = 0, size = 0;
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    reverse += inner_product(values[i].values, value_of(tangents[i]));
    for (std::size_t j = 0; j < values[i].values.size(); ++j) size += std::abs(values[i].values[j] * value_of(tangents[i])[j]);
  }
  if (!std::isfinite(forward) || !std::isfinite(reverse)) return {fmt::format("<g, J v> = {}, <J' g, v> = {}: not finite", forward, reverse)};
  if (!close(forward, reverse, options.tolerance, std::max(1e-3, size))) failures.push_back(fmt::format("<g, J v> = {}, <J' g, v> = {}", forward, reverse));
  if (!options.differences) return failures;

  auto moved = [&](double step) {
    Inputs at = given;
    for (std::size_t i = 0; i < at.parameters().size(); ++i)
      for (std::size_t k = 0; k < wrt.size(); ++k)
        if (at.parameters()[i] == wrt[k])
          for (std::size_t j = 0; j < at.arrays()[i].values.size(); ++j) at.arrays()[i].values[j] += step * value_of(tangents[k])[j];
    return at.run(output);
  };
  // Fourth-order differences at two steps: where these two disagree, they say little, and the tolerance grows with their disagreement.
  auto slopes = [&](double h) {
    const auto a = moved(h), b = moved(-h), c = moved(2 * h), d = moved(-2 * h);
    std::vector<double> slope;
    for (std::size_t j = 0; j < a.size(); ++j) slope.push_back((8 * (a[j] - b[j]) - (c[j] - d[j])) / (12 * h));
    return slope;
  };
  const std::vector<double> coarse = slopes(2e-4), fine = slopes(5e-5), f = given.run(output);
  for (std::size_t j = 0; j < f.size(); ++j) {
    const double scale = std::max({1.0, std::abs(f[j]), std::abs(fine[j])}), doubt = std::abs(coarse[j] - fine[j]);
    if (!close(values.back().values[j], fine[j], options.difference_tolerance, scale + 10 * doubt / options.difference_tolerance))
      failures.push_back(fmt::format("J v at {} = {}, differences say {} (to about {})", j, values.back().values[j], fine[j], doubt));
  }
  return failures;
}

}  // namespace cotan::testing
