// The sign of a zero, NaN and the infinities do not depend on what was evaluated before, nor on whether a number was written as a number or as a tensor.
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

struct Step {
  const char* name;
  std::function<Tensor(const Tensor&, const Operand&)> record;
  std::function<float(float, float)> value;
};

const std::vector<Step>& steps() {
  static const std::vector<Step> all{
      {"x + c", [](const Tensor& x, const Operand& c) { return x + c; }, [](float x, float c) { return x + c; }},
      {"c + x", [](const Tensor& x, const Operand& c) { return c + x; }, [](float x, float c) { return c + x; }},
      {"x - c", [](const Tensor& x, const Operand& c) { return x - c; }, [](float x, float c) { return x - c; }},
      {"c - x", [](const Tensor& x, const Operand& c) { return c - x; }, [](float x, float c) { return c - x; }},
      {"x * c", [](const Tensor& x, const Operand& c) { return x * c; }, [](float x, float c) { return x * c; }},
      {"x / c", [](const Tensor& x, const Operand& c) { return x / c; }, [](float x, float c) { return x / c; }},
      {"-x", [](const Tensor& x, const Operand&) { return -x; }, [](float x, float) { return -x; }},
      {"where(x < c, x, -x)", [](const Tensor& x, const Operand& c) { return where(x < c, x, -x); }, [](float x, float c) { return x < c ? x : -x; }},
  };
  return all;
}

bool same(float a, float b) { return std::isnan(a) ? std::isnan(b) : std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }

// Two steps, the first evaluated in between or not, c as a number, an evaluated tensor and a variable.
TEST(SignedZero, DoesNotDependOnWhatWasEvaluated) {
  const std::vector<float> points{0.0F, -0.0F, inf, -inf, std::nanf(""), 1, -1, 2.5e-38F, 2.5F};
  for (const Step& first : steps())
    for (const Step& second : steps())
      for (const float c : {0.0F, -0.0F, 1.0F, -1.0F, inf, std::nanf("")}) {
        std::vector<float> want;
        for (float x : points) want.push_back(second.value(first.value(x, c), c));
        const Tensor x = Tensor::from(points, {static_cast<std::int64_t>(points.size())});
        Tensor t = tensor({static_cast<double>(c)});
        evaluate({t});
        const Variable v("c", t);
        const Tensor once = second.record(first.record(x, c), c);
        Tensor between = first.record(x, c);
        evaluate({between});
        const Tensor results[] = {once, second.record(between, c), second.record(first.record(x, t), t), second.record(first.record(x, v), v)};
        for (std::size_t r = 0; r < std::size(results); ++r) {
          const std::vector<float> got = results[r].to_vector();
          for (std::size_t i = 0; i < points.size(); ++i) {
            if (std::abs(want[i]) > 0 && std::abs(want[i]) < 2e-38F) continue;  // subnormal: another promise
            ASSERT_TRUE(same(got[i], want[i])) << first.name << ", then " << second.name << " with c = " << c << " at " << points[i] << ": " << got[i] << ", not "
                                               << want[i] << " (way " << r << ")";
          }
        }
      }
}

// Where the two half-planes meet, the angle is pi on the one side and -pi on the other.
TEST(SignedZero, DecidesTheAngleOfAtan2) {
  const float pi = std::atan2(0.0F, -1.0F);
  const Tensor zero = tensor({0}), minus_zero = tensor({-0.0}), left = tensor({-1});
  EXPECT_EQ(atan2(0 - zero, left).item(), pi);
  EXPECT_EQ(atan2(minus_zero + 0, left).item(), pi);
  EXPECT_EQ(atan2(minus_zero - 0, left).item(), -pi);
  EXPECT_EQ(atan2(minus_zero + -0.0, left).item(), -pi);
  EXPECT_EQ(atan2(zero - zero, left).item(), pi);
  EXPECT_EQ(atan2(sum(-tensor({1, -1})), -1).item(), pi);
  EXPECT_EQ(atan2(-sum(tensor({1, -1})), -1).item(), -pi);
  // The gradient of two halves put together: each entry is that of its half, plus nothing.
  EXPECT_EQ(atan2(concat({minus_zero, zero}) + zeros({2}), -1).to_vector(), (std::vector<float>{pi, pi}));
}

}  // namespace
}  // namespace cotan
