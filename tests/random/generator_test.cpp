// Generators: what a state is, that no two draws share a number, streams, and threads.
#include <algorithm>
#include <set>
#include <thread>

#include "tests/random/helpers.h"

namespace cotan {
namespace {

using testing::Interval;
using testing::intervals_of;

TEST(Generator, EveryDrawTakesTheBlocksThatItReadsAndNoMore) {
  const Generator g(7);
  const std::uint64_t key = g.state().key;
  const Tensor probabilities = full({5}, 0.25), doubles = full({2, 3}, 0.5, f64);
  std::vector<Tensor> draws;
  auto keep = [&](Tensor t, std::uint64_t leaves) {
    EXPECT_EQ(intervals_of(t).size(), leaves);
    draws.push_back(std::move(t));
  };
  for (int turn = 0; turn < 3; ++turn) {
    keep(uniform({3, 7}, {}, g), 1);
    keep(uniform({5}, {.low = -1, .dtype = f64}, g), 1);
    keep(uniform({}, {}, g), 1);
    keep(normal({1}, {}, g), 2);
    keep(normal({33}, {.dtype = f64}, g), 2);
    keep(bernoulli({9}, 0.5, {}, g), 1);
    keep(bernoulli(probabilities, g), 1);
    keep(randint(0, 10, {6}, {}, g), 2);
    keep(randperm(11, {}, g), 2);
    keep(dropout(probabilities, {}, g), 1);
    keep(dropout(doubles, {}, g), 1);
  }
  std::uint64_t next = 0;
  for (const Tensor& t : draws)
    for (const Interval& i : intervals_of(t)) {
      EXPECT_EQ(i.key, key);
      EXPECT_EQ(i.first, next);
      EXPECT_GT(i.last, i.first);
      next = i.last;
    }
  EXPECT_EQ(g.state(), (GeneratorState{key, next}));
}

TEST(Generator, NothingIsTakenForNothing) {
  const Generator g(7);
  const GeneratorState before = g.state();
  EXPECT_EQ(uniform({0, 4}, {}, g).to_vector().size(), 0U);
  EXPECT_EQ(normal({0}, {}, g).to_vector().size(), 0U);
  EXPECT_EQ(dropout(zeros({3, 0}), {}, g).to_vector().size(), 0U);
  static_cast<void>(dropout(zeros({3}), {.training = false}, g));
  EXPECT_THROW(static_cast<void>(normal({3}, {.std = -1}, g)), Error);
  EXPECT_THROW(static_cast<void>(uniform({-3}, {}, g)), Error);
  EXPECT_THROW(static_cast<void>(uniform({std::int64_t{1} << 40, std::int64_t{1} << 40}, {}, g)), Error);
  EXPECT_EQ(g.state(), before);
}

TEST(Generator, SeedsAndStreamsAndStatesDecideTheNumbers) {
  auto drawn = [](const Generator& g) { return uniform({8}, {}, g).to_vector(); };
  EXPECT_EQ(drawn(Generator(3)), drawn(Generator(3)));
  EXPECT_EQ(drawn(Generator(3, 5)), drawn(Generator(3, 5)));
  EXPECT_NE(drawn(Generator(3)), drawn(Generator(4)));
  EXPECT_NE(drawn(Generator(3)), drawn(Generator(3, 1)));

  const Generator g(3);
  const std::vector<float> first = drawn(g);
  const GeneratorState saved = g.state();
  const std::vector<float> second = drawn(g), third = drawn(g);
  EXPECT_NE(first, second);
  g.set_state(saved);
  EXPECT_EQ(drawn(g), second);
  EXPECT_EQ(drawn(g), third);
  const Generator other(saved);
  EXPECT_EQ(drawn(other), second);
  EXPECT_EQ(drawn(other), third);
  EXPECT_EQ(drawn(g), drawn(other));
}

TEST(Generator, CopiesAreOneGenerator) {
  const Generator g(3), copy = g;
  const std::vector<float> a = uniform({8}, {}, g).to_vector(), b = uniform({8}, {}, copy).to_vector();
  EXPECT_NE(a, b);
  EXPECT_EQ(g.state(), copy.state());
}

TEST(Generator, ADrawIsSettledWhenItIsRecorded) {
  const Generator g(3), same(3);
  const Tensor first = uniform({8}, {}, g), second = uniform({8}, {}, g);
  const std::vector<float> of_second = second.to_vector(), of_first = first.to_vector();
  EXPECT_EQ(of_first, uniform({8}, {}, same).to_vector());
  EXPECT_EQ(of_second, uniform({8}, {}, same).to_vector());
}

TEST(Generator, TheDefaultOneIsSeeded) {
  manual_seed(11);
  const std::vector<float> a = normal({6}).to_vector(), b = normal({6}).to_vector();
  EXPECT_NE(a, b);
  manual_seed(11);
  EXPECT_EQ(normal({6}).to_vector(), a);
  EXPECT_EQ(default_generator().state().key, Generator(11).state().key);
  manual_seed(12);
  EXPECT_NE(normal({6}).to_vector(), a);
  EXPECT_EQ(normal({6}, {}, Generator(11)).to_vector(), a);
}

// The keys of one seed's streams, of those split off, and of many seeds, all differ.
TEST(Generator, StreamsHaveKeysOfTheirOwn) {
  std::set<std::uint64_t> keys;
  std::size_t made = 0;
  auto add = [&](const Generator& g) {
    keys.insert(g.state().key);
    ++made;
    EXPECT_EQ(g.state().counter, 0U);
  };
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}})
    for (std::uint64_t stream = 0; stream < 1000; ++stream) {
      add(Generator(seed, stream));
      add(Generator(seed, ~stream));
    }
  for (std::uint64_t seed = 2; seed < 1000; ++seed) add(Generator(seed));
  const Generator root(5000);
  add(root);
  for (int i = 0; i < 500; ++i) {
    const Generator child = root.split();
    add(child);
    add(child.split());
    EXPECT_EQ(child.state().counter, 1U);
  }
  EXPECT_EQ(root.state().counter, 500U);
  EXPECT_EQ(keys.size(), made);
}

