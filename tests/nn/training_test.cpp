// Models in training: the loss falls, one compilation serves all steps, memory stays as it is; dropout and batch norm in their modes.
#include <cotan/cotan.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "graph/node.h"

namespace cotan::testing {
namespace {

struct ConvNet : nn::Layer {
  nn::Sequential features = register_module("features", nn::Sequential(nn::Conv2d(1, 4, {.kernel_size = 3, .padding = 1}), nn::BatchNorm2d(4), nn::ReLU(),
                                                                       nn::MaxPool2d({.kernel_size = 2}), nn::Flatten()));
  nn::Linear out = register_module("out", nn::Linear(4 * 3 * 3, 2));
  Tensor forward(const Tensor& x) const override { return out(features(x)); }
};

TEST(Training, AConvolutionalNetLearnsInOneCompilationAndConstantMemory) {
  manual_seed(1);
  const ConvNet net;
  const Tensor x = normal({16, 1, 6, 6});
  const Tensor left = sum(slice(x, {.dim = 3, .end = 3}), {.dim = {1, 2, 3}}), right = sum(slice(x, {.dim = 3, .start = 3}), {.dim = {1, 2, 3}});
  const Tensor target = cast(left > right, i32);
  evaluate({x, target});
  optim::Adam adam(net.parameters(), {.lr = 0.01});
  double first = 0, last = 0;
  int compiled = 0;
  std::size_t nodes = 0;
  for (int step = 0; step < 30; ++step) {
    const Tensor loss = cross_entropy(net(x), target);
    loss.backward();
    const EvaluationReport report = adam.step();
    if (!report.cache_hit) ++compiled;
    last = loss.item();
    if (step == 0) first = last;
    if (step == 3) nodes = NodeTable::current().live_nodes();
  }
  EXPECT_LE(NodeTable::current().live_nodes(), nodes);
  EXPECT_LE(compiled, 2) << "the first step, and the second, which finds the optimizer's state";
  EXPECT_LT(last, 0.25 * first);
  EXPECT_EQ(net.buffer("features.1.num_batches_tracked").value().item<std::int64_t>(), 30);
  // In evaluation mode nothing moves on.
  net.eval();
  const nn::StateDict before = net.state();
  EXPECT_TRUE(std::isfinite(cross_entropy(net(x), target).item()));
  EXPECT_FALSE(last_report().assignments > 0);
  EXPECT_EQ(net.buffer("features.1.running_mean").value().to_vector(), before.at("features.1.running_mean").to_vector());
}

// Reading the loss moves the running statistics on; the way back to the parameters stays, and the step does not move them on again.
TEST(Training, BatchNormMovesOnOnceAForwardPass) {
  const nn::BatchNorm1d norm(2);
  optim::SGD sgd(norm.parameters(), {.lr = 0.1});
  const Tensor x = tensor(std::vector<float>{1, 2, 3, 6}, {2, 2});  // means 2 and 4
  const Tensor loss = mean(square(norm(x) - 1));
  EXPECT_NEAR(loss.item(), 2, 1e-4);
  EXPECT_EQ(norm.num_batches_tracked.value().item<std::int64_t>(), 1);
  loss.backward();
  sgd.step();
  EXPECT_EQ(norm.num_batches_tracked.value().item<std::int64_t>(), 1);
  EXPECT_EQ(norm.running_mean.value().to_vector(), (std::vector<float>{0.2F, 0.4F}));
  EXPECT_NEAR(norm.running_var.value().to_vector()[1], 0.9 + 0.1 * 8, 1e-6);
  EXPECT_NEAR(norm.bias.value().to_vector()[0], 0.1, 1e-6);
}

TEST(Training, AnLstmOverASequenceCompilesOnce) {
  manual_seed(2);
  struct Counter : nn::Module {
    nn::LSTM lstm = register_module("lstm", nn::LSTM(1, 6, {.batch_first = true}));
    nn::Linear out = register_module("out", nn::Linear(6, 1));
    [[nodiscard]] Tensor forward(const Tensor& x) const { return out(lstm(x).output); }
  };
  const Counter net;
  optim::Adam adam(net.parameters(), {.lr = 0.03});
  double first = 0, last = 0;
  int compiled = 0;
  std::size_t nodes = 0;
  for (int step = 0; step < 40; ++step) {
    const Tensor x = uniform({8, 5, 1}, {.low = -1});
    const Tensor loss = mse_loss(net.forward(x), 0.3 * cumsum(x, {.dim = 1}));
    loss.backward();
    if (!adam.step().cache_hit) ++compiled;
    last = loss.item();
    if (step == 0) first = last;
    if (step == 3) nodes = NodeTable::current().live_nodes();
  }
  EXPECT_LE(compiled, 2);
  EXPECT_LE(NodeTable::current().live_nodes(), nodes);
  EXPECT_LT(last, 0.5 * first);
}

TEST(Training, DropoutFollowsItsModeAndItsGenerator) {
  const nn::Dropout first({.p = 0.5, .generator = Generator(3)}), second({.p = 0.5, .generator = Generator(3)});
  const Tensor x = ones({1000});
  const std::vector<float> a = first(x).to_vector(), b = second(x).to_vector();
  EXPECT_EQ(a, b);
  EXPECT_NE(a, first(x).to_vector()) << "another mask at each call";
  const auto kept = std::count(a.begin(), a.end(), 2.0F);
  EXPECT_EQ(kept + std::count(a.begin(), a.end(), 0.0F), 1000);
  EXPECT_NEAR(static_cast<double>(kept), 500, 80);
  first.eval();
  EXPECT_EQ(first(x).to_vector(), std::vector<float>(1000, 1));
}

// A rate that goes through 0 and 1: one compilation, the mean kept, the gradient the mask's, plain and compiled.
TEST(Training, DropoutsRateIsReadAtEachCall) {
  const std::vector<double> rates{0.25, 0, 0.5, 1, 0.75, 1e-9, 1, 0};
  const auto run = [&](bool compiled) {
    const nn::Dropout drop({.p = 0.1, .generator = Generator(3)});
    const auto body = [&](const Tensor& x) {
      const Tensor y = drop(x);
      return std::vector<Tensor>{y, gradients(sum(y * y), {x})[0]};
    };
    const auto step = compile(body);
    const Tensor x = arange(500, f32) + 1;
    evaluate({x});
    const auto values = [&] {
      std::vector<Tensor> all = compiled ? step(x) : body(x);
      evaluate(all);
      return std::pair(all[0].to_vector(), all[1].to_vector());
    };
    static_cast<void>(values());
    std::vector<std::pair<std::vector<float>, std::vector<float>>> seen;
    const auto no_more = must_not_recompile();
    for (const double p : rates) {
      drop.set_p(p);
      EXPECT_EQ(drop.p(), p);
      seen.push_back(values());
    }
    return seen;
  };
  const auto plain = run(false), compiled = run(true);
  EXPECT_EQ(plain, compiled);
  for (std::size_t k = 0; k < rates.size(); ++k) {
    const auto scale = static_cast<float>(rates[k] == 1 ? 0 : 1 / (1 - rates[k]));
    int kept = 0;
    for (std::size_t i = 0; i < 500; ++i) {
      const float x = static_cast<float>(i + 1), y = plain[k].first[i];
      EXPECT_TRUE(y == 0 || std::abs(y - x * scale) <= 1e-6F * x * scale) << rates[k] << ' ' << y;
      EXPECT_NEAR(plain[k].second[i], 2 * y * scale, 1e-6F * x * scale * scale * 2);
      kept += y != 0;
    }
    EXPECT_NEAR(kept, 500 * (1 - rates[k]), rates[k] == 0 || rates[k] == 1 ? 0 : 60);
  }
}

TEST(Training, DropoutsRateBelongsToAllHandlesAndIsChecked) {
  const nn::Dropout drop({.p = 0.5});
  const nn::Dropout same = drop;
  same.set_p(0.25);
  EXPECT_EQ(drop.p(), 0.25);
  EXPECT_EQ(drop.text(), "Dropout(p=0.25, inplace=False)");
  EXPECT_THROW(drop.set_p(1.5), Error);
  EXPECT_THROW(drop.set_p(std::nan("")), Error);
  const auto sets = compile([&](const Tensor& x) {
    drop.set_p(0.5);
    return drop(x);
  });
  EXPECT_THROW(static_cast<void>(sets(ones({2}))), Error);
  EXPECT_EQ(drop.p(), 0.25);
}

TEST(Training, BatchNormsMomentumIsReadAtEachCall) {
  const auto run = [](bool compiled) {
    const nn::BatchNorm1d norm(2, {.momentum = 0.5});
    const auto step = compile([&](const Tensor& x) { return norm(x); });
    const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 8}, {2, 2});
    std::vector<float> seen;
    for (const double momentum : {0.5, 0.0, 1.0, 0.25}) {
      norm.set_momentum(momentum);
      evaluate({compiled ? step(x) : norm(x)});
      for (const Variable& v : {norm.running_mean, norm.running_var})
        for (float f : v.value().to_vector()) seen.push_back(f);
    }
    EXPECT_EQ(step.recordings(), compiled ? 1U : 0U);
    EXPECT_EQ(*norm.momentum(), 0.25);
    return seen;
  };
  const std::vector<float> plain = run(false);
  EXPECT_EQ(plain, run(true));
  // The batch's means are 2 and 5, its unbiased variances 2 and 18; the statistics start as 0 and 1.
  EXPECT_EQ(plain, (std::vector<float>{1, 2.5, 1.5, 9.5, 1, 2.5, 1.5, 9.5, 2, 5, 2, 18, 2, 5, 2, 18}));
  EXPECT_THROW(nn::BatchNorm1d(2, {.momentum = std::nullopt}).set_momentum(0.5), Error);
  EXPECT_THROW(nn::BatchNorm1d(2).set_momentum(std::nan("")), Error);
}

