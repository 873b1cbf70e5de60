// Initial values: their spread with a fixed seed, and what layers start from.
#include <cotan/cotan.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ops/error.h"

namespace cotan::testing {
namespace {

struct Spread {
  double mean = 0, std = 0, low = 0, high = 0;
};

Spread spread_of(const Variable& v) {
  const std::vector<float> x = v.value().to_vector();
  Spread s{0, 0, x[0], x[0]};
  for (const double e : x) {
    s.mean += e / static_cast<double>(x.size());
    s.low = std::min(s.low, e);
    s.high = std::max(s.high, e);
  }
  for (const double e : x) s.std += (e - s.mean) * (e - s.mean) / static_cast<double>(x.size());
  s.std = std::sqrt(s.std);
  return s;
}

// Within 4 % of the deviation that is expected; the mean within 5 of its own deviations.
void expect_spread(const Variable& v, double mean, double std) {
  const Spread s = spread_of(v);
  EXPECT_NEAR(s.std, std, 0.04 * std);
  EXPECT_NEAR(s.mean, mean, 5 * std / std::sqrt(static_cast<double>(v.shape().elements())));
}

void expect_uniform(const Variable& v, double bound) {
  expect_spread(v, 0, bound / std::sqrt(3.0));
  const Spread s = spread_of(v);
  EXPECT_TRUE(s.low >= -bound && s.high < bound) << s.low << " to " << s.high;
  EXPECT_TRUE(s.low < -0.99 * bound && s.high > 0.99 * bound) << s.low << " to " << s.high;
}

TEST(Init, FillsWithTheNamedDistribution) {
  const Variable w("w", zeros({40, 30, 2, 3}));  // fan_in 180, fan_out 240
  const Generator g(7);
  nn::init::normal_(w, 1, 0.5, g);
  expect_spread(w, 1, 0.5);
  nn::init::uniform_(w, -2, 2, g);
  expect_uniform(w, 2);
  nn::init::xavier_uniform_(w, 2, g);
  expect_uniform(w, 2 * std::sqrt(6.0 / 420));
  nn::init::xavier_normal_(w, 1, g);
  expect_spread(w, 0, std::sqrt(2.0 / 420));
  nn::init::kaiming_uniform_(w, {.a = std::sqrt(5.0)}, g);
  expect_uniform(w, 1 / std::sqrt(180.0));
  nn::init::kaiming_uniform_(w, {.mode = nn::init::FanMode::fan_out, .nonlinearity = "relu"}, g);
  expect_uniform(w, std::sqrt(6.0 / 240));
  nn::init::kaiming_normal_(w, {.nonlinearity = "tanh"}, g);
  expect_spread(w, 0, 5.0 / 3 / std::sqrt(180.0));
  nn::init::constant_(w, 0.25);
  EXPECT_EQ(spread_of(w).low, 0.25);
  nn::init::ones_(w);
  EXPECT_EQ(spread_of(w).high, 1);
  nn::init::zeros_(w);
  EXPECT_EQ(spread_of(w).high, 0);
}

TEST(Init, KnowsPyTorchsGains) {
  EXPECT_EQ(nn::init::calculate_gain("linear"), 1);
  EXPECT_EQ(nn::init::calculate_gain("sigmoid"), 1);
  EXPECT_DOUBLE_EQ(nn::init::calculate_gain("relu"), 1.4142135623730951);
  EXPECT_DOUBLE_EQ(nn::init::calculate_gain("leaky_relu"), 1.4141428569978354);
  EXPECT_DOUBLE_EQ(nn::init::calculate_gain("leaky_relu", 0.2), 1.3867504905630728);
  EXPECT_DOUBLE_EQ(nn::init::calculate_gain("tanh"), 1.6666666666666667);
  EXPECT_DOUBLE_EQ(nn::init::calculate_gain("selu"), 0.75);
  EXPECT_THROW(static_cast<void>(nn::init::calculate_gain("gelu")), Error);
  const Variable vector("vector", zeros({4}));
  EXPECT_THROW(nn::init::kaiming_normal_(vector), Error);
  EXPECT_THROW(nn::init::xavier_uniform_(vector), Error);
}

TEST(Init, LayersStartAsPyTorchsDo) {
  const Generator g(11);
  const nn::Linear linear(100, 80, {.generator = g});
  expect_uniform(linear.weight, 0.1);
  EXPECT_LE(spread_of(linear.bias).high, 0.1F);
  const nn::Conv2d conv(8, 64, {.kernel_size = {3, 5}, .groups = 2, .generator = g});  // fan_in 60
  expect_uniform(conv.weight, 1 / std::sqrt(60.0));
  const nn::Embedding embedding(200, 40, {.padding_idx = -2, .generator = g});
  expect_spread(embedding.weight, 0, 1);
  const std::vector<float> rows = embedding.weight.value().to_vector();
  for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(rows[198 * 40 + i], 0);
  EXPECT_NE(rows[199 * 40], 0);
  const nn::GRU gru(16, 49, {.generator = g});
  expect_uniform(gru.parameter("weight_hh_l0"), 1.0 / 7);
  expect_uniform(gru.parameter("weight_ih_l0"), 1.0 / 7);
  const nn::MultiheadAttention attention(48, 4, {.generator = g});
  expect_uniform(attention.in_proj_weight, std::sqrt(6.0 / 192));
  EXPECT_EQ(spread_of(attention.in_proj_bias).high, 0);
  EXPECT_EQ(spread_of(attention.out_proj.bias).high, 0);
  const nn::BatchNorm2d norm(3);
  EXPECT_EQ(norm.weight.value().to_vector(), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(norm.running_var.value().to_vector(), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(norm.running_mean.value().to_vector(), (std::vector<float>{0, 0, 0}));
}

TEST(Init, ASeedRepeatsAModel) {
  manual_seed(5);
  const nn::Linear first(4, 4);
  manual_seed(5);
  const nn::Linear second(4, 4), third(4, 4);
  EXPECT_EQ(first.weight.value().to_vector(), second.weight.value().to_vector());
  EXPECT_NE(first.weight.value().to_vector(), third.weight.value().to_vector());
}

TEST(Init, LayersHaveTheTypeThatIsAskedFor) {
  const nn::Sequential net(nn::Linear(2, 3, {.dtype = f64}), nn::LayerNorm(3, {.dtype = f64}), nn::Tanh());
  for (const Variable& p : net.parameters()) EXPECT_EQ(p.dtype(), f64);
  EXPECT_EQ(net(zeros({1, 2}, f64)).dtype(), f64);
}

}  // namespace
}  // namespace cotan::testing
