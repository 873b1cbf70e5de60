// What the draws are made of: each number from the stream's words, the same for any number of threads and on every backend; ends of ranges; no compiling anew.
#include <cstring>
#include <numeric>

#include "autograd/tape.h"
#include "tests/random/helpers.h"

namespace cotan {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::numbers_of;
using testing::uniform_numbers;

constexpr std::uint64_t key = 42, counter = 7;
Generator at_start() { return Generator(GeneratorState{key, counter}); }

// Every kind of draw, from the start of the stream.
struct Draw {
  const char* name;
  std::function<Tensor()> make;
  bool same_bits = true;  // on every backend
};
const Shape large{300, 401};
std::vector<Draw> draws() {
  return {
      {"uniform f32", [] { return uniform(large, {}, at_start()); }},
      {"uniform f64", [] { return uniform(large, {.dtype = f64}, at_start()); }},
      {"uniform between, f32", [] { return uniform(large, {.low = -3.3, .high = 0.7}, at_start()); }},
      {"uniform between, f64", [] { return uniform(large, {.low = -3.3, .high = 0.7, .dtype = f64}, at_start()); }},
      {"normal f32", [] { return normal(large, {.mean = 1, .std = 0.5}, at_start()); }, false},
      {"normal f64", [] { return normal(large, {.dtype = f64}, at_start()); }, false},
      {"bernoulli", [] { return bernoulli(large, 0.3, {}, at_start()); }},
      {"bernoulli bool", [] { return bernoulli(large, 0.3, {.dtype = boolean}, at_start()); }},
      {"bernoulli of a tensor", [] { return bernoulli(full(large, 0.7), at_start()); }},
      {"randint", [] { return randint(-5, 12, large, {}, at_start()); }},
      {"randint u8", [] { return randint(0, 256, large, {.dtype = u8}, at_start()); }},
      {"randperm", [] { return randperm(3000, {}, at_start()); }},
      {"dropout", [] { return dropout(full(large, 3), {.p = 0.25}, at_start()); }},
  };
}

std::vector<std::byte> bytes_of(const Tensor& t) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(t.numel()) * size_of(t.dtype()));
  t.copy_to(bytes.data());
  return bytes;
}

TEST(RandomValues, AreTheSameForAnyNumberOfThreads) {
  for (const Draw& draw : draws()) {
    set_threads(1);
    const std::vector<std::byte> one = bytes_of(draw.make());
    for (const int n : {2, 3, 4}) {
      set_threads(n);
      EXPECT_TRUE(one == bytes_of(draw.make())) << draw.name << ", " << n << " threads";
    }
    set_threads(0);
  }
}

TEST(RandomValues, AreTheSameOnTheReferenceAndCompiled) {
  for (const Draw& draw : draws()) {
    const Tensor compiled = draw.make();
    evaluate({compiled});
    const ExecutionOptions before = set_execution_options({.mode = ExecutionMode::reference});
    const Tensor reference = draw.make();
    evaluate({reference});
    set_execution_options(before);
    if (draw.same_bits) {
      EXPECT_TRUE(bytes_of(compiled) == bytes_of(reference)) << draw.name;
      continue;
    }
    const std::vector<double> a = numbers_of(compiled), b = numbers_of(reference);
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    EXPECT_LT(largest, compiled.dtype() == f32 ? 4e-6 : 1e-14) << draw.name;
  }
}

class RandomStreams : public testing::InBothModes {};
COTAN_IN_BOTH_MODES(RandomStreams);

TEST_P(RandomStreams, UniformNumbersAreTheStreams) {
  for (const DType dtype : {f32, f64}) {
    const std::vector<double> u = uniform_numbers(key, counter, 1003, dtype);
    EXPECT_EQ(numbers_of(uniform({17, 59}, {.dtype = dtype}, at_start())), u);
    const std::vector<double> between = numbers_of(uniform({1003}, {.low = -2, .high = 6, .dtype = dtype}, at_start()));
    for (std::size_t i = 0; i < u.size(); ++i) ASSERT_NEAR(between[i], -2 + 8 * u[i], dtype == f32 ? 1e-6 : 1e-15);
  }
}

TEST_P(RandomStreams, NormalNumbersAreBoxAndMullersTransform) {
  for (const DType dtype : {f32, f64}) {
    const std::uint64_t blocks = dtype == f32 ? 251 : 502;
    const std::vector<double> u = uniform_numbers(key, counter, 1003, dtype), v = uniform_numbers(key, counter + blocks, 1003, dtype);
    const std::vector<double> x = numbers_of(normal({1003}, {.mean = 1.5, .std = 0.25, .dtype = dtype}, at_start()));
    for (std::size_t i = 0; i < u.size(); ++i) ASSERT_NEAR(x[i], 1.5 + 0.25 * testing::box_muller(u[i], v[i]), dtype == f32 ? 2e-6 : 4e-15) << i;
  }
  EXPECT_THAT(normal({100}, {.mean = 3, .std = 0}, at_start()).to_vector(), Each(3));
}