TEST(Training, DropoutBetweenRecurrentLayersAndOnAttentionIsDrawn) {
  const nn::LSTM lstm(3, 4, {.num_layers = 2, .dropout = 0.5});
  const nn::MultiheadAttention attention(4, 2, {.dropout = 0.5});
  const Tensor x = uniform({6, 2, 3}), q = uniform({6, 2, 4});
  evaluate({x, q});
  const auto output = [&] { return lstm(x).output.to_vector(); };
  const auto attended = [&] { return attention(q, q, q).attn_output.to_vector(); };
  EXPECT_NE(output(), output());
  EXPECT_NE(attended(), attended());
  lstm.eval();
  attention.eval();
  EXPECT_EQ(output(), output());
  EXPECT_EQ(attended(), attended());
}

// The mean over many masks is what evaluation mode gives: attention is linear in its weights.
TEST(Training, RatesInsideRecurrentLayersAndAttentionAreReadAtEachCall) {
  const nn::LSTM lstm(3, 4, {.num_layers = 2, .dropout = 0.5});
  const nn::TransformerEncoderLayer encoder(4, 2, {.dim_feedforward = 8, .dropout = 0.5});
  const Tensor x = uniform({6, 2, 3}), q = uniform({6, 2, 4});
  evaluate({x, q});
  const auto both = compile([&](const Tensor& a, const Tensor& b) { return std::pair(lstm(a).output, encoder(b)); });
  const auto set = [&](double p) {
    lstm.set_dropout(p);
    encoder.self_attn.set_dropout(p);
    for (const nn::Dropout* d : {&encoder.dropout, &encoder.dropout1, &encoder.dropout2}) d->set_p(p);
  };
  const auto values = [&] {
    const auto [a, b] = both(x, q);
    return std::pair(a.to_vector(), b.to_vector());
  };
  static_cast<void>(values());
  set(0);
  const auto none = must_not_recompile(values);
  EXPECT_EQ(must_not_recompile(values), none);
  set(1);
  const auto all = must_not_recompile(values);
  EXPECT_EQ(must_not_recompile(values), all);
  EXPECT_NE(all, none);
  set(0.5);
  EXPECT_NE(must_not_recompile(values), must_not_recompile(values));
  lstm.eval();
  encoder.eval();
  const auto [lstm_off, encoder_off] = values();
  for (std::size_t i = 0; i < lstm_off.size(); ++i) EXPECT_NEAR(lstm_off[i], none.first[i], 1e-6);
  for (std::size_t i = 0; i < encoder_off.size(); ++i) EXPECT_NEAR(encoder_off[i], none.second[i], 1e-5);
  EXPECT_THROW(lstm.set_dropout(2), Error);
  EXPECT_THROW(nn::LSTM(3, 4).set_dropout(0.5), Error);
}

