// Tests of the tests: each planted fault in an elementwise operation is noticed by the check that all rows go through.
#include <gtest/gtest.h>

#include "tests/support/elementwise_checks.h"

namespace cotan::testing {
namespace {

using namespace formula_language;

constexpr DType one[] = {DType::f64}, two[] = {DType::f64, DType::f64};

const ElementwiseRow& row(std::string_view name) { return *find_elementwise(name); }

std::vector<Point> points_of(const ElementwiseRow& r, std::span<const DType> types) {
  std::vector<Point> points = sample_points(r, types);
  for (const Point& p : special_points(r, types)) points.push_back(p);
  return points;
}

// The row with another value.
ElementwiseCase with_value(std::string_view name, std::span<const DType> types, const std::function<Ex(std::span<const Ex>)>& body) {
  ElementwiseCase c = case_of(row(name), types);
  c.formula = make_formula(types, body, DType::f64);
  return c;
}

// The row with another derivative by operand k, over (operands..., value).
ElementwiseCase with_derivative(std::string_view name, std::span<const DType> types, std::size_t k, const std::function<Ex(std::span<const Ex>)>& body) {
  ElementwiseCase c = case_of(row(name), types);
  std::vector<DType> in(types.begin(), types.end());
  in.push_back(DType::f64);
  c.derivatives[k] = make_formula(in, body, DType::f64);
  return c;
}

Failures derivative_failures(std::string_view name, std::span<const DType> types, std::size_t k, const std::function<Ex(std::span<const Ex>)>& body) {
  return check_derivatives(with_derivative(name, types, k, body), points_of(row(name), types));
}

TEST(PlantedDerivatives, SigmoidWithTheWrongSign) {
  const auto wrong = [](auto x) { return x[1] * (1 + x[1]); };
  EXPECT_TRUE(caught(derivative_failures("sigmoid", one, 0, wrong)));
  const ElementwiseCase c = with_derivative("sigmoid", one, 0, wrong);
  EXPECT_TRUE(caught(check_stated(c, c.derivatives[0], derived_derivative(c.formula, 0), 0, points_of(row("sigmoid"), one))));
}
TEST(PlantedDerivatives, LogWithASquare) {
  EXPECT_TRUE(caught(derivative_failures("log", one, 0, [](auto x) { return 1 / (x[0] * x[0]); })));
}
TEST(PlantedDerivatives, TanhWithoutTheSquare) {
  EXPECT_TRUE(caught(derivative_failures("tanh", one, 0, [](auto x) { return 1 - x[1]; })));
}
TEST(PlantedDerivatives, CosineWithoutTheSign) {
  EXPECT_TRUE(caught(derivative_failures("cos", one, 0, [](auto x) { return sin(x[0]); })));
}
TEST(PlantedDerivatives, SquareRootReadingTheOperandInsteadOfTheValue) {
  EXPECT_TRUE(caught(derivative_failures("sqrt", one, 0, [](auto x) { return 0.5 / x[0]; })));
}
TEST(PlantedDerivatives, DivisionByTheWrongOperand) {
  EXPECT_TRUE(caught(derivative_failures("div", two, 1, [](auto x) { return x[2] / x[1]; })));
}
TEST(PlantedDerivatives, SubtractionThatAdds) {
  EXPECT_TRUE(caught(derivative_failures("sub", two, 1, [](auto) { return Ex(1); })));
}
TEST(PlantedDerivatives, SquareWithoutItsTwo) {
  EXPECT_TRUE(caught(derivative_failures("square", one, 0, [](auto x) { return x[0]; })));
}
TEST(PlantedDerivatives, LeakyReluWithTheSlopeOnTheWrongSide) {
  EXPECT_TRUE(caught(derivative_failures("leaky_relu", one, 0, [](auto x) { return where(x[0] > 0, 0.01, 1); })));
}
TEST(PlantedDerivatives, OneThatIsMissing) {
  ElementwiseCase c = case_of(row("exp"), one);
  c.derivatives[0] = nullptr;
  EXPECT_TRUE(caught(check_derivatives(c, points_of(row("exp"), one))));
}
TEST(PlantedDerivatives, OneOfAComparison) {
  ElementwiseCase c = case_of(row("lt"), two);
  c.derivatives[0] = case_of(row("add"), two).derivatives[0];
  EXPECT_TRUE(caught(check_derivatives(c, points_of(row("lt"), two))));
}
// Absolute value written with abs-like branches that leave 0 to chance: a kink that the row does not state.
TEST(PlantedDerivatives, AKinkThatNobodyStated) {
  ElementwiseCase c = case_of(row("relu"), one);
  c.kinks.clear();
  EXPECT_TRUE(caught(check_derivatives(c, points_of(row("relu"), one))));
}

TEST(PlantedKinks, ReluWithDerivativeOneAtZero) {
  EXPECT_TRUE(caught(check_kinks(with_derivative("relu", one, 0, [](auto x) { return where(x[0] < 0, 0, 1); }))));
}
TEST(PlantedKinks, MaximumThatGivesATieToBoth) {
  EXPECT_TRUE(caught(check_kinks(with_derivative("maximum", two, 0, [](auto x) { return where(x[0] >= x[1], 1, 0); }))));
}
TEST(PlantedKinks, AStatedDerivativeBesideTheSlopes) {
  ElementwiseCase c = case_of(row("relu"), one);
  c.kinks[0].derivatives[0] = 2;
  c.derivatives[0] = make_formula(
      {DType::f64, DType::f64}, [](auto x) { return where(eq(x[0], 0), 2, where(x[0] < 0, 0, 1)); }, DType::f64);
  EXPECT_TRUE(caught(check_kinks(c)));
}

TEST(PlantedValues, AnOracleWithTheWrongSign) {
  ElementwiseCase c = case_of(row("sub"), two);
  c.oracle = [](std::span<const double> p) { return p[1] - p[0]; };
  EXPECT_TRUE(caught(check_value(c, points_of(row("sub"), two), 4)));
}
TEST(PlantedValues, ReluThatTurnsNanIntoZero) {
  EXPECT_TRUE(caught(check_value(with_value("relu", one, [](auto x) { return where(x[0] > 0, x[0], 0); }), edge_points(one), 4)));
}
TEST(PlantedValues, SigmoidThatOverflows) {
  EXPECT_TRUE(caught(check_value(with_value("sigmoid", one, [](auto x) { return exp(x[0]) / (1 + exp(x[0])); }), edge_points(one), 4)));
}
TEST(PlantedValues, MaximumThatLosesNan) {
  EXPECT_TRUE(
      caught(check_value(with_value("maximum", two, [](auto x) { return where(x[0] >= x[1], x[0], where(x[0] < x[1], x[1], x[0])); }), edge_points(two), 4)));
}
TEST(PlantedValues, NegationThatLosesTheSignOfZero) {
  EXPECT_TRUE(caught(check_value(with_value("neg", one, [](auto x) { return 0 - x[0]; }), edge_points(one), 4)));
}
TEST(PlantedValues, AnOffsetOfAFewUnitsInTheLastPlace) {
  EXPECT_TRUE(caught(check_value(with_value("exp", one, [](auto x) { return exp(x[0]) * (1 + 0x1p-49); }), points_of(row("exp"), one), 4)));
}

// The list of allowed differences excuses the row and the point it names, and nothing else.
TEST(AllowedDifferences, ExcuseOnlyWhatTheyName) {
  const ElementwiseCase c = with_value("relu", one, [](auto x) { return where(x[0] > 0, x[0], 0); });
  const AllowedDifference nan[] = {{"relu", [](std::span<const double> p) { return std::isnan(p[0]); }, "as planted"}};
  const AllowedDifference other[] = {{"exp", [](std::span<const double>) { return true; }, "another row"}};
  EXPECT_TRUE(none(check_value(c, edge_points(one), 4, nan)));
  EXPECT_TRUE(caught(check_value(c, edge_points(one), 4, other)));
}

TEST(UlpDistance, CountsNumbersBetween) {
  EXPECT_EQ(ulp_distance(1.0, std::nextafter(1.0, 2.0)), 1);
  EXPECT_EQ(ulp_distance(-5e-324, 5e-324), 2);
  EXPECT_EQ(ulp_distance(0.0, -0.0), 0);
  EXPECT_EQ(ulp_distance(1.0f, std::nextafter(1.0f, 0.0f)), 1);
  EXPECT_TRUE(std::isinf(ulp_distance(1.0, std::nan(""))));
  EXPECT_EQ(ulp_distance(std::nan(""), std::nan("")), 0);
}

}  // namespace
}  // namespace cotan::testing
