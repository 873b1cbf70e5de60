// Modules: names, sharing, modes, states, errors.
#include <cotan/cotan.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/error.h"

namespace cotan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Block : nn::Layer {
  nn::Conv2d conv = register_module("conv", nn::Conv2d(2, 2, {.kernel_size = 3, .padding = 1, .bias = false}));
  nn::BatchNorm2d norm = register_module("norm", nn::BatchNorm2d(2));
  Tensor forward(const Tensor& x) const override { return x + relu(norm(conv(x))); }
};

struct Net : nn::Layer {
  nn::Sequential blocks = register_module("blocks", nn::Sequential(Block(), nn::ReLU(), Block()));
  nn::Dropout drop = register_module("drop", nn::Dropout({.p = 0.25}));
  nn::Linear out = register_module("out", nn::Linear(8, 3));
  Variable scale = register_parameter("scale", full({}, 2));
  Tensor forward(const Tensor& x) const override { return scale * out(drop(flatten(blocks(x), {.start_dim = 1}))); }
};

std::vector<std::string> names(const auto& all) {
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(name);
  return out;
}

std::string message(const auto& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Module, NamesWhatItHoldsAsPyTorchDoes) {
  const Net net;
  EXPECT_THAT(names(net.named_parameters()), ElementsAre("scale", "blocks.0.conv.weight", "blocks.0.norm.weight", "blocks.0.norm.bias", "blocks.2.conv.weight",
                                                         "blocks.2.norm.weight", "blocks.2.norm.bias", "out.weight", "out.bias"));
  EXPECT_THAT(names(net.named_buffers()), ElementsAre("blocks.0.norm.running_mean", "blocks.0.norm.running_var", "blocks.0.norm.num_batches_tracked",
                                                      "blocks.2.norm.running_mean", "blocks.2.norm.running_var", "blocks.2.norm.num_batches_tracked"));
  EXPECT_THAT(names(net.named_children()), ElementsAre("blocks", "drop", "out"));
  EXPECT_THAT(names(net.named_modules()),
              ElementsAre("", "blocks", "blocks.0", "blocks.0.conv", "blocks.0.norm", "blocks.1", "blocks.2", "blocks.2.conv", "blocks.2.norm", "drop", "out"));
  EXPECT_EQ(net.parameters().size(), 9U);
  EXPECT_EQ(net.parameter_count(), 1 + 2 * (36 + 4) + 27);
  EXPECT_EQ(net.state().size(), 15U);
  EXPECT_EQ(net.parameter("blocks.2.norm.bias").cell(), net.named_parameters()[6].second.cell());
  EXPECT_EQ(net.buffer("blocks.0.norm.num_batches_tracked").dtype(), i64);
  EXPECT_EQ(net.module("blocks.2").kind(), "Block");
  EXPECT_TRUE(net.module("out").is(net.out));
}

TEST(Module, PrintsItsTree) {
  const Net net;
  EXPECT_EQ(net.text(),
            "Net(\n"
            "  (blocks): Sequential(\n"
            "    (0): Block(\n"
            "      (conv): Conv2d(2, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)\n"
            "      (norm): BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)\n"
            "    )\n"
            "    (1): ReLU()\n"
            "    (2): Block(\n"
            "      (conv): Conv2d(2, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)\n"
            "      (norm): BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)\n"
            "    )\n"
            "  )\n"
            "  (drop): Dropout(p=0.25, inplace=False)\n"
            "  (out): Linear(in_features=8, out_features=3, bias=True)\n"
            ")");
}

TEST(Module, IsAHandle) {
  const Net net;
  const Net same = net;
  EXPECT_TRUE(same.is(net));
  same.eval();
  EXPECT_FALSE(net.out.is_training());
  same.scale.assign(5);
  EXPECT_EQ(net.scale.value().item(), 5);
  EXPECT_FALSE(Net().is(net));
}

TEST(Module, ModesReachAllBelowIt) {
  const Net net;
  for (const auto& [name, m] : net.named_modules()) EXPECT_TRUE(m.is_training()) << name;
  net.eval();
  for (const auto& [name, m] : net.named_modules()) EXPECT_FALSE(m.is_training()) << name;
  net.blocks.train();
  for (const auto& [name, m] : net.named_modules()) EXPECT_EQ(m.is_training(), name.starts_with("blocks")) << name;
}

