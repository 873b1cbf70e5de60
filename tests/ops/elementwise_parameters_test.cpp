// Rows with parameters, at other values than those they have by default: value, derivatives and conventions depend on them.
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/elementwise_checks.h"

namespace cotan::testing {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

struct Parametrised {
  std::string_view row;
  std::vector<double> parameters;
};

void PrintTo(const Parametrised& p, std::ostream* os) { *os << p.row << list_text(p.parameters); }

ElementwiseCase case_with(const Parametrised& p, DType type) {
  const ElementwiseRow& row = *find_elementwise(p.row);
  const DType types[] = {type};
  return case_of(row, types, p.parameters);
}

class ElementwiseParameters : public ::testing::TestWithParam<Parametrised> {
 protected:
  std::vector<Point> points() const {
    const DType types[] = {DType::f64};
    const ElementwiseRow& row = *find_elementwise(GetParam().row);
    std::vector<Point> all = sample_points(row, types);
    for (const Point& p : special_points(row, types)) all.push_back(p);
    return all;
  }
};

TEST_P(ElementwiseParameters, ValueEqualsTheOracle) {
  for (DType type : {DType::f64, DType::f32}) {
    const DType types[] = {type};
    const ElementwiseCase c = case_with(GetParam(), type);
    EXPECT_TRUE(none(check_value(c, sample_points(*find_elementwise(GetParam().row), types), type == DType::f64 ? 4 : 16)));
    EXPECT_TRUE(none(check_value(c, edge_points(types), type == DType::f64 ? 4 : 16)));
  }
}

TEST_P(ElementwiseParameters, DerivativesEqualDifferences) { EXPECT_TRUE(none(check_derivatives(case_with(GetParam(), DType::f64), points()))); }

TEST_P(ElementwiseParameters, KinksAreAsTheRowStates) {
  ElementwiseCase c = case_with(GetParam(), DType::f64);
  std::erase_if(c.kinks, [](const ElementwiseRow::Kink& k) { return std::isinf(k.at); });
  EXPECT_TRUE(none(check_kinks(c)));
}

TEST_P(ElementwiseParameters, StatedDerivativesEqualDerivedOnes) {
  const ElementwiseCase c = case_with(GetParam(), DType::f64);
  const FormulaRef stated = c.formula->derivatives[0];
  if (stated) {
    EXPECT_TRUE(none(check_stated(c, stated, derived_derivative(c.formula, 0), 0, points())));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ElementwiseParameters,
                         ::testing::Values(Parametrised{"leaky_relu", {0.3}}, Parametrised{"elu", {0.25}}, Parametrised{"elu", {2.5}},
                                           Parametrised{"celu", {0.25}}, Parametrised{"celu", {2.5}}, Parametrised{"softplus", {2.0, 20.0}},
                                           Parametrised{"softplus", {0.5, 1000.0}}, Parametrised{"hardtanh", {-0.5, 2.0}}, Parametrised{"clip", {-0.5, inf}},
                                           Parametrised{"clip", {-inf, 0.5}}, Parametrised{"clip", {-inf, inf}}, Parametrised{"clip", {-0.5, 1.75}},
                                           Parametrised{"nan_to_num", {1.5, 2.5, -3.5}}),
                         [](const auto& info) { return fmt::format("{}_{}", info.param.row, info.index); });

TEST(ElementwiseParameterValues, ClipWithBoundsTheWrongWayRoundGivesTheUpperOne) {
  const ElementwiseCase c = case_with({"clip", {2.0, 1.0}}, DType::f64);
  for (double x : {0.0, 1.0, 1.5, 2.0, 3.0, inf, -inf}) EXPECT_EQ(value_of(c.formula, Point{x}), 1.0) << x;
}

TEST(ElementwiseParameterValues, ClipOfIntegersHasOneBoundOrTwo) {
  EXPECT_EQ(value_of(case_with({"clip", {2.0, inf}}, DType::i32).formula, Point{-7}), 2.0);
  EXPECT_EQ(value_of(case_with({"clip", {-2.0, 3.0}}, DType::i32).formula, Point{7}), 3.0);
}

TEST(ElementwiseParameterValues, NanToNumGivesNoMoreThanTheTypeHolds) {
  const Parametrised standard{"nan_to_num", standard_parameters(*find_elementwise("nan_to_num"))};
  EXPECT_EQ(value_of(case_with(standard, DType::f32).formula, Point{inf}), static_cast<double>(std::numeric_limits<float>::max()));
  EXPECT_EQ(value_of(case_with(standard, DType::f32).formula, Point{-inf}), static_cast<double>(std::numeric_limits<float>::lowest()));
  EXPECT_EQ(value_of(case_with(standard, DType::f64).formula, Point{inf}), std::numeric_limits<double>::max());
  EXPECT_EQ(value_of(case_with(standard, DType::i32).formula, Point{-7}), -7.0);
}

// Softplus needs no threshold to stay finite.
TEST(ElementwiseParameterValues, SoftplusDoesNotOverflow) {
  const ElementwiseCase c = case_with({"softplus", {1.0, 1e9}}, DType::f64);
  EXPECT_EQ(value_of(c.formula, Point{5000.0}), 5000.0);
  EXPECT_EQ(derivative_at(c.derivatives[0], c.formula, Point{5000.0}), 1.0);
  EXPECT_EQ(value_of(c.formula, Point{-5000.0}), 0.0);
}

}  // namespace
}  // namespace cotan::testing
