// compile(): what is recorded, what is read at each call, and what is refused.
#include <cstdlib>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

class Compile : public testing::InBothModes {
 protected:
  void SetUp() override {
    InBothModes::SetUp();
    clear_cache();
  }
};
COTAN_IN_BOTH_MODES(Compile);

TEST_P(Compile, RecordsOncePerSignature) {
  int recorded = 0;
  const auto f = compile([&](const Tensor& x) {
    ++recorded;
    return exp(x) * 2;
  });
  EXPECT_FLOAT_EQ(f(tensor({0, 1})).to_vector()[0], 2);
  EXPECT_FLOAT_EQ(f(tensor({3, 0})).to_vector()[1], 2);
  EXPECT_EQ(recorded, 1);
  EXPECT_FLOAT_EQ(f(tensor({0, 1, 2})).to_vector()[0], 2);
  EXPECT_EQ(recorded, 2) << "another shape";
  EXPECT_EQ(f(tensor({0, 1}, f64)).dtype(), f64);
  EXPECT_EQ(recorded, 3) << "another type";
  {
    const NoGrad no_grad;
    static_cast<void>(f(tensor({0, 1})));
  }
  EXPECT_EQ(recorded, 4) << "another mode";
  static_cast<void>(f(tensor({5, 6})));
  EXPECT_EQ(recorded, 4);
  EXPECT_EQ(f.recordings(), 4U);
}

TEST_P(Compile, TakesAndGivesListsAndTuples) {
  const auto none = compile([] { return full({2}, 3); });
  EXPECT_THAT(none().to_vector(), ElementsAre(3, 3));
  const auto two = compile([](const Tensor& a, const Tensor& b) { return std::pair(a + b, a * b); });
  const auto [plus, times] = two(tensor({2, 3}), tensor({4, 5}));
  EXPECT_THAT(plus.to_vector(), ElementsAre(6, 8));
  EXPECT_THAT(times.to_vector(), ElementsAre(8, 15));
  const auto list = compile([](const std::vector<Tensor>& x) { return std::vector<Tensor>{x[0] + x[1], x[1], x[2]}; });
  const std::vector<Tensor> r = list({tensor({1}), tensor({2}), tensor({3})});
  ASSERT_EQ(r.size(), 3U);
  EXPECT_THAT(r[0].to_vector(), ElementsAre(3));
  EXPECT_THAT(r[1].to_vector(), ElementsAre(2));
  const Variable v("v", tensor({1, 2}));
  const auto nothing = compile([&](const Tensor& x) { v.assign(x); });
  nothing(tensor({7, 8}));
  EXPECT_THAT(v.value().to_vector(), ElementsAre(7, 8));
}

TEST_P(Compile, ReadsAndWritesVariablesAtEachCall) {
  const Variable v("v", tensor({1, 2}));
  const auto f = compile([&](const Tensor& x) {
    const Tensor before = v.value();
    v.assign(v + x);
    return std::tuple(before, v.value() * 10);
  });
  for (int i = 0; i < 3; ++i) {
    const auto [before, after] = f(tensor({1, 1}));
    EXPECT_THAT(before.to_vector(), ElementsAre(1 + i, 2 + i));
    EXPECT_THAT(after.to_vector(), ElementsAre(20 + 10 * i, 30 + 10 * i));
  }
  EXPECT_EQ(v.version(), 3U);
  v.assign(tensor({5, 5}));  // still pending when f runs
  EXPECT_THAT(std::get<0>(f(tensor({1, 1}))).to_vector(), ElementsAre(5, 5));
}

TEST_P(Compile, ComputesWhatTheProgramHoldsBeforeItWrites) {
  const Variable v("v", tensor({1, 2}));
  const auto f = compile([&](const Tensor& x) { v.assign(v * x); });
  f(tensor({1, 1}));
  const Tensor held = v + 100;
  f(tensor({3, 3}));
  EXPECT_THAT(held.to_vector(), ElementsAre(101, 102));
  EXPECT_THAT(v.value().to_vector(), ElementsAre(3, 6));
}

TEST_P(Compile, AnEvaluationThatThrowsChangesNothing) {
  const Variable v("v", tensor({1, 2}));
  const auto f = compile([&](const Tensor& table, const Tensor& at) {
    v.assign(v + 1);
    return gather(table, 0, at);
  });
  const Tensor table = tensor({10, 20});
  EXPECT_THAT(f(table, tensor({1, 0}, i64)).to_vector(), ElementsAre(20, 10));
  EXPECT_THAT(message_of([&] { static_cast<void>(f(table, tensor({1, 7}, i64))); }), HasSubstr("7"));
  EXPECT_EQ(v.version(), 1U);
  EXPECT_THAT(f(table, tensor({0, 0}, i64)).to_vector(), ElementsAre(10, 10));
  EXPECT_THAT(v.value().to_vector(), ElementsAre(3, 4));
}

