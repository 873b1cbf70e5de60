// What mistakes with random numbers say, and that draws know the line that recorded them.
#include "tests/random/helpers.h"

namespace cotan {
namespace {

using ::testing::HasSubstr;

struct Mistake {
  int line;
  std::string function, problem, remedy;
  std::function<void()> make;
};

#define MISTAKE(function, problem, remedy, ...)                       \
  Mistake {                                                           \
    __LINE__, function, problem, remedy, [&] { (void)(__VA_ARGS__); } \
  }

TEST(RandomMessages, NameTheFunctionTheValuesAndTheRemedy) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const std::int64_t large = std::int64_t{1} << 53;
  const Tensor none, pair = tensor({1, 2}), whole = tensor({1, 2}, i32);
  for (const Mistake& m : {
           // clang-format off
           MISTAKE("uniform", "random numbers of type i32", "f32 or f64", uniform({2}, {.dtype = i32})),
           MISTAKE("uniform", "from 2 to below 1", "a low below high", uniform({2}, {.low = 2})),
           MISTAKE("uniform", "from 1 to below 1", "a low below high", uniform({2}, {.low = 1})),
           MISTAKE("uniform", "of which f32 has none", "a low below high", uniform({2}, {.low = 1, .high = 1 + 1e-12})),
           MISTAKE("uniform", "from nan to 1", "finite bounds", uniform({2}, {.low = nan})),
           MISTAKE("uniform", "from 0 to inf", "finite bounds", uniform({2}, {.high = inf})),
           MISTAKE("uniform", "from -1e+300 to 1 as f32", "finite bounds", uniform({2}, {.low = -1e300})),
           MISTAKE("uniform", "from -1.7e+308 to 1.7e+308", "whose difference", uniform({2}, {.low = -1.7e308, .high = 1.7e308, .dtype = f64})),
           MISTAKE("uniform", "a negative size in shape (2, -1)", "at least 0", uniform({2, -1})),
           MISTAKE("normal", "random numbers of type bool", "f32 or f64", normal({2}, {.dtype = boolean})),
           MISTAKE("normal", "a standard deviation of -0.5", "from 0 on", normal({2}, {.std = -0.5})),
           MISTAKE("normal", "a standard deviation of nan", "from 0 on", normal({2}, {.std = nan})),
           MISTAKE("normal", "a standard deviation of inf", "from 0 on", normal({2}, {.std = inf})),
           MISTAKE("normal", "a mean of 1e+60", "that f32 can hold", normal({2}, {.mean = 1e60})),
           MISTAKE("bernoulli", "p = 1.5", "from 0 to 1", bernoulli({2}, 1.5)),
           MISTAKE("bernoulli", "p = nan", "from 0 to 1", bernoulli({2}, nan)),
           MISTAKE("bernoulli", "p = -0.25", "from 0 to 1", bernoulli(-0.25)),
           MISTAKE("bernoulli", "probabilities of type i32", "Cast", bernoulli(whole)),
           MISTAKE("bernoulli", "an undefined tensor", "Give it a value first", bernoulli(none)),
           MISTAKE("randint", "integers from 3 to below 3", "a low below high", randint(3, 3, {2})),
           MISTAKE("randint", "integers from 3 to below -4", "a low below high", randint(3, -4, {2})),
           MISTAKE("randint", "not all of which i32 holds", "a wider type", randint(0, (std::int64_t{1} << 31) + 1, {2})),
           MISTAKE("randint", "from -1 to below 5, not all of which u8 holds", "a wider type", randint(-1, 5, {2}, {.dtype = u8})),
           MISTAKE("randint", "integers from 0 to below 9007199254740993", "at most 2^53", randint(0, large + 1, {2})),
           MISTAKE("randint", "integers from 0 to below 9007199254740992", "2^52 apart", randint(0, large, {2})),
           MISTAKE("randint", "random integers of type f32", "an integer type", randint(0, 5, {2}, {.dtype = f32})),
           MISTAKE("randint", "random integers of type bool", "an integer type", randint(0, 2, {2}, {.dtype = boolean})),
           MISTAKE("randperm", "a permutation of -1 elements", "from 0 to 2147483647", randperm(-1)),
           MISTAKE("randperm", "a permutation of 4294967296 elements", "from 0 to 2147483647", randperm(std::int64_t{1} << 32)),
           MISTAKE("randperm", "a permutation of 257 elements as u8", "holds n - 1", randperm(257, {.dtype = u8})),
           MISTAKE("randperm", "random integers of type f64", "an integer type", randperm(4, {.dtype = f64})),
           MISTAKE("dropout", "p = 1.25", "from 0 to 1", dropout(pair, {.p = 1.25})),
           MISTAKE("dropout", "p = -0.1", "from 0 to 1", dropout(pair, {.p = -0.1, .training = false})),
           MISTAKE("dropout", "p = nan", "from 0 to 1", dropout(pair, {.p = nan})),
           MISTAKE("dropout", "dropout of i32", "Cast it to f32", dropout(whole)),
           MISTAKE("dropout", "an undefined tensor", "Give it a value first", dropout(none)),
           // clang-format on
       }) {
    SCOPED_TRACE(fmt::format("the mistake of line {}", m.line));
    const auto e = testing::error_of(m.make);
    if (!e) continue;
    EXPECT_EQ(e->function(), m.function);
    EXPECT_THAT(e->problem(), HasSubstr(m.problem));
    EXPECT_THAT(e->remedy(), HasSubstr(m.remedy));
    EXPECT_EQ(e->where().line, m.line);
    EXPECT_EQ(testing::file_name(e->where()), "messages_test.cpp");
  }
}

TEST(RandomMessages, DrawsKnowTheirLine) {
  const Tensor p = full({3}, 0.5);
  const std::vector<std::pair<int, Tensor>> drawn = {
      {__LINE__, uniform({3})},       {__LINE__, normal({3})}, {__LINE__, bernoulli({3}, 0.5)}, {__LINE__, bernoulli(p)},
      {__LINE__, randint(0, 3, {3})}, {__LINE__, randperm(3)}, {__LINE__, dropout(p)},
  };
  for (const auto& [line, t] : drawn) EXPECT_THAT(testing::lines_of(t), ::testing::Contains(line));
}

}  // namespace
}  // namespace cotan
