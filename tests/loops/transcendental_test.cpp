// The float32 functions of the loops: their errors over a dense sample of all floats, their special values, and the same bits on every instruction set.
//
// COTAN_ALL_FLOATS=1 in the environment takes every float (and 2^30 pairs) instead of the sample: about two minutes a function.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "backends/loops/tile_op.h"
#include "tests/loops/buffers.h"
#include "tests/loops/float_errors.h"

namespace cotan::loops_test {
namespace {

const bool every_float = std::getenv("COTAN_ALL_FLOATS") != nullptr;
constexpr std::size_t block = 1 << 14;

// What a function gives for all of x (and y).
std::vector<float> computed(Atom atom, const std::vector<float>& x, const std::vector<float>& y = {}) {
  std::vector<float> out(x.size());
  const void* in[] = {x.data(), y.data()};
  loops::tile_function({atom, f32, f32})(out.data(), in, x.size());
  return out;
}

struct Worst {
  double ulps = 0;
  float x = 0, y = 0, got = 0;
};

void compare(Atom atom, const std::vector<float>& x, const std::vector<float>& y, Worst& worst) {
  const std::vector<float> got = computed(atom, x, y);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float b = y.empty() ? 0 : y[i];
    const double ulps = ulps_off(got[i], wanted(atom, x[i], b));
    if (ulps > worst.ulps) worst = {ulps, x[i], b, got[i]};
  }
}

void report(const FloatFunction& f, const Worst& worst) {
  const std::string said = fmt::format("{}: at most {:.3f} ULP, at {:a}, {:a}", name_of(f.atom), worst.ulps, worst.x, worst.y);
  if (every_float) fmt::print("{}\n", said);
  EXPECT_LE(worst.ulps, f.bound) << said << ", where it gave " << worst.got << " for " << wanted(f.atom, worst.x, worst.y);
}

class OneOperand : public testing::TestWithParam<FloatFunction> {};
class TwoOperands : public testing::TestWithParam<FloatFunction> {};
std::string name_of_case(const testing::TestParamInfo<FloatFunction>& info) { return std::string(name_of(info.param.atom)); }
INSTANTIATE_TEST_SUITE_P(FloatFunctions, OneOperand, testing::ValuesIn(unary_functions), name_of_case);
INSTANTIATE_TEST_SUITE_P(FloatFunctions, TwoOperands, testing::ValuesIn(binary_functions), name_of_case);

TEST_P(OneOperand, StaysWithinItsBoundFromEndToEndOfTheFormat) {
  Worst worst;
  compare(GetParam().atom, edges(), {}, worst);
  const std::uint64_t step = every_float ? 1 : 3001;
  std::vector<float> x;
  for (std::uint64_t word = 0; word < std::uint64_t{1} << 32; word += step) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(word)));
    if (x.size() < block && word + step < std::uint64_t{1} << 32) continue;
    compare(GetParam().atom, x, {}, worst);
    x.clear();
  }
  report(GetParam(), worst);
}

// A float of any bits, one of moderate size, or one that makes a power near the ends of the format.
float any_float(Random& random) {
  const auto word = static_cast<std::uint32_t>(random.integer(0, 0xFFFFFFFFLL));
  switch (random.integer(0, 3)) {
    case 0: return std::bit_cast<float>(word);
    case 1: return static_cast<float>(std::ldexp(random.unit() - 0.5, static_cast<int>(random.integer(-3, 8))));
    case 2: return 1 + static_cast<float>(std::ldexp(random.unit() - 0.5, -static_cast<int>(random.integer(0, 23))));
    default: return std::bit_cast<float>((word & 0x87FFFFFFU) + 0x3C000000U);
  }
}

TEST_P(TwoOperands, StayWithinTheirBoundsAtRandomPairs) {
  Worst worst;
  Random random(17);
  for (std::size_t done = 0; done < (every_float ? std::size_t{1} << 30 : std::size_t{1} << 20); done += block) {
    std::vector<float> x(block), y(block);
    for (std::size_t i = 0; i < block; ++i) {
      x[i] = any_float(random);
      y[i] = any_float(random);
      // Powers of positive numbers, with a result inside the format.
      if (GetParam().atom == Atom::pow && random.chance(0.5)) {
        x[i] = std::abs(x[i]);
        y[i] = static_cast<float>((random.unit() - 0.5) * 300 / std::log2(static_cast<double>(x[i])));
      }
      // Angles of points at comparable distances from both axes.
      if (GetParam().atom == Atom::atan2 && random.chance(0.5))
        y[i] = x[i] * static_cast<float>(std::ldexp(random.unit(), static_cast<int>(random.integer(-4, 4))));
    }
    compare(GetParam().atom, x, y, worst);
  }
  report(GetParam(), worst);
}

