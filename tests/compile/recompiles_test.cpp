// Why graphs compile again, and programs that compile once.
#include <cmath>
#include <thread>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

class Recompiles : public ::testing::Test {
 protected:
  void SetUp() override { clear_cache(); }
};

std::vector<std::string> reasons() {
  std::vector<std::string> all;
  for (const Recompile& r : explain_recompiles()) all.push_back(r.reason);
  return all;
}

TEST_F(Recompiles, NameWhatChanged) {
  const nn::Dropout dropout;
  const auto f = compile([&](const Tensor& x) { return dropout(exp(x)); });
  static_cast<void>(f(zeros({4, 3})));
  EXPECT_THAT(reasons(), ElementsAre()) << "the first compilation is none";
  static_cast<void>(f(zeros({2, 3})));
  static_cast<void>(f(zeros({4, 3})));
  EXPECT_THAT(reasons(), ElementsAre("argument 0: f32[4,3] -> f32[2,3]"));
  dropout.eval();
  static_cast<void>(f(zeros({2, 3})));
  set_threads(threads() + 1);
  static_cast<void>(f(zeros({2, 3})));
  set_threads(0);
  const ExecutionOptions before = set_execution_options({.reproducible = true});
  static_cast<void>(f(zeros({2, 3})));
  set_execution_options(before);
  const std::vector<std::string> all = reasons();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_THAT(all[1], HasSubstr("Dropout: 1 -> 0"));
  EXPECT_EQ(all[2], fmt::format("threads: {} -> {}", threads(), threads() + 1));
  EXPECT_THAT(all[3], HasSubstr("threads:")) << "the first of two changes";
}

TEST_F(Recompiles, OfPlainCodeAreFoundByTheLine) {
  const Variable w("w", tensor({1, 2}));
  auto run = [&](const Tensor& x, bool more) {
    const Tensor y = x * w;
    return (more ? exp(y) : sin(y)).to_vector();
  };
  static_cast<void>(run(tensor({1, 2}), false));
  const Tensor larger = tensor(std::vector<float>(6, 1), {3, 2});
  static_cast<void>(run(larger, false));
  static_cast<void>(run(larger, true));
  static_cast<void>(run(tensor({1, 2}), false));
  const std::vector<Recompile> all = explain_recompiles();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].line.line, __LINE__ - 9);
  EXPECT_EQ(all[0].reason, "a tensor: f32[2] -> f32[3,2]");
  EXPECT_EQ(testing::file_name(all[0].line), "recompiles_test.cpp");
  EXPECT_THAT(all[1].reason, HasSubstr("the graph differs at %"));
}

TEST_F(Recompiles, MayBeForbidden) {
  const auto f = compile([](const Tensor& x) { return exp(x); });
  static_cast<void>(f(tensor({1, 2})));
  const auto scope = must_not_recompile();
  const int line = __LINE__ - 1;
  static_cast<void>(f(tensor({3, 4})));
  const std::string text = message_of([&] { static_cast<void>(f(tensor({3, 4, 5}))); });
  EXPECT_THAT(text, HasSubstr(fmt::format("recompiles_test.cpp:{} forbids: argument 0: f32[2] -> f32[3]", line)));
  EXPECT_THAT(message_of([&] { static_cast<void>(sin(tensor({1})).item()); }), HasSubstr("nothing was compiled here before"));
  EXPECT_EQ(must_not_recompile([&] { return f(tensor({0, 1})).to_vector()[0]; }), 1);
}