TEST(Module, AppliesChildrenFirstInTheirOrder) {
  std::vector<std::string> kinds;
  const Block block;
  nn::Sequential(block, nn::Tanh()).apply([&](const nn::Module& m) { kinds.push_back(m.kind()); });
  EXPECT_THAT(kinds, ElementsAre("Conv2d", "BatchNorm2d", "Block", "Tanh", "Sequential"));
}

// A layer that stands in two places, and a weight that two layers have.
struct Tied : nn::Module {
  nn::Linear once = register_module("once", nn::Linear(2, 2));
  nn::Linear again = register_module("again", once);
  Variable weight = register_parameter("weight", once.weight);
};

TEST(Module, CountsWhatIsSharedOnce) {
  const Tied tied;
  EXPECT_THAT(names(tied.named_parameters()), ElementsAre("weight", "once.bias"));
  EXPECT_THAT(names(tied.named_children()), ElementsAre("once"));
  EXPECT_EQ(tied.parameter_count(), 6);
  EXPECT_THAT(names(tied.state()), ElementsAre("again.bias", "again.weight", "once.bias", "once.weight", "weight"));
}

TEST(Module, ZeroesAndStopsGradients) {
  const nn::Linear layer(2, 1);
  sum(layer(ones({3, 2}))).backward();
  EXPECT_EQ(layer.weight.grad().to_vector(), (std::vector<float>{3, 3}));
  layer.zero_grad();
  EXPECT_THAT(message([&] { static_cast<void>(layer.weight.grad()); }), HasSubstr("has no gradient"));
  layer.requires_grad_(false);
  EXPECT_THAT(message([&] { sum(layer(ones({3, 2}))).backward(); }), Not(HasSubstr("no error")));
}

TEST(Module, AStateMovesToAnotherModule) {
  manual_seed(3);
  const Net net, other;
  net.eval();
  other.eval();
  const Tensor x = uniform({2, 2, 2, 2});
  evaluate({x});
  EXPECT_NE(net(x).to_vector(), other(x).to_vector());
  const nn::LoadReport report = other.load(net.state());
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty());
  EXPECT_EQ(net(x).to_vector(), other(x).to_vector());
  EXPECT_FALSE(net.out.weight.cell() == other.out.weight.cell());
}

TEST(Module, AStateIsWhatTheValuesWere) {
  const nn::Linear layer(1, 1);
  const nn::StateDict before = layer.state();
  const float weight = before.at("weight").item();
  layer.weight.assign(weight + 1);
  evaluate({});
  EXPECT_EQ(before.at("weight").item(), weight);
  layer.load(before);
  EXPECT_EQ(layer.weight.value().item(), weight);
}

TEST(Module, RefusesAStateThatDoesNotFitAndChangesNothing) {
  const Net net;
  const nn::StateDict before = net.state();
  nn::StateDict state = before;
  for (auto& [name, value] : state) value = value + 1;
  state.erase("scale");
  state.erase("out.bias");
  state["out.weight"] = zeros({3, 9});
  state["blocks.0.norm.bias"] = zeros({2}, f64);
  state["head.weight"] = zeros({1});
  const std::string text = message([&] { net.load(state); });
  EXPECT_THAT(text, HasSubstr("load: a state that does not fit Net: missing: out.bias, scale; 'blocks.0.norm.bias' is f64 (2,), not f32 (2,); "
                              "'out.weight' is f32 (3, 9), not f32 (3, 8); unexpected: head.weight"));
  EXPECT_THAT(text, HasSubstr("module_test.cpp"));
  for (const auto& [name, value] : net.state()) EXPECT_EQ(cast(value, f64).to_vector<double>(), cast(before.at(name), f64).to_vector<double>()) << name;

  EXPECT_THAT(message([&] { net.load(state, {.strict = false}); }), HasSubstr("fit Net: 'blocks.0.norm.bias'")) << "shapes are no matter of strictness";
  state.erase("out.weight");
  state.erase("blocks.0.norm.bias");
  const nn::LoadReport report = net.load(state, {.strict = false});
  EXPECT_THAT(report.missing, ElementsAre("blocks.0.norm.bias", "out.bias", "out.weight", "scale"));
  EXPECT_THAT(report.unexpected, ElementsAre("head.weight"));
  EXPECT_EQ(net.buffer("blocks.2.norm.num_batches_tracked").value().item<std::int64_t>(), 1);
  EXPECT_EQ(net.scale.value().item(), 2);
}

