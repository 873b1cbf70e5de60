// Gradients beside and through random numbers: dropout's mask, and distributions whose parameters are learned.
#include "tests/random/helpers.h"

namespace cotan {
namespace {

using ::testing::Each;
using testing::numbers_of;
using testing::uniform_numbers;

constexpr std::uint64_t key = 5, counter = 11;
Generator at_start() { return Generator(GeneratorState{key, counter}); }

class RandomGradients : public testing::InBothModes {};
COTAN_IN_BOTH_MODES(RandomGradients);

// The factors of dropout, by its definition.
std::vector<double> factors(std::int64_t n, double p, DType dtype) {
  std::vector<double> m;
  const double steps = dtype == f32 ? 0x1p24 : 0x1p53, kept = std::ceil((1 - p) * steps) / steps;
  for (const double u : uniform_numbers(key, counter, n, dtype)) m.push_back(u < kept ? 1 / kept : 0);
  return m;
}

Tensor ramp(std::int64_t n, DType dtype) { return cast(arange(n), dtype) * 0.125 - 3.0625; }

TEST_P(RandomGradients, DropoutAndItsGradientsUseOneMask) {
  for (const DType dtype : {f32, f64}) {
    const double tolerance = dtype == f32 ? 1e-6 : 1e-15;
    const std::int64_t n = 50;
    const Variable x("x", ramp(n, dtype)), w("w", full({n}, 1.5, dtype));
    const std::vector<double> at = numbers_of(x.value()), m = factors(n, 0.3, dtype);
    const Tensor y = dropout(x, {.p = 0.3}, at_start());
    const Tensor loss = sum(y * y * y * w);
    const Tensor g = gradients(loss, {x})[0];
    const Tensor second = gradients(sum(g * ramp(n, dtype)), {x})[0];
    const Tensor tangent = jvp({y}, {x}, {full({n}, 2, dtype)})[0];
    if (dtype == f64) evaluate({loss});  // the value first, the gradients in graphs of their own
    const std::vector<double> value = numbers_of(y), first = numbers_of(g), hessian = numbers_of(second), forward = numbers_of(tangent);
    for (std::size_t i = 0; i < at.size(); ++i) {
      const double d = at[i] * m[i];
      ASSERT_NEAR(value[i], d, tolerance * 10);
      ASSERT_NEAR(first[i], 3 * d * d * m[i] * 1.5, tolerance * 400) << i;
      ASSERT_NEAR(hessian[i], 6 * d * m[i] * m[i] * 1.5 * at[i], tolerance * 1000) << i;
      ASSERT_NEAR(forward[i], 2 * m[i], tolerance * 10) << i;
    }
    EXPECT_THAT(value, ::testing::Contains(0)) << "something is dropped";
  }
}

TEST_P(RandomGradients, DropoutOfNothingAndOfEverything) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const Variable x("x", tensor<float>({1, -2.5F, inf, nan, 0, 7}, {6}));
  const Tensor all = dropout(x, {.p = 1}), none = dropout(x, {.p = 0});
  EXPECT_THAT(all.to_vector(), Each(0));
  const Tensor g = gradients(sum(all), {x})[0];
  EXPECT_THAT(g.to_vector(), Each(0));
  EXPECT_THAT(gradients(sum(dropout(x * x, {.p = 1})), {x})[0].to_vector(), Each(0)) << "also where the derivative before it is NaN";
  EXPECT_THAT(none.to_vector(), ::testing::ElementsAre(1, -2.5F, inf, ::testing::IsNan(), 0, 7));
  EXPECT_THAT(gradients(sum(none), {x})[0].to_vector(), Each(1));
  const Tensor as_it_is = dropout(x, {.p = 0.5, .training = false});
  EXPECT_THAT(as_it_is.to_vector(), ::testing::ElementsAre(1, -2.5F, inf, ::testing::IsNan(), 0, 7));
  EXPECT_THAT(gradients(sum(as_it_is), {x})[0].to_vector(), Each(1));
}

TEST_P(RandomGradients, DropoutKeepsItsShareAndTheMean) {
  constexpr std::int64_t n = 20000;
  for (const double p : {0.1, 0.5, 0.85}) {
    const std::vector<double> y = numbers_of(dropout(ones({n}), {.p = p}, Generator(8)));
    double total = 0;
    for (const double v : y) {
      ASSERT_TRUE(v == 0 || std::abs(v - 1 / (1 - p)) < 1e-5);
      total += v;
    }
    EXPECT_NEAR(total / static_cast<double>(n), 1, testing::mean_bound(y.size(), 1 / (1 - p)));
  }
  // A share too small for the type to tell from none is rounded up, and so is what it is divided by.
  const std::vector<double> rare = numbers_of(dropout(ones({n}), {.p = 1 - 1e-12}, Generator(8)));
  EXPECT_THAT(rare, Each(::testing::AnyOf(0, 0x1p24)));
}

TEST_P(RandomGradients, AnotherProbabilityCompilesNothingAnew) {
  clear_cache();
  const Variable x("x", ramp(30, f32));
  optim::SGD sgd({x}, {.lr = 0.01});
  auto step = [&](double p) {
    sum(square(dropout(x, {.p = p}))).backward();
    return sgd.step().cache_hit;
  };
  EXPECT_FALSE(step(0.25));
  for (const double p : {0.5, 0.0, 1.0, 0.9, 0.0}) EXPECT_TRUE(step(p)) << p;
  EXPECT_THAT(x.value().to_vector(), Each(::testing::Not(::testing::IsNan())));
}

// mean((mu + sigma e)^2) for normal e: the gradient is (2 mean(z), 2 mean(z e)), the second derivative by sigma 2 mean(e^2).
TEST_P(RandomGradients, OfANormalDistributionsParameters) {
  constexpr std::int64_t n = 64;
  const Variable mu("mu", tensor({0.5}, f64)), sigma("sigma", tensor({1.25}, f64));
  const Tensor z = mu + sigma * normal({n}, {.dtype = f64}, at_start());
  const Tensor loss = mean(z * z);
  const std::vector<Tensor> g = gradients(loss, {mu, sigma});
  const double second = gradients(sum(g[1]), {sigma})[0].item<double>();
  const std::vector<double> u = uniform_numbers(key, counter, n, f64), v = uniform_numbers(key, counter + n / 2, n, f64);
  double by_mu = 0, by_sigma = 0, by_both = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    const double e = testing::box_muller(u[i], v[i]);
    by_mu += 2 * (0.5 + 1.25 * e) / n;
    by_sigma += 2 * (0.5 + 1.25 * e) * e / n;
    by_both += 2 * e * e / n;
  }
  EXPECT_NEAR(g[0].item<double>(), by_mu, 1e-13);
  EXPECT_NEAR(g[1].item<double>(), by_sigma, 1e-13);
  EXPECT_NEAR(second, by_both, 1e-13);
}

// Exponentially distributed numbers of rate r are -log(1 - u) / r.
TEST_P(RandomGradients, OfAnExponentialDistributionsRate) {
  constexpr std::int64_t n = 64;
  const Variable rate("rate", tensor({1.5}, f64));
  const Tensor x = -log(1 - uniform({n}, {.dtype = f64}, at_start())) / rate;
  double by_rate = 0;
  for (const double u : uniform_numbers(key, counter, n, f64)) by_rate += std::log1p(-u) / (1.5 * 1.5) / n;
  EXPECT_NEAR(gradients(mean(x), {rate})[0].item<double>(), by_rate, 1e-13);
}

TEST_P(RandomGradients, BernoulliGivesItsProbabilityNone) {
  const Variable p("p", full({20}, 0.5));
  const Tensor drawn = bernoulli(p, at_start());
  EXPECT_THAT(gradients(sum(drawn * 3), {p})[0].to_vector(), Each(0));
}

}  // namespace
}  // namespace cotan