TEST_P(TwoOperands, FollowTheStandardAtSpecialPairs) {
  std::vector<float> special = {0,        0.5F,     1,        1.5F, 2,         3,         4,         8388607.5F, 8388609,
                                16777215, 16777216, 16777218, 3e9F, 0x1p-126F, 0x1p-149F, 0x1p-133F, 0x1p64F,    0x1.fffffep127F};
  special.insert(special.end(),
                 {std::nextafter(1.0F, 0.0F), std::nextafter(1.0F, 2.0F), std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()});
  std::vector<float> x, y;
  for (float a : special)
    for (float b : special)
      for (float sa : {1.0F, -1.0F})
        for (float sb : {1.0F, -1.0F}) {
          x.push_back(std::copysign(a, sa));
          y.push_back(std::copysign(b, sb));
        }
  const std::vector<float> got = computed(GetParam().atom, x, y);
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_LE(ulps_off(got[i], wanted(GetParam().atom, x[i], y[i])), GetParam().bound)
        << name_of(GetParam().atom) << " of " << x[i] << ", " << y[i] << " gave " << got[i];
}

TEST(FloatFunctions, ExactPowersAreExact) {
  std::vector<float> x, y;
  for (int a = -40; a <= 40; ++a)
    for (int b = 0; b <= 4; ++b) {
      x.push_back(static_cast<float>(a));
      y.push_back(static_cast<float>(b));
    }
  for (int k = -149; k < 128; ++k) {
    x.push_back(2);
    y.push_back(static_cast<float>(k));
  }
  const std::vector<float> got = computed(Atom::pow, x, y);
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(got[i], std::pow(static_cast<double>(x[i]), static_cast<double>(y[i]))) << x[i] << " to the power " << y[i];
}

// Runs f with Highway held to each instruction set that was compiled and that this processor has.
void on_every_target(const std::function<void(const std::string&)>& f) {
  const std::int64_t supported = hwy::SupportedTargets();
  auto choose = [](std::int64_t targets) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  };
  for (std::int64_t rest = supported; rest != 0; rest &= rest - 1) {
    choose(rest & -rest);
    f(loops::target_name());
  }
  choose(0);
}

TEST(FloatFunctions, BitsAreTheSameOnEveryInstructionSet) {
  std::vector<float> x = edges(), y;
  Random random(23);
  for (int i = 0; i < 100'000; ++i) x.push_back(any_float(random));
  for (std::size_t i = 0; i < x.size(); ++i) y.push_back(any_float(random));
  std::set<std::string> targets;
  std::vector<std::vector<float>> first;
  on_every_target([&](const std::string& target) {
    targets.insert(target);
    std::size_t at = 0;
    auto check = [&](const FloatFunction& f, const std::vector<float>& second) {
      const std::vector<float> got = computed(f.atom, x, second);
      if (at == first.size()) first.push_back(got);
      for (std::size_t i = 0; i < x.size(); ++i)
        ASSERT_TRUE(same_bits(got[i], first[at][i])) << name_of(f.atom) << " of " << x[i] << " gives " << got[i] << " on " << target << ", " << first[at][i]
                                                     << " on another";
      ++at;
    };
    for (const FloatFunction& f : unary_functions) ASSERT_NO_FATAL_FAILURE(check(f, {}));
    for (const FloatFunction& f : binary_functions) ASSERT_NO_FATAL_FAILURE(check(f, y));
  });
#if defined(__x86_64__)
  EXPECT_GE(targets.size(), 2U);
#endif
}

// Lane, neighbours and the end of the tile do not matter. Large angles, computed one by one, stand among small ones.
TEST(FloatFunctions, BitsAreTheSameAnywhereInATile) {
  Random random(31);
  std::vector<float> x, y;
  for (int i = 0; i < 200; ++i) {
    x.push_back(any_float(random));
    y.push_back(any_float(random));
  }
  auto check = [&](const FloatFunction& f, bool two) {
    const std::vector<float> whole = computed(f.atom, x, y);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t n = 1 + i % 19, from = std::min(i, x.size() - n);
      const auto part = [&](const std::vector<float>& v) {
        return std::vector<float>(v.begin() + static_cast<std::ptrdiff_t>(from), v.begin() + static_cast<std::ptrdiff_t>(from + n));
      };
      const std::vector<float> got = computed(f.atom, part(x), two ? part(y) : std::vector<float>{});
      for (std::size_t k = 0; k < n; ++k) ASSERT_TRUE(same_bits(got[k], whole[from + k])) << name_of(f.atom) << " of " << x[from + k];
    }
  };
  for (const FloatFunction& f : unary_functions) ASSERT_NO_FATAL_FAILURE(check(f, false));
  for (const FloatFunction& f : binary_functions) ASSERT_NO_FATAL_FAILURE(check(f, true));
}

}  // namespace
}  // namespace cotan::loops_test
