// That the numbers are distributed as they say, and that streams know nothing of each other.
#include "tests/random/helpers.h"

namespace cotan {
namespace {

using testing::distance_from;
using testing::distribution_bound;
using testing::expect_equal_counts;
using testing::mean_bound;
using testing::numbers_of;

constexpr std::int64_t many = 40000;

TEST(Distribution, UniformNumbersAreUniform) {
  for (const DType dtype : {f32, f64}) {
    const std::vector<double> x = numbers_of(uniform({many}, {.low = -1, .high = 3, .dtype = dtype}, Generator(1)));
    EXPECT_LT(distance_from(x, [](double v) { return (v + 1) / 4; }), distribution_bound(x.size()));
  }
}

TEST(Distribution, NormalNumbersAreNormal) {
  for (const DType dtype : {f32, f64}) {
    const std::vector<double> x = numbers_of(normal({many}, {.mean = 2, .std = 3, .dtype = dtype}, Generator(2)));
    EXPECT_LT(distance_from(x, [](double v) { return 0.5 * std::erfc(-(v - 2) / (3 * std::sqrt(2.0))); }), distribution_bound(x.size()));
  }
}

TEST(Distribution, BernoulliHitsItsProbability) {
  for (const double p : {0.001, 0.25, 0.5, 0.9}) {
    const std::vector<double> x = numbers_of(bernoulli({many}, p, {}, Generator(3)));
    double ones = 0;
    for (const double v : x) {
      ASSERT_TRUE(v == 0 || v == 1);
      ones += v;
    }
    EXPECT_NEAR(ones / static_cast<double>(many), p, mean_bound(x.size(), 1)) << p;
    EXPECT_GT(ones, 0);
  }
}

TEST(Distribution, EveryIntegerIsEquallyFrequent) {
  for (const std::int64_t range : {2, 3, 7, 100, 256}) {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(range));
    for (const std::int32_t v : randint(-range / 2, range - range / 2, {many}, {}, Generator(4)).to_vector<std::int32_t>()) {
      ASSERT_GE(v, -range / 2);
      ASSERT_LT(v, range - range / 2);
      ++counts[static_cast<std::size_t>(v + range / 2)];
    }
    SCOPED_TRACE(range);
    expect_equal_counts(counts);
    EXPECT_THAT(counts, ::testing::Each(::testing::Gt(0)));
  }
}

// Three quarters of 2^32 is where a remainder of 32 random bits shows its bias: the lowest quarter would come up twice as often as each of the others.
TEST(Distribution, IntegersOfALargeRangeAreEquallyFrequent) {
  const std::int64_t quarter = std::int64_t{1} << 30, low = -2 * quarter;
  std::vector<std::int64_t> counts(3);
  std::vector<std::int64_t> lowest_bits(3);
  for (const std::int32_t v : randint(low, low + 3 * quarter, {many}, {}, Generator(5)).to_vector<std::int32_t>()) {
    ++counts[static_cast<std::size_t>((v - low) / quarter)];
    ++lowest_bits[static_cast<std::size_t>((v - low) % 3)];
  }
  expect_equal_counts(counts);
  expect_equal_counts(lowest_bits);
}

TEST(Distribution, EveryOrderAndEveryPlaceIsEquallyFrequent) {
  const Generator g(6);
  std::vector<std::int64_t> orders(24), places(100);
  for (int turn = 0; turn < 3000; ++turn) {
    const std::vector<std::int32_t> four = randperm(4, {}, g).to_vector<std::int32_t>();
    std::size_t order = 0;  // its number in the lexicographic order
    for (std::size_t i = 0; i < 4; ++i) {
      std::size_t smaller = 0;
      for (std::size_t j = i + 1; j < 4; ++j) smaller += four[j] < four[i] ? 1 : 0;
      order = order * (4 - i) + smaller;
    }
    ++orders[order];
  }
  expect_equal_counts(orders);
  // Each row of places has its element somewhere, each column has something: 81 degrees of freedom, not 99, which the upper bound allows for.
  for (int turn = 0; turn < 1500; ++turn) {
    const std::vector<std::int32_t> ten = randperm(10, {}, g).to_vector<std::int32_t>();
    for (std::size_t i = 0; i < 10; ++i) ++places[10 * i + static_cast<std::size_t>(ten[i])];
  }
  expect_equal_counts(places);
}

// The mean product of the centred numbers of two independent streams: 0, within Hoeffding's bound for products between -1/4 and 1/4.
void expect_uncorrelated(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - 0.5) * (b[i] - 0.5);
  EXPECT_NEAR(sum / static_cast<double>(a.size()), 0, mean_bound(a.size(), 0.5));
}

TEST(Distribution, StreamsAreUncorrelated) {
  auto of = [](const Generator& g) { return numbers_of(uniform({many}, {}, g)); };
  const std::vector<double> base = of(Generator(1));
  expect_uncorrelated(base, of(Generator(1, 1)));
  expect_uncorrelated(base, of(Generator(1, 2)));
  expect_uncorrelated(of(Generator(1, 1)), of(Generator(1, 2)));
  expect_uncorrelated(base, of(Generator(2)));
  const Generator root(1), child = root.split(), second = root.split();
  expect_uncorrelated(of(child), of(second));
  expect_uncorrelated(of(root), of(root.split()));
  const Generator g(1);
  const std::vector<double> first = of(g);
  expect_uncorrelated(first, of(g));
  for (const std::size_t lag : {1, 2, 3, 4, 5, 64, 256}) {
    SCOPED_TRACE(lag);
    // Two halves of pairs that share no number, so that the products are independent.
    std::vector<double> here, there;
    for (std::size_t i = 0; i + lag < first.size(); ++i)
      if (i / lag % 2 == 0) {
        here.push_back(first[i]);
        there.push_back(first[i + lag]);
      }
    expect_uncorrelated(here, there);
  }
}

}  // namespace
}  // namespace cotan
