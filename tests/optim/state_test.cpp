// What an optimizer keeps from step to step: named state, in place, in constant memory, without compiling again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/node.h"
#include "tests/optim/problem.h"

namespace cotan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void take_steps(const Problem& p, optim::Optimizer& optimizer, int count) {
  for (int i = 0; i < count; ++i) {
    p.loss().backward();
    optimizer.step();
  }
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "no Error";
}

std::vector<std::string> names_of(const std::map<std::string, Tensor>& state) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state) names.push_back(name);
  return names;
}

class OfEachKind : public ::testing::TestWithParam<std::size_t> {
 protected:
  [[nodiscard]] std::unique_ptr<optim::Optimizer> make(const std::vector<Variable>& parameters) const { return std::move(one_of_each(parameters)[GetParam()]); }
};

TEST_P(OfEachKind, LoadingResumesToTheSameBits) {
  for (const DType dtype : {f32, f64}) {
    const Problem whole(dtype), resumed(dtype);
    const auto through = make(whole.parameters());
    through->set_lr(0.02);
    take_steps(whole, *through, 5);
    const auto state = through->state();
    std::vector<Tensor> parameters;
    for (const Variable& v : whole.parameters()) parameters.push_back(v.value());
    evaluate(parameters);
    take_steps(whole, *through, 5);

    const auto fresh = make(resumed.parameters());
    fresh->load_state(state);
    for (std::size_t i = 0; i < parameters.size(); ++i) resumed.parameters()[i].assign(parameters[i]);
    EXPECT_EQ(fresh->lr(), 0.02);
    take_steps(resumed, *fresh, 5);
    EXPECT_EQ(resumed.values(), whole.values());

    // Also into an optimizer that has taken steps of its own.
    const Problem again(dtype);
    const auto used = make(again.parameters());
    take_steps(again, *used, 3);
    used->load_state(state);
    for (std::size_t i = 0; i < parameters.size(); ++i) again.parameters()[i].assign(parameters[i]);
    take_steps(again, *used, 5);
    EXPECT_EQ(again.values(), whole.values());
  }
}

TEST_P(OfEachKind, StateIsASnapshot) {
  const Problem p;
  const auto optimizer = make(p.parameters());
  take_steps(p, *optimizer, 2);
  const auto state = optimizer->state();
  std::map<std::string, std::vector<double>> before;
  for (const auto& [name, tensor] : state) before[name] = tensor.to_vector<double>();
  take_steps(p, *optimizer, 2);
  for (const auto& [name, tensor] : state) EXPECT_EQ(tensor.to_vector<double>(), before[name]) << name;
  EXPECT_EQ(state.at("state.3.step").item<double>(), 2);
  EXPECT_EQ(optimizer->state().at("state.3.step").item<double>(), 4);
}

TEST_P(OfEachKind, AHundredStepsCompileOnceInConstantMemoryAndInPlace) {
  const Problem p(f32);
  const auto optimizer = make(p.parameters());
  take_steps(p, *optimizer, 1);
  const std::uint64_t compiled = cache_statistics().misses;
  const std::size_t nodes = NodeTable::current().live_nodes();
  for (int i = 0; i < 100; ++i) {
    optimizer->set_lr(0.01 / (1 + i));
    p.loss().backward();
    const EvaluationReport report = optimizer->step();
    EXPECT_TRUE(report.cache_hit);
    EXPECT_EQ(report.in_place_updates, report.assignments);
    EXPECT_TRUE(report.held.empty());
  }
  EXPECT_EQ(cache_statistics().misses, compiled);
  EXPECT_LE(NodeTable::current().live_nodes(), nodes);
}

TEST_P(OfEachKind, AParameterWithoutAGradientIsLeftAlone) {
  const Problem p;
  const Variable other("other", tensor({1, 2}, f64));
  std::vector<Variable> parameters = p.parameters();
  parameters.insert(parameters.begin(), other);
  const auto optimizer = make(parameters);
  take_steps(p, *optimizer, 2);
  EXPECT_EQ(other.version(), 0U);
  EXPECT_FALSE(optimizer->state().contains("state.0.step"));
  EXPECT_TRUE(optimizer->state().contains("state.1.step"));
  // Joining later, it starts with its own first step, as if alone.
  sum(other * other).backward();
  optimizer->step();
  const Variable alone("alone", tensor({1, 2}, f64));
  const auto of_alone = make({alone});
  sum(alone * alone).backward();
  of_alone->step();
  EXPECT_EQ(other.value().to_vector<double>(), alone.value().to_vector<double>());
}

