// The cache of compiled graphs: what is part of its key and what is not, its bound, and its use by many threads.
#include <thread>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

class Cache : public testing::InBothModes {
 protected:
  void SetUp() override {
    InBothModes::SetUp();
    clear_cache();
  }
  void TearDown() override {
    set_cache_capacity(256);
    InBothModes::TearDown();
  }
  // Whether evaluating what `make` records compiles anything.
  static bool compiles(const std::function<Tensor()>& make) {
    const std::uint64_t before = cache_statistics().misses;
    const EvaluationReport report = evaluate({make()});
    EXPECT_EQ(report.cache_hit, cache_statistics().misses == before);
    return !report.cache_hit;
  }
};
COTAN_IN_BOTH_MODES(Cache);

TEST_P(Cache, NumbersAreNotPartOfTheKey) {
  const Tensor x = tensor({1, 2});
  EXPECT_TRUE(compiles([&] { return exp(x) * 2.5 + 0.125; }));
  for (const double number : {3.0, -7.5, 1e-30, 1e30}) {
    EXPECT_FALSE(compiles([&] { return exp(x) * number + (number / 4); }));
    EXPECT_FLOAT_EQ((x * number).to_vector()[1], static_cast<float>(2 * number));
  }
  EXPECT_TRUE(compiles([&] { return full({3}, 0.25); }));
  EXPECT_FALSE(compiles([&] { return full({3}, 0.75); }));
}

TEST_P(Cache, ZeroOneAndMinusOneAreStructural) {
  const Tensor x = tensor({1, 2});
  EXPECT_TRUE(compiles([&] { return x * 2; }));
  EXPECT_TRUE(compiles([&] { return x * 1; }));
  EXPECT_TRUE(compiles([&] { return x * 0; }));
  EXPECT_TRUE(compiles([&] { return x * -1; }));
  EXPECT_FALSE(compiles([&] { return x * 0; }));
}

TEST_P(Cache, ALearningRateIsNotPartOfTheKeyWhateverItsValue) {
  const Variable w("w", tensor({1, 2}));
  optim::SGD sgd({w}, {.lr = 0.1});
  auto step = [&] {
    sum(w * w).backward();
    return sgd.step().cache_hit;
  };
  EXPECT_FALSE(step());
  for (const double lr : {0.2, 0.0, 1.0, 1e-3, 0.5}) {
    sgd.set_lr(lr);
    EXPECT_TRUE(step()) << lr;
  }
  EXPECT_EQ(cache_statistics().entries, 1U);
}

TEST_P(Cache, DataAndVersionsAndLinesAreNotPartOfTheKey) {
  const Variable w("w", tensor({1, 2}));
  EXPECT_TRUE(compiles([&] { return w * tensor({3, 4}); }));
  EXPECT_FALSE(compiles([&] { return w * tensor({5, 6}); }));
  w.assign(tensor({7, 8}) * 1);
  evaluate({});
  EXPECT_FALSE(compiles([&] { return w * tensor({5, 6}); }));
}

TEST_P(Cache, RandomCountersAreNotPartOfTheKey) {
  EXPECT_TRUE(compiles([&] { return normal({4}); }));
  EXPECT_FALSE(compiles([&] { return normal({4}, {}, Generator({.key = 2, .counter = 77})); }));
  EXPECT_NE(normal({4}, {}, Generator(1)).to_vector(), normal({4}, {}, Generator(2)).to_vector());
}

