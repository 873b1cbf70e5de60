// Far from 0 and at the ends of domains: derivatives stay finite, or are infinite on purpose, where their formulas' parts overflow.
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/elementwise_checks.h"

namespace cotan::testing {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr DType one[] = {DType::f64}, two[] = {DType::f64, DType::f64};

double slope(std::string_view row, std::span<const double> at, std::size_t k = 0) {
  const ElementwiseCase c = case_of(*find_elementwise(row), at.size() == 1 ? std::span<const DType>(one) : std::span<const DType>(two));
  return derivative_at(c.derivatives[k], c.formula, at);
}
double slope(std::string_view row, double x) { return slope(row, Point{x}); }
double value(std::string_view row, double x) { return value_of(case_of(*find_elementwise(row), one).formula, Point{x}); }

TEST(FarFromZero, ActivationsAreLinearOrConstant) {
  for (const char* row : {"softplus", "silu", "mish", "gelu", "gelu_tanh", "hardswish"})
    for (double x : {50.0, 800.0, 1e100, 1e300}) {
      EXPECT_EQ(slope(row, x), 1) << row << " at " << x;
      EXPECT_NEAR(slope(row, -x), 0, 1e-15) << row << " at " << -x;
      EXPECT_EQ(value(row, x), x) << row;
      EXPECT_NEAR(value(row, -x), 0, 1e-15) << row;
    }
  for (double x : {50.0, 800.0, 1e300}) {
    EXPECT_EQ(value("log_sigmoid", -x), -x);
    EXPECT_EQ(slope("log_sigmoid", -x), 1);
    EXPECT_NEAR(slope("log_sigmoid", x), 0, 1e-15);
  }
}

TEST(FarFromZero, HyperbolicFunctionsReachTheirTypesEnd) {
  EXPECT_NEAR(value("sinh", 710.0) / std::sinh(710.0), 1, 1e-15);
  EXPECT_NEAR(value("sinh", -710.0) / std::sinh(-710.0), 1, 1e-15);
  EXPECT_NEAR(value("cosh", -710.0) / std::cosh(710.0), 1, 1e-15);
  EXPECT_NEAR(slope("sinh", 710.0) / std::cosh(710.0), 1, 1e-15);
  EXPECT_NEAR(slope("cosh", -710.0) / std::sinh(-710.0), 1, 1e-15);
  EXPECT_EQ(slope("asinh", 1e300), 1e-300);
  EXPECT_EQ(slope("asinh", -1e300), 1e-300);
  EXPECT_NEAR(slope("acosh", 1e300) * 1e300, 1, 1e-15);
}

TEST(FarFromZero, SmallArgumentsKeepTheirDigits) {
  for (const char* row : {"sinh", "asinh", "atanh", "tan", "asin", "atan", "expm1", "log1p", "softsign"})
    for (double x : {1e-20, -1e-20, 1e-300}) EXPECT_EQ(value(row, x), x) << row;
}

// Four numbers in the last place over all magnitudes, where the standard library has the same function.
TEST(FarFromZero, ValuesAreAccurateAtAllMagnitudes) {
  for (const char* name : {"sinh", "cosh", "asinh", "acosh", "atanh", "tan", "acos", "atan", "exp2", "log2", "log10", "erfc", "log_sigmoid"}) {
    const ElementwiseRow& row = *find_elementwise(name);
    std::vector<Point> points;
    for (double x = 1e-9; x < 1e12; x *= 1.37)
      for (double sign : {1.0, -1.0}) points.push_back({sign * x});
    EXPECT_TRUE(none(check_value(case_of(row, one), points, 4))) << name;
  }
}

TEST(FarFromZero, DistancesAndAnglesDoNotOverflow) {
  for (double scale : {1e-300, 1e-160, 1.0, 1e160, 1e300}) {
    const Point p{3 * scale, 4 * scale};
    EXPECT_NEAR(value_of(case_of(*find_elementwise("hypot"), two).formula, p) / scale, 5, 1e-14);
    EXPECT_NEAR(slope("hypot", p, 0), 0.6, 1e-15);
    EXPECT_NEAR(slope("hypot", p, 1), 0.8, 1e-15);
    EXPECT_NEAR(slope("atan2", p, 0) * scale, 0.16, 1e-15);
    EXPECT_NEAR(slope("atan2", p, 1) * scale, -0.12, 1e-15);
  }
  EXPECT_EQ(slope("atan2", Point{2.0, 0.0}, 1), -0.5);
  EXPECT_EQ(slope("atan2", Point{2.0, 0.0}, 0), 0);
  EXPECT_TRUE(std::isnan(slope("atan2", Point{0.0, 0.0}, 0)));
}

TEST(EndsOfDomains, DerivativesAreInfinite) {
  EXPECT_EQ(slope("asin", 1.0), inf);
  EXPECT_EQ(slope("asin", -1.0), inf);
  EXPECT_EQ(slope("acos", 1.0), -inf);
  EXPECT_EQ(slope("acosh", 1.0), inf);
  EXPECT_EQ(slope("atanh", 1.0), inf);
  EXPECT_EQ(slope("cbrt", 0.0), inf);
  EXPECT_EQ(slope("rsqrt", 0.0), -inf);
  EXPECT_EQ(slope("nan_to_num", inf), 0);
  EXPECT_EQ(slope("nan_to_num", std::numeric_limits<double>::quiet_NaN()), 0);
  EXPECT_EQ(slope("sign", 0.0), 0);
}

}  // namespace
}  // namespace cotan::testing