TEST(Generator, ThreadsThatShareOneNeverGetTheSameNumbers) {
  const Generator g(9);
  constexpr std::size_t threads = 4, turns = 500;
  std::vector<std::vector<Interval>> taken(threads);
  std::vector<std::thread> all;
  for (std::size_t t = 0; t < threads; ++t)
    all.emplace_back([&, t] {
      for (std::size_t i = 0; i < turns; ++i) {
        const std::uint64_t blocks = 1 + (t + i) % 5;
        const Tensor x = uniform({static_cast<std::int64_t>(4 * blocks)}, {}, g);
        taken[t].push_back(intervals_of(x).at(0));
      }
    });
  for (std::thread& t : all) t.join();
  std::vector<Interval> sorted;
  for (const auto& part : taken) sorted.insert(sorted.end(), part.begin(), part.end());
  std::sort(sorted.begin(), sorted.end(), [](const Interval& a, const Interval& b) { return a.first < b.first; });
  std::uint64_t next = 0;
  for (const Interval& i : sorted) {
    ASSERT_EQ(i.first, next);
    next = i.last;
  }
  EXPECT_EQ(g.state().counter, next);
}

TEST(Generator, AStreamThatIsUsedUpIsAnError) {
  const Generator g(GeneratorState{.key = 1, .counter = ~std::uint64_t{0} - 2});
  EXPECT_EQ(uniform({8}, {}, g).to_vector().size(), 8U);
  const std::string text = testing::message_of([&] { static_cast<void>(uniform({4}, {}, g)); });
  EXPECT_THAT(text, ::testing::HasSubstr("uniform: 1 blocks of random numbers from counter 18446744073709551615"));
  EXPECT_THAT(text, ::testing::HasSubstr("split()"));
  EXPECT_THAT(testing::message_of([&] { static_cast<void>(g.split()); }), ::testing::HasSubstr("split: "));
}

}  // namespace
}  // namespace cotan