TEST(Training, DropoutOnAttentionKeepsTheMean) {
  manual_seed(4);
  const nn::MultiheadAttention attention(4, 2, {.dropout = 0.3, .dtype = f64});
  const Tensor q = uniform({3, 1, 4}, {.dtype = f64});
  evaluate({q});
  std::vector<double> total(12);
  constexpr int count = 3000;
  for (int i = 0; i < count; ++i) {
    const std::vector<double> y = attention(q, q, q).attn_output.to_vector<double>();
    for (std::size_t k = 0; k < y.size(); ++k) total[k] += y[k] / count;
  }
  attention.eval();
  const std::vector<double> expected = attention(q, q, q).attn_output.to_vector<double>();
  for (std::size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(total[k], expected[k], 0.02);
}

TEST(Training, AnEmbeddingsPaddingStaysAsItIs) {
  const nn::Embedding embedding(4, 2, {.padding_idx = 1});
  optim::SGD sgd(embedding.parameters(), {.lr = 0.5});
  sum(embedding(tensor(std::vector<std::int32_t>{0, 1, 1, 3}, {4}))).backward();
  const std::vector<float> before = embedding.weight.value().to_vector();
  sgd.step();
  const std::vector<float> after = embedding.weight.value().to_vector();
  for (std::size_t i = 0; i < 8; ++i) EXPECT_FLOAT_EQ(after[i], before[i] - (i / 2 == 0 || i / 2 == 3 ? 0.5F : 0.0F)) << i;
}

}  // namespace
}  // namespace cotan::testing
