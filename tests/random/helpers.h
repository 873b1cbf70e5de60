// What the tests of random numbers share: where draws read their streams, the uniform numbers that they must have read, and bounds for statistics.
//
// The bounds hold for every distribution of the kind except with probability e^-14 (less than one in a million), and seeds are fixed: a test that passes
// once passes always, and one that fails after a change of the numbers points to a fault.
#pragma once

#include <cmath>
#include <map>

#include "graph/composites/random.h"
#include "ops/philox.h"
#include "tests/autograd/helpers.h"

namespace cotan::testing {

inline constexpr double rarity = 14;

// One random leaf of a recorded tensor: the blocks [first, last) of a stream.
struct Interval {
  std::uint64_t key = 0, first = 0, last = 0;
};

// The random leaves below the tensor, by counter.
inline std::vector<Interval> intervals_of(const Tensor& t) {
  std::map<std::uint64_t, Interval> found;
  const Ref roots[] = {t.state()->ref};
  for (const Node* n : topological(roots)) {
    if (n->kind != Kind::leaf || n->as<LeafSpec>().role != LeafRole::random) continue;
    const auto& leaf = n->as<LeafSpec>();
    const std::int64_t each = n->dtype == f32 ? 4 : 2;
    found[leaf.counter] = {leaf.key, leaf.counter, leaf.counter + static_cast<std::uint64_t>((n->shape.elements() + each - 1) / each)};
  }
  std::vector<Interval> intervals;
  for (const auto& [counter, interval] : found) intervals.push_back(interval);
  return intervals;
}

// `count` uniform numbers of a stream, one by one.
inline std::vector<double> uniform_numbers(std::uint64_t key, std::uint64_t counter, std::int64_t count, DType dtype) {
  std::vector<double> u;
  for (std::int64_t i = 0; i < count; ++i) u.push_back(philox::uniform(key, counter, i, dtype));
  return u;
}

// The values of a tensor of any type as doubles.
inline std::vector<double> numbers_of(const Tensor& t) { return cast(t, f64).to_vector<double>(); }

// Box and Muller's transform by the standard library.
inline double box_muller(double u, double v) { return std::sqrt(-2 * std::log1p(-u)) * std::cos(2 * M_PI * v); }

// Pearson's statistic of counts that should be equal lies between these bounds (Laurent and Massart, "Adaptive Estimation of a Quadratic Functional by Model
// Selection", Annals of Statistics 28, 2000, lemma 1; the expected counts are large, so that the statistic is a chi-squared one).
inline void expect_equal_counts(const std::vector<std::int64_t>& counts) {
  double total = 0, statistic = 0;
  for (const std::int64_t c : counts) total += static_cast<double>(c);
  const double expected = total / static_cast<double>(counts.size()), freedom = static_cast<double>(counts.size()) - 1;
  ASSERT_GE(expected, 50);
  for (const std::int64_t c : counts) statistic += (static_cast<double>(c) - expected) * (static_cast<double>(c) - expected) / expected;
  EXPECT_LT(statistic, freedom + 2 * std::sqrt(freedom * rarity) + 2 * rarity);
  EXPECT_GT(statistic, freedom - 2 * std::sqrt(freedom * rarity));
}

// The mean of n independent numbers from an interval of this width is so near its expectation (Hoeffding, "Probability Inequalities for Sums of Bounded Random
// Variables", JASA 58, 1963).
inline double mean_bound(std::size_t n, double width) { return width * std::sqrt((rarity + std::log(2)) / (2 * static_cast<double>(n))); }

// The empirical distribution is so near the true one everywhere (Massart, "The Tight Constant in the Dvoretzky-Kiefer-Wolfowitz Inequality", Annals of
// Probability 18, 1990).
inline double distribution_bound(std::size_t n) { return mean_bound(n, 1); }

// The largest distance between the empirical distribution and `below`, the probability of a number below x (Kolmogorov and Smirnov).
inline double distance_from(std::vector<double> x, const std::function<double(double)>& below) {
  std::sort(x.begin(), x.end());
  const auto n = static_cast<double>(x.size());
  double distance = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double p = below(x[i]);
    distance = std::max({distance, std::abs(p - static_cast<double>(i) / n), std::abs(p - static_cast<double>(i + 1) / n)});
  }
  return distance;
}

}  // namespace cotan::testing