TEST_P(Compile, StepsInsideEqualStepsOutside) {
  const Tensor x = tensor({1, 2, 3}), y = tensor({0.5, -1, 2});
  auto train = [&](bool compiled) {
    const Variable w("w", tensor({0.1, 0.2, 0.3}));
    optim::Adam adam({w}, {.lr = 0.05});
    auto body = [&](const Tensor& a, const Tensor& b) {
      const Tensor loss = mean(square(tanh(a * w) - b));
      loss.backward();
      adam.step();
      return loss;
    };
    const auto step = compile(body);
    std::vector<float> losses;
    for (int i = 0; i < 6; ++i) {
      if (i == 3) adam.set_lr(0.0);
      if (i == 4) adam.set_lr(1.0);
      losses.push_back((compiled ? step(x, y) : body(x, y)).item());
    }
    for (float f : w.value().to_vector()) losses.push_back(f);
    for (float f : adam.state().at("state.0.exp_avg").to_vector()) losses.push_back(f);
    EXPECT_EQ(adam.state().at("state.0.step").item<double>(), 6);
    return losses;
  };
  EXPECT_EQ(train(true), train(false));
}

TEST_P(Compile, GradientsLeftByTheFunctionAreAccumulated) {
  const Variable w("w", tensor({1, 2}));
  const auto f = compile([&](const Tensor& x) {
    const Tensor loss = sum(w * x);
    loss.backward();
    return loss;
  });
  static_cast<void>(f(tensor({3, 4})));
  static_cast<void>(f(tensor({5, 6})));
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(8, 10));
}

TEST_P(Compile, AStepInsideRefusesAGradientFromOutside) {
  const Variable w("w", tensor({1, 2}));
  optim::SGD sgd({w}, {.lr = 1});
  const auto f = compile([&](const Tensor& x) {
    sum(w * x).backward();
    sgd.step();
  });
  f(tensor({1, 1}));
  sum(w * 2).backward();
  EXPECT_THAT(message_of([&] { f(tensor({1, 1})); }), HasSubstr("variable 'w' has a gradient from outside"));
  w.zero_grad();
  f(tensor({1, 1}));
  EXPECT_THAT(w.value().to_vector(), ElementsAre(-1, 0));
}

TEST_P(Compile, ModesThatTheFunctionAsksForAreWatched) {
  const nn::Dropout dropout({.p = 0.5});
  const auto f = compile([&](const Tensor& x) { return dropout(x); });
  const Tensor x = ones({64});
  EXPECT_NE(f(x).to_vector(), x.to_vector());
  dropout.eval();
  EXPECT_EQ(f(x).to_vector(), x.to_vector());
  dropout.train();
  EXPECT_NE(f(x).to_vector(), x.to_vector());
  EXPECT_EQ(f.recordings(), 2U);

  const Variable w("w", tensor({2}));
  optim::SGD sgd({w}, {.lr = 1});
  const auto step = compile([&] {
    sum(w * 1.5).backward();
    sgd.step();
  });
  step();
  sgd.set_options({.lr = 1, .momentum = 0.5});
  step();
  step();
  EXPECT_THAT(w.value().to_vector(), ElementsAre(2 - 1.5F - 1.5F - 2.25F));
}

TEST_P(Compile, DrawsGoOnAsInPlainCode) {
  auto numbers = [](bool compiled) {
    const Generator generator(7);
    auto body = [&](const Tensor& x) { return x + normal({3}, {}, generator) + uniform({3}, {}, Generator(5)); };
    const auto f = compile(body);
    std::vector<float> all;
    for (int i = 0; i < 4; ++i)
      for (float v : (compiled ? f(zeros({3})) : body(zeros({3}))).to_vector()) all.push_back(v);
    EXPECT_EQ(generator.state().counter, Generator(7).state().counter + 8);
    return all;
  };
  EXPECT_EQ(numbers(true), numbers(false));
}