TEST_P(RandomStreams, BernoulliComparesWithTheProbability) {
  const std::vector<double> u = uniform_numbers(key, counter, 1000, f64);
  const std::vector<bool> drawn = bernoulli({1000}, 0.3, {.dtype = boolean}, at_start()).to_vector<bool>();
  std::vector<float> p(1000);
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = static_cast<float>(i) / 999.0F;
  const std::vector<float> each = bernoulli(tensor(p, {1000}), at_start()).to_vector();
  for (std::size_t i = 0; i < u.size(); ++i) {
    ASSERT_EQ(drawn[i], u[i] < 0.3);
    ASSERT_EQ(each[i], u[i] < static_cast<double>(p[i]) ? 1 : 0);
  }
  EXPECT_THAT(bernoulli({1000}, 0).to_vector(), Each(0));
  EXPECT_THAT(bernoulli({1000}, 1).to_vector(), Each(1));
  EXPECT_EQ(bernoulli(1).item(), 1);
  const float nan = std::nanf("");
  const std::vector<float> odd = bernoulli(tensor<float>({-0.5F, 1.5F, nan, 0, 1}, {5})).to_vector();
  EXPECT_THAT(odd, ElementsAre(::testing::IsNan(), ::testing::IsNan(), ::testing::IsNan(), 0, 1));
}

__extension__ using Wide = unsigned __int128;

// floor(range * U) in whole numbers, U being the number below 1 with these 106 bits.
std::int64_t chosen(std::int64_t range, double u, double v) {
  const auto a = static_cast<std::uint64_t>(u * 0x1p53), b = static_cast<std::uint64_t>(v * 0x1p53);
  const auto r = static_cast<Wide>(range);
  return static_cast<std::int64_t>((r * a + ((r * b) >> 53)) >> 53);
}

TEST_P(RandomStreams, IntegersAreThePartsOfTheUnitInterval) {
  const std::int64_t most = std::int64_t{1} << 31;
  const std::vector<double> u = uniform_numbers(key, counter, 999, f64), v = uniform_numbers(key, counter + 500, 999, f64);
  for (const auto& [low, high] : std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 1},
                                                                                    {-7, -6},
                                                                                    {0, 2},
                                                                                    {-3, 4},
                                                                                    {5, 1000},
                                                                                    {0, (1 << 26) - 1},
                                                                                    {-(1 << 26), 0},
                                                                                    {-(1 << 26), 1},
                                                                                    {0, most},
                                                                                    {-most, most},
                                                                                    {-most, most - 12345}}) {
    const std::vector<std::int32_t> x = randint(low, high, {999}, {}, at_start()).to_vector<std::int32_t>();
    for (std::size_t i = 0; i < u.size(); ++i) ASSERT_EQ(x[i], low + chosen(high - low, u[i], v[i])) << low << " " << high << " " << i;
  }
}

// The formula in itself, over ranges that no type of today holds, at the ends of the unit interval and at random.
TEST_P(RandomStreams, IntegersStayInRangeAtTheEnds) {
  const double last = 1 - 0x1p-53, step = 0x1p-53, part = 0x1p-26;
  std::vector<double> u = {0, 0, last, last, 0.5, 0.5 - step, part, part - step, 1 - part, 1 - part - step, step},
                      v = {0, last, 0, last, 0, last, 0, last, 0, last, last};
  for (const double w : uniform_numbers(1, 2, 200, f64)) u.push_back(w);
  for (const double w : uniform_numbers(1, 200, 200, f64)) v.push_back(w);
  const Tensor us = tensor(u, {static_cast<std::int64_t>(u.size())}), vs = tensor(v, {static_cast<std::int64_t>(v.size())});
  for (const std::int64_t range : {std::int64_t{1}, std::int64_t{3}, (std::int64_t{1} << 26) + 1, (std::int64_t{1} << 40) - 1, (std::int64_t{1} << 51) + 12345,
                                   (std::int64_t{1} << 52) - 1, std::int64_t{1} << 52}) {
    const std::vector<double> x = Tensor::wrap(graph::integers_between(us.state()->ref, vs.state()->ref, 0, range, f64), {}).to_vector<double>();
    for (std::size_t i = 0; i < u.size(); ++i) {
      ASSERT_GE(x[i], 0);
      ASSERT_LT(x[i], static_cast<double>(range));
      ASSERT_NEAR(x[i], static_cast<double>(chosen(range, u[i], v[i])), i < 11 ? 1 : 0) << range << " " << i;
    }
  }
}