// A thousand steps of Adam with dropout and a schedule through 0 and 1, with numbers that an optimizer and a module own.
std::vector<float> thousand_steps(bool compiled, std::uint64_t& misses) {
  clear_cache();
  manual_seed(9);
  const Generator generator(21);
  const nn::Linear first(6, 8, {.generator = generator}), second(8, 1, {.generator = generator});
  const nn::Dropout dropout({.p = 0.25, .generator = generator});
  std::vector<Variable> parameters = first.parameters();
  for (const Variable& v : second.parameters()) parameters.push_back(v);
  optim::Adam adam(parameters, {.lr = 0.5});
  const Tensor x = normal({16, 6}, {}, Generator(1)), y = normal({16, 1}, {}, Generator(2));
  evaluate({x, y});
  clear_cache();
  auto body = [&](const Tensor& a, const Tensor& b) {
    const Tensor loss = mean(square(second(dropout(relu(first(a)))) - b));
    loss.backward();
    adam.step();
    return loss;
  };
  const auto step = compile(body);
  std::vector<float> values;
  for (int i = 0; i < 1000; ++i) {
    adam.set_lr(i % 100 == 0 ? 1.0 : i % 100 == 50 ? 0.0 : 1e-3 * (1 + i % 7));
    values.push_back((compiled ? step(x, y) : body(x, y)).item());
  }
  misses = cache_statistics().misses;
  for (const Variable& v : parameters)
    for (float p : v.value().to_vector()) values.push_back(p);
  return values;
}

TEST_F(Recompiles, AThousandStepsCompileOnceAndAreTheSamePlainAndCompiled) {
  std::uint64_t plain_misses = 0, compiled_misses = 0;
  const std::vector<float> plain = thousand_steps(false, plain_misses), compiled = thousand_steps(true, compiled_misses);
  EXPECT_EQ(plain_misses, 1U);
  EXPECT_EQ(compiled_misses, 1U);
  EXPECT_EQ(plain, compiled);
  for (float v : plain) ASSERT_TRUE(std::isfinite(v));
}

TEST_F(Recompiles, BatchNormsMomentumNeverFolds) {
  for (const double momentum : {0.1, 0.0, 1.0}) {
    const nn::BatchNorm1d norm(3, {.momentum = momentum});
    EXPECT_EQ(evaluate({norm(normal({4, 3}, {}, Generator(4)))}).cache_hit, momentum != 0.1);
  }
}

TEST_F(Recompiles, ReproducibleIsInTheKey) {
  const Tensor x = tensor({1, 2});
  EXPECT_FALSE(is_reproducible());
  evaluate({exp(x)});
  set_reproducible(true);
  EXPECT_FALSE(evaluate({exp(x)}).cache_hit);
  EXPECT_TRUE(evaluate({exp(x)}).cache_hit);
  set_reproducible(false);
  EXPECT_TRUE(evaluate({exp(x)}).cache_hit);
}

// ---- threads

TEST_F(Recompiles, OneCompiledFunctionRunsInFourThreads) {
  const Variable w("w", tensor({1, 2, 3})), count("count", tensor({0}));
  optim::SGD sgd({count}, {.lr = 1});
  const auto f = compile([&](const Tensor& x) { return exp(x) * w; });
  const auto step = compile([&](const Tensor& x) {
    sum(count * x).backward();
    sgd.step();
  });
  std::vector<std::thread> all;
  std::array<std::vector<float>, 4> found;
  for (std::size_t t = 0; t < 4; ++t)
    all.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const Tensor x = full({3}, static_cast<double>(t));
        evaluate({x});
        found[t] = f(x).to_vector();
        step(tensor({-1}));
      }
    });
  for (std::thread& t : all) t.join();
  for (std::size_t t = 0; t < 4; ++t) EXPECT_NEAR(found[t][2], 3 * std::exp(static_cast<float>(t)), 1e-4);
  EXPECT_EQ(count.value().item(), 100) << "no step is lost";
  EXPECT_EQ(f.recordings(), 1U);
}

TEST_F(Recompiles, AnEvaluationMayWriteManyVariables) {
  std::vector<Variable> many;
  for (int i = 0; i < 100; ++i) many.emplace_back(fmt::format("v{}", i), tensor({1}));
  const auto f = compile([&](const Tensor& x) {
    for (const Variable& v : many) v.assign(v + x);
  });
  std::vector<std::thread> all;
  for (int t = 0; t < 2; ++t)
    all.emplace_back([&] {
      for (int i = 0; i < 10; ++i) f(tensor({1}));
    });
  for (std::thread& t : all) t.join();
  for (const Variable& v : many) EXPECT_EQ(v.value().item(), 21);
}

}  // namespace
}  // namespace cotan