TEST_P(Compile, ACapturedTensorIsAnErrorThatNamesItsLine) {
  const Tensor captured = tensor({1, 2}) * 2;
  const std::string line = fmt::format("compile_test.cpp:{}", __LINE__ - 1);
  const auto f = compile([&](const Tensor& x) { return x + captured; });
  const std::string text = message_of([&] { static_cast<void>(f(tensor({1, 2}))); });
  EXPECT_THAT(text, HasSubstr("the tensor f32 (2,) recorded at"));
  EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, HasSubstr("Pass it as an argument, hold it in a Variable, or capture constant(x)"));
  EXPECT_THAT(text, HasSubstr(fmt::format("compile_test.cpp:{}", __LINE__ - 5))) << "the line that uses it";
  const auto returns = compile([&](const Tensor&) { return captured; });
  EXPECT_THAT(message_of([&] { static_cast<void>(returns(tensor({1}))); }), HasSubstr("is captured"));
  const auto differentiates = compile([&](const Tensor& x) { return gradients(sum(x), {captured}); });
  EXPECT_THAT(message_of([&] { static_cast<void>(differentiates(tensor({1}))); }), HasSubstr("is captured"));
  EXPECT_THAT((captured + 1).to_vector(), ElementsAre(3, 5)) << "nothing is left behind";
}

TEST_P(Compile, ConstantsMayBeCapturedAndTensorsMadeInside) {
  const Tensor c = constant(tensor({1, 2}) * 2);
  const auto f = compile([&](const Tensor& x) { return x * c + tensor({10, 20}); });
  EXPECT_THAT(f(tensor({1, 1})).to_vector(), ElementsAre(12, 24));
  EXPECT_THAT(f(tensor({2, 2})).to_vector(), ElementsAre(14, 28));
}

TEST_P(Compile, AskingForAValueInsideIsAnError) {
  const auto f = compile([](const Tensor& x) { return x * sum(x).item(); });
  const std::string text = message_of([&] { static_cast<void>(f(tensor({1, 2}))); });
  EXPECT_THAT(text, HasSubstr("item: a value is asked for inside a compiled function"));
  EXPECT_THAT(text, HasSubstr(fmt::format("compile_test.cpp:{}", __LINE__ - 3)));
}

TEST_P(Compile, OtherMistakesAreErrors) {
  const auto f = compile([](const Tensor& x) { return x * 2; });
  EXPECT_THAT(message_of([&] { static_cast<void>(f(Tensor())); }), HasSubstr("argument 0 is an undefined tensor"));
  EXPECT_THAT(message_of([&] { static_cast<void>(f(3.5)); }), HasSubstr("argument 0 is the number 3.5"));
  const auto undefined = compile([](const Tensor&) { return Tensor(); });
  EXPECT_THAT(message_of([&] { static_cast<void>(undefined(tensor({1}))); }), HasSubstr("result 0 is an undefined tensor"));
  EXPECT_THAT(message_of([] { static_cast<void>(compile([](const Tensor& x) { return x; }, {.passes = "-nonsense"})); }), HasSubstr("nonsense"));
  const auto seeds = compile([](const Tensor& x) {
    manual_seed(1);
    return x;
  });
  EXPECT_THAT(message_of([&] { static_cast<void>(seeds(tensor({1}))); }), HasSubstr("Seed it before the call"));
}

TEST_P(Compile, AResultHasNoHistoryAndSaysSo) {
  const Variable w("w", tensor({1, 2}));
  const auto f = compile([&](const Tensor& x) { return sum(w * x); });
  const Tensor x = tensor({3, 4});
  const Tensor y = f(x);
  EXPECT_THAT(message_of([&] { y.backward(); }), HasSubstr("variable"));
  EXPECT_THAT(message_of([&] { static_cast<void>(gradients(y, {w})); }), HasSubstr("variable 'w'"));
  EXPECT_THAT(message_of([&] { static_cast<void>(gradients(y, {x})); }), HasSubstr("has forgotten how"));
}

TEST_P(Compile, AnArgumentThatWantsAGradientIsRecordedInline) {
  const auto f = compile([](const Tensor& x) { return square(x); });
  Tensor x = tensor({3, 4});
  x.requires_grad_();
  sum(f(x)).backward();
  EXPECT_THAT(x.grad().to_vector(), ElementsAre(6, 8));
  const Variable w("w", tensor({5}));
  EXPECT_THAT(gradients(f(w * 2), {w})[0].to_vector(), ElementsAre(40));
}

TEST_P(Compile, OptionsAreForwarded) {
  clear_cache();
  auto body = [](const Tensor& x) { return exp(x) + 1; };
  const auto standard = compile(body), unfused = compile(body, {.fused = false}), switched = compile(body, {.passes = "-all"}),
             reproducible = compile(body, {.reproducible = true});
  const Tensor x = tensor({0});
  for (const auto* f : {&standard, &unfused, &switched, &reproducible}) EXPECT_EQ((*f)(x).item(), 2);
  EXPECT_EQ(cache_statistics().misses, 4U);
}