TEST_P(OfEachKind, AStepThatThrowsLeavesParametersAndStateAsTheyWere) {
  const Problem p;
  const auto optimizer = make(p.parameters());
  auto failing = [&] {
    sum(pick(matmul(p.x, p.w1), tensor({0, 1, 2, 3, 4, 0, 1, 2}, i32))).backward();  // 4 is out of range
    EXPECT_THROW(optimizer->step(), Error);
  };
  failing();
  EXPECT_THAT(names_of(optimizer->state()), ElementsAre("param_groups.0.lr"));
  take_steps(p, *optimizer, 2);
  const auto values = p.values();
  failing();
  EXPECT_EQ(p.values(), values);
  EXPECT_EQ(optimizer->state().at("state.0.step").item<double>(), 2);

  const Problem q;
  const auto undisturbed = make(q.parameters());
  take_steps(q, *undisturbed, 4);
  p.w1.zero_grad();
  take_steps(p, *optimizer, 2);
  EXPECT_EQ(p.values(), q.values());
}

TEST_P(OfEachKind, ParametersOfBothTypesStepTogether) {
  const Variable single("single", tensor({1, 2})), twice("twice", tensor({1, 2}, f64)), none("none", zeros({0, 3})), one("one", full({}, 2));
  const auto optimizer = make({single, twice, none, one});
  for (int i = 0; i < 5; ++i) {
    (sum(single * single) + cast(sum(twice * twice), f32) + sum(none * none) + one * one).backward();
    optimizer->step();
  }
  const auto a = single.value().to_vector<float>();
  const auto b = twice.value().to_vector<double>();
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_NEAR(static_cast<double>(a[k]), b[k], 1e-5);
    EXPECT_NE(b[k], static_cast<double>(k + 1));
  }
  EXPECT_LT(one.value().item(), 2);
}

INSTANTIATE_TEST_SUITE_P(Kinds, OfEachKind, ::testing::Range(std::size_t{0}, kinds));