TEST(Module, RefusesBadRegistrations) {
  const nn::Module m;
  m.register_parameter("weight", zeros({2}));
  EXPECT_THAT(message([&] { m.register_buffer("weight", zeros({2})); }), HasSubstr("the name 'weight' for a second time"));
  EXPECT_THAT(message([&] { m.register_parameter("a.b", zeros({2})); }), HasSubstr("'a.b' as a name"));
  EXPECT_THAT(message([&] { m.register_module("", nn::ReLU()); }), HasSubstr("'' as a name"));
  EXPECT_THAT(message([&] { m.register_parameter("count", zeros({2}, i32)); }), HasSubstr("parameter 'count' of i32"));
  const nn::Module outer;
  outer.register_module("inner", m);
  EXPECT_THAT(message([&] { m.register_module("outer", outer); }), HasSubstr("contains the module"));
  EXPECT_THAT(message([&] { m.register_module("self", m); }), HasSubstr("contains the module"));
  EXPECT_THAT(message([&] { static_cast<void>(outer.parameter("inner.bias")); }), HasSubstr("no parameter 'inner.bias' in Module. There are: inner.weight"));
  EXPECT_THAT(message([&] { static_cast<void>(outer.module("inner.more")); }), HasSubstr("no submodule 'inner.more'"));
}

TEST(Layers, RefuseBadSizes) {
  EXPECT_THAT(message([] { nn::Linear(0, 3); }), HasSubstr("Linear: in_features 0"));
  EXPECT_THAT(message([] { nn::Conv2d(3, 4, {}); }), HasSubstr("Conv2d: no kernel_size"));
  EXPECT_THAT(message([] { nn::Conv1d(3, 4, {.kernel_size = 2, .groups = 2}); }), HasSubstr("2 groups of 3 input and 4 output channels"));
  EXPECT_THAT(message([] { nn::Embedding(3, 4, {.padding_idx = 3}); }), HasSubstr("Embedding: padding_idx 3 of 3 rows"));
  EXPECT_THAT(message([] { nn::GroupNorm(3, 4); }), HasSubstr("3 groups of 4 channels"));
  EXPECT_THAT(message([] { nn::LayerNorm(Sizes{}); }), HasSubstr("no dimensions"));
  EXPECT_THAT(message([] { nn::Dropout({.p = 1.5}); }), HasSubstr("p = 1.5, which is no probability"));
  EXPECT_THAT(message([] { nn::LSTM(2, 2, {.dropout = -1}); }), HasSubstr("dropout = -1"));
  EXPECT_THAT(message([] { nn::MultiheadAttention(5, 2); }), HasSubstr("2 heads for features of size 5"));
  EXPECT_THAT(message([] { nn::TransformerEncoderLayer(4, 2, {.activation = "tanh"}); }), HasSubstr("activation 'tanh'"));
  EXPECT_THAT(message([] { nn::GELU({.approximate = "erf"}); }), HasSubstr("approximate 'erf'"));
}

TEST(Layers, ErrorsNameTheModuleAndTheUsersLine) {
  const Net net;
  try {
    static_cast<void>(net(zeros({2, 3, 2, 2})));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.function(), "conv2d in blocks.0.conv (Conv2d)");
    EXPECT_THAT(e.where().text(), HasSubstr("module_test.cpp"));
  }
  EXPECT_THAT(message([&] { static_cast<void>(net(zeros({2, 2, 2, 3}))); }), HasSubstr("linear in out (Linear): "));
  EXPECT_THAT(message([&] { static_cast<void>(net.blocks(zeros({2, 2}))); }), HasSubstr("in blocks.0.conv (Conv2d): "));
  EXPECT_THAT(message([&] { static_cast<void>(nn::Linear(2, 3)(3.0)); }), HasSubstr("Linear: the number 3 for a tensor"));
  EXPECT_THAT(message([&] { static_cast<void>(nn::LSTM(2, 3)(zeros({2, 3}))); }), HasSubstr("LSTM: x of shape (2, 3)"));
  EXPECT_THAT(message([&] { static_cast<void>(nn::BatchNorm1d(2)(zeros({2, 2, 2, 2}))); }), HasSubstr("Give an x of 2 or 3 dimensions"));
}

}  // namespace
}  // namespace cotan::testing