TEST_P(Compile, SharesTheCacheWithPlainCodeAndCompilesAgainWhatWasDropped) {
  int recorded = 0;
  auto body = [&](const Tensor& x) {
    ++recorded;
    return exp(x) * 3;
  };
  const Tensor x = tensor({0, 0});
  EXPECT_FALSE(evaluate({body(x)}).cache_hit);
  const auto f = compile(body);
  static_cast<void>(f(x));
  EXPECT_TRUE(last_report().cache_hit);
  static_cast<void>(f(x));
  EXPECT_EQ(cache_statistics().misses, 1U);
  EXPECT_GE(cache_statistics().hits, 2U);
  EXPECT_EQ(recorded, 2);
  clear_cache();
  EXPECT_EQ(f.recordings(), 0U);
  EXPECT_THAT(f(x).to_vector(), ElementsAre(3, 3));
  EXPECT_EQ(f.recordings(), 1U);
  EXPECT_EQ(recorded, 2) << "the function is not called for that";
}

TEST_P(Compile, TheReportNamesLinesOfTheFunction) {
  const auto f = compile([](const Tensor& x) { return softmax(x); });
  static_cast<void>(f(tensor({1, 2})));
  static_cast<void>(f(tensor({1, 2})));
  const EvaluationReport& report = last_report();
  EXPECT_TRUE(report.cache_hit);
  ASSERT_FALSE(report.kernels.empty());
  EXPECT_EQ(testing::line_numbers(report.kernels[0].lines).at(0), __LINE__ - 6);
}

class CheckCompiled : public ::testing::Test {
 protected:
  void SetUp() override { setenv("COTAN_CHECK_COMPILED", "1", 1); }
  void TearDown() override { unsetenv("COTAN_CHECK_COMPILED"); }
};

TEST_F(CheckCompiled, IsOneOrZero) {
  setenv("COTAN_CHECK_COMPILED", "yes", 1);
  const std::string text = message_of([] { static_cast<void>(compile([](const Tensor& x) { return x * 2; })); });
  EXPECT_THAT(text, HasSubstr("the environment variable COTAN_CHECK_COMPILED is \"yes\""));
  setenv("COTAN_CHECK_COMPILED", "0", 1);
  EXPECT_EQ(compile([](const Tensor& x) { return x * 2; })(tensor({1})).item<float>(), 2);
}

TEST_F(CheckCompiled, FindsWhatChangesFromCallToCall) {
  double factor = 0.5;
  const auto number = compile([&](const Tensor& x) { return x * factor; });
  const std::string line = fmt::format("compile_test.cpp:{}", __LINE__ - 1);
  const Tensor x = tensor({1, 2});
  static_cast<void>(number(x));
  static_cast<void>(number(x));
  factor = 0.25;
  std::string text = message_of([&] { static_cast<void>(number(x)); });
  EXPECT_THAT(text, HasSubstr("was 0.5 and is 0.25"));
  EXPECT_THAT(text, HasSubstr(line));

  bool flag = true;
  const auto branch = compile([&](const Tensor& y) { return flag ? exp(y) : sin(y); });
  static_cast<void>(branch(x));
  flag = false;
  text = message_of([&] { static_cast<void>(branch(x)); });
  EXPECT_THAT(text, HasSubstr("the graph differs at %0"));
  EXPECT_THAT(text, HasSubstr(fmt::format("compile_test.cpp:{}", __LINE__ - 5)));

  std::vector<float> values{1, 2};
  const auto data = compile([&](const Tensor& y) { return y + Tensor::from(values, {2}); });
  static_cast<void>(data(x));
  values[1] = 3;
  EXPECT_THAT(message_of([&] { static_cast<void>(data(x)); }), HasSubstr("has other values than before"));
}

TEST_F(CheckCompiled, LeavesStepsAndDrawsAsTheyAre) {
  const Variable w("w", tensor({1, 2}));
  optim::Adam adam({w}, {.lr = 0.1});
  const Generator generator(3);
  const auto step = compile([&] {
    sum(square(dropout(w, {.p = 0.5}, generator))).backward();
    adam.step();
  });
  for (int i = 0; i < 3; ++i) step();
  EXPECT_EQ(adam.state().at("state.0.step").item<double>(), 3);
  EXPECT_EQ(generator.state().counter, Generator(3).state().counter + 3);
}

}  // namespace
}  // namespace cotan