TEST(OptimizerState, NamesArePyTorchs) {
  const Variable w("w", tensor({1, 2}, f64)), v("v", tensor({3}, f64));
  const std::vector<std::vector<std::string>> expected = {{"momentum_buffer", "step"},
                                                          {"step", "sum"},
                                                          {"grad_avg", "momentum_buffer", "square_avg", "step"},
                                                          {"acc_delta", "square_avg", "step"},
                                                          {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"},
                                                          {"exp_avg", "exp_avg_sq", "step"}};
  for (std::size_t k = 0; k < kinds; ++k) {
    const auto optimizer = std::move(one_of_each({v, w})[k]);
    sum(w * w).backward();
    optimizer->step();
    std::vector<std::string> names = {"param_groups.0.lr"};
    for (const std::string& n : expected[k]) names.push_back("state.1." + n);
    EXPECT_EQ(names_of(optimizer->state()), names);
  }
}

TEST(OptimizerState, TwoOptimizersOnDifferentVariablesDoNotMeet) {
  const Problem both, first, second;
  optim::Adam adam({both.w1, both.b1}, {.lr = 0.01}), adam_alone({first.w1, first.b1}, {.lr = 0.01});
  optim::SGD sgd({both.w2, both.scale}, {.lr = 0.1, .momentum = 0.9}), sgd_alone({second.w2, second.scale}, {.lr = 0.1, .momentum = 0.9});
  // One at a time: the other's variables take part in the loss, with the values that the pair has.
  for (int i = 0; i < 4; ++i) {
    for (const auto& [from, to] : {std::pair{both.w2, first.w2}, {both.scale, first.scale}, {both.w1, second.w1}, {both.b1, second.b1}})
      to.assign(from.value());
    evaluate(std::vector<Tensor>{});
    both.loss().backward();
    adam.step();
    sgd.step();
    first.loss().backward();
    adam_alone.step();
    second.loss().backward();
    sgd_alone.step();
    for (const Problem* p : {&first, &second})
      for (const Variable& v : p->parameters()) v.zero_grad();
  }
  EXPECT_EQ(both.w1.value().to_vector<double>(), first.w1.value().to_vector<double>());
  EXPECT_EQ(both.w2.value().to_vector<double>(), second.w2.value().to_vector<double>());
}

TEST(OptimizerState, OtherNumbersAreReadAtRunTime) {
  const Problem p;
  optim::AdamW adam(p.parameters(), {.lr = 0.01});
  take_steps(p, adam, 1);
  p.loss().backward();
  adam.set_options({.lr = 1, .betas = {0.5, 0}, .eps = 1e-3, .weight_decay = 1});
  EXPECT_TRUE(adam.step().cache_hit);
  p.loss().backward();
  adam.set_options({.lr = 0.01, .weight_decay = 0});
  EXPECT_FALSE(adam.step().cache_hit) << "a term is gone";
  EXPECT_EQ(adam.options().weight_decay, 0);
}

TEST(OptimizerState, GroupsHaveTheirOwnRates) {
  const Variable a("a", tensor({1}, f64)), b("b", tensor({1}, f64));
  optim::SGD sgd({a}, {.lr = 0.5});
  sgd.add_param_group({b}, {.lr = 0.25});
  EXPECT_EQ(sgd.group_count(), 2U);
  EXPECT_EQ(sgd.parameters().size(), 2U);
  (sum(a) + sum(b)).backward();
  sgd.step();
  EXPECT_EQ(a.value().item<double>(), 0.5);
  EXPECT_EQ(b.value().item<double>(), 0.75);
  sgd.set_lr(0.125, 1);
  EXPECT_EQ(sgd.lr(0), 0.5);
  EXPECT_EQ(sgd.lr(1), 0.125);
  sgd.set_lr(0.0625);
  (sum(a) + sum(b)).backward();
  sgd.step();
  EXPECT_EQ(a.value().item<double>(), 0.5 - 0.0625);
  EXPECT_EQ(b.value().item<double>(), 0.75 - 0.0625);
  sgd.load_state({{"param_groups.0.lr", tensor(std::vector<double>{2}, {})},
                  {"param_groups.1.lr", tensor(std::vector<double>{3}, {})},
                  {"state.1.step", tensor(std::vector<double>{7}, {})}});
  EXPECT_EQ(sgd.lr(0), 2);
  EXPECT_EQ(sgd.lr(1), 3);
  EXPECT_EQ(sgd.state().at("state.1.step").item<double>(), 7);
}

TEST(OptimizerState, RefusesWhatIsNotItsOwnAndChangesNothing) {
  const Variable w("w", tensor({1, 2}, f64));
  optim::Adam adam({w}, {.lr = 0.5});
  sum(w * w).backward();
  adam.step();
  const auto good = adam.state();
  auto number = [](double v) { return tensor(std::vector<double>{v}, {}); };
  auto refused = [&](const char* key, const Tensor& value) {
    auto bad = good;
    bad["param_groups.0.lr"] = number(0.125);
    if (value.defined())
      bad[key] = value;
    else
      bad.erase(key);
    const std::string text = message_of([&] { adam.load_state(bad); });
    EXPECT_THAT(text, HasSubstr("load_state: "));
    EXPECT_THAT(text, HasSubstr("state_test.cpp"));
    EXPECT_EQ(adam.lr(), 0.5);
    EXPECT_EQ(adam.state().at("state.0.exp_avg").to_vector<double>(), good.at("state.0.exp_avg").to_vector<double>());
    return text;
  };
  EXPECT_THAT(refused("state.0.exp_avg", Tensor()), HasSubstr("the state lacks 'state.0.exp_avg'"));
  EXPECT_THAT(refused("param_groups.0.lr", Tensor()), HasSubstr("lacks 'param_groups.0.lr'"));
  EXPECT_THAT(refused("param_groups.0.lr", number(-1)), HasSubstr("lr -1"));
  EXPECT_THAT(refused("state.0.exp_avg", tensor({1, 2})), HasSubstr("is f32 (2,), not f64 (2,)"));
  EXPECT_THAT(refused("state.0.exp_avg_sq", tensor({1, 2, 3}, f64)), HasSubstr("is f64 (3,), not f64 (2,)"));
  EXPECT_THAT(refused("state.0.step", number(1.5)), HasSubstr("'state.0.step' is 1.5"));
  EXPECT_THAT(refused("state.0.max_exp_avg_sq", tensor({1, 2}, f64)), HasSubstr("'state.0.max_exp_avg_sq' is no state of this optimizer"));
  EXPECT_THAT(refused("state.1.step", number(1)), HasSubstr("'state.1.step' is no state"));
  EXPECT_THAT(refused("state.0.step", Tensor()), HasSubstr("is no state"));
}

}  // namespace
}  // namespace cotan::testing