TEST_P(Cache, ShapesDtypesAttributesAndResultsAreInTheKey) {
  const Tensor x = zeros({3, 4}) + arange(4, f32);
  evaluate({x});
  EXPECT_TRUE(compiles([&] { return sum(x, {.dim = 0}); }));
  EXPECT_FALSE(compiles([&] { return sum(x, {.dim = 0}); }));
  EXPECT_TRUE(compiles([&] { return sum(x, {.dim = 1}); }));
  EXPECT_TRUE(compiles([&] { return sum(x, {.dim = 1, .keepdim = true}); }));
  EXPECT_TRUE(compiles([&] { return softmax(x, {.dim = 0}); }));
  EXPECT_TRUE(compiles([&] { return softmax(x, {.dim = 1}); }));
  const Tensor other = zeros({4, 3});
  evaluate({other});
  EXPECT_TRUE(compiles([&] { return sum(other, {.dim = 0}); })) << "a new shape";
  const Tensor doubles = zeros({3, 4}, f64);
  evaluate({doubles});
  EXPECT_TRUE(compiles([&] { return sum(doubles, {.dim = 0}); })) << "a new type";

  const Variable w("w", tensor({1, 2}));
  const Tensor y = exp(w);
  EXPECT_FALSE(evaluate({y * 2}).cache_hit);
  EXPECT_FALSE(evaluate({y * 3, y}).cache_hit) << "another set of results";
}

TEST_P(Cache, SharedAndSeparateOperandsAreTwoStructures) {
  const Tensor x = tensor({1, 2}), y = tensor({3, 4});
  EXPECT_TRUE(compiles([&] { return x + y * x; }));
  EXPECT_TRUE(compiles([&] { return x + y * y; }));
  EXPECT_TRUE(compiles([&] { return x + x * x; }));
  EXPECT_FALSE(compiles([&] { return y + x * y; }));
  EXPECT_EQ((y + x * y).to_vector()[0], 6);
}

TEST_P(Cache, ModesAndOptionsAndThreadCountsAreInTheKey) {
  const Tensor x = tensor({1, 2});
  EXPECT_TRUE(compiles([&] { return exp(x); }));
  const ExecutionOptions before = set_execution_options({.mode = GetParam(), .reproducible = true});
  EXPECT_TRUE(compiles([&] { return exp(x); }));
  set_execution_options({.mode = GetParam() == ExecutionMode::reference ? ExecutionMode::compiled : ExecutionMode::reference});
  EXPECT_TRUE(compiles([&] { return exp(x); }));
  set_execution_options(before);
  EXPECT_FALSE(compiles([&] { return exp(x); }));
  const int was = threads();
  set_threads(was + 1);
  EXPECT_TRUE(compiles([&] { return exp(x); }));
  set_threads(0);
  EXPECT_FALSE(compiles([&] { return exp(x); }));
}

TEST_P(Cache, IsBoundedAndForgetsTheLeastRecentlyUsed) {
  set_cache_capacity(3);
  auto of_size = [](std::int64_t n) { return [n] { return exp(Tensor::from(std::vector<float>(static_cast<std::size_t>(n)), {n})); }; };
  for (std::int64_t n = 1; n <= 3; ++n) EXPECT_TRUE(compiles(of_size(n)));
  EXPECT_FALSE(compiles(of_size(1)));
  EXPECT_TRUE(compiles(of_size(4)));  // 2 goes
  EXPECT_FALSE(compiles(of_size(1)));
  EXPECT_FALSE(compiles(of_size(3)));
  EXPECT_TRUE(compiles(of_size(2)));
  const CacheStatistics statistics = cache_statistics();
  EXPECT_EQ(statistics.entries, 3U);
  EXPECT_EQ(statistics.evictions, 2U);
  set_cache_capacity(1);
  EXPECT_EQ(cache_statistics().entries, 1U);
}

TEST_P(Cache, IsSharedByThreads) {
  auto work = [] { return exp(tensor({1, 2, 3})) * 2; };
  EXPECT_TRUE(compiles(work));
  std::thread([&] {
    set_execution_options({.mode = GetParam()});
    EXPECT_FALSE(compiles(work));
  }).join();
}

TEST_P(Cache, OutlivesTheThreadThatFilledIt) {
  auto work = [] { return softmax(tensor({1, 2, 3}) * 2); };
  std::thread([&] {
    set_execution_options({.mode = GetParam()});
    EXPECT_TRUE(compiles(work));
  }).join();
  EXPECT_FALSE(compiles(work));
  const std::vector<float> values = work().to_vector();
  EXPECT_NEAR(values[0] + values[1] + values[2], 1, 1e-6);
  clear_cache();
  EXPECT_TRUE(compiles(work));
}

}  // namespace
}  // namespace cotan