TEST_P(RandomStreams, UniformNumbersStayBelowTheirEnd) {
  const Tensor u = tensor<float>({0, 0.5F, 1 - 0x1p-24F}, {3});
  auto between = [&](double low, double high) { return Tensor::wrap(graph::uniform_between(u.state()->ref, low, high), {}).to_vector(); };
  EXPECT_THAT(between(1, 2), ElementsAre(1, 1.5F, std::nextafter(2.0F, 1.0F)));
  EXPECT_THAT(between(-1, 1), ElementsAre(-1, 0, 1 - 0x1p-23F));
  EXPECT_THAT(between(1e6, 1e6 + 1), ElementsAre(1e6F, 1e6F + 0.5F, 1e6F + 1 - 0x1p-4F));
  const float below = std::nextafter(5.0F, 0.0F);
  EXPECT_THAT(between(below, 5), Each(below));
  const std::vector<float> wide = between(-1.7e38, 1.7e38);
  EXPECT_THAT(wide, ElementsAre(-1.7e38F, 0, ::testing::Lt(1.7e38F)));
}

TEST_P(RandomStreams, PermutationsArePermutations) {
  for (const std::int64_t n : {0, 1, 2, 1000}) {
    std::vector<std::int32_t> p = randperm(n, {}, at_start()).to_vector<std::int32_t>(), all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_TRUE(n < 1000 || p != all);
    std::sort(p.begin(), p.end());
    EXPECT_EQ(p, all) << n;
  }
  EXPECT_EQ(randperm(256, {.dtype = u8}).dtype(), u8);
}

// Equal keys leave the order to the other set of keys.
TEST_P(RandomStreams, PermutationsBreakTiesByTheOtherKeys) {
  const Tensor equal = full({6}, 0.5, f64), keys = tensor({0.3, 0.9, 0.1, 0.7, 0.2, 0.5}, f64);
  auto permutation = [](const Tensor& a, const Tensor& b) {
    return Tensor::wrap(graph::permutation(a.state()->ref, b.state()->ref), {}).to_vector<std::int32_t>();
  };
  EXPECT_THAT(permutation(equal, keys), ElementsAre(2, 4, 0, 5, 3, 1));
  EXPECT_THAT(permutation(keys, equal), ElementsAre(2, 4, 0, 5, 3, 1));
  EXPECT_THAT(permutation(keys, tensor({5, 4, 3, 2, 1, 0}, f64)), ElementsAre(1, 3, 5, 0, 4, 2));
}

// Each turn draws anew; only the first one compiles, and nothing is left behind.
TEST_P(RandomStreams, LoopsCompileOnceAndRunInConstantMemory) {
  const Generator g(1);
  const Tensor x = full({40}, 0.5);
  evaluate({x});
  const std::vector<std::function<Tensor(int)>> kinds = {
      [&](int) { return uniform({40}, {}, g); },
      [&](int i) { return uniform({40}, {.low = -0.5 * i - 1, .high = 2.0 * i + 1}, g); },
      [&](int i) { return normal({40}, {.mean = i - 2.0, .std = 0.5 * i + 1}, g); },
      [&](int i) { return bernoulli({40}, 0.3 + 0.01 * i, {}, g); },
      [&](int) { return bernoulli(x, g); },
      [&](int i) { return randint(-i, 1000 * (i + 1), {40}, {}, g); },
      [&](int) { return randperm(40, {}, g); },
      [&](int i) { return dropout(x, {.p = 0.3 + 0.01 * i}, g); },
  };
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    clear_cache();
    const std::uint64_t compiled = cache_statistics().misses;
    std::vector<std::vector<double>> seen;
    std::size_t nodes = 0;
    for (int i = 0; i < 12; ++i) {
      const Tensor drawn = kinds[kind](i);
      evaluate({drawn});
      std::vector<double> values(40);
      visit_dtype(drawn.dtype(), [&](auto zero) {
        std::vector<decltype(zero)> own(40);
        if constexpr (!std::is_same_v<decltype(zero), bool>) drawn.copy_to(own.data());
        std::copy(own.begin(), own.end(), values.begin());
      });
      EXPECT_THAT(seen, ::testing::Not(::testing::Contains(values))) << kind;
      seen.push_back(values);
      if (i == 2) nodes = testing::live_nodes();
      EXPECT_TRUE(i < 3 || testing::live_nodes() == nodes) << kind;
    }
    EXPECT_EQ(cache_statistics().misses - compiled, 1U) << kind;
  }
}

}  // namespace
}  // namespace cotan
