// Every row of elementwise.def as a formula: value against the standard library, derivatives against differences and against each other, conventions.
#include <gtest/gtest.h>

#include "tests/support/elementwise_checks.h"

namespace cotan::testing {
namespace {

// True where an intermediate of lerp leaves the range of float32 and not that of the oracle's doubles: infinite, or a zero that has lost its sign.
bool lerp_leaves_float(std::span<const double> p) {
  constexpr double most = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::denorm_min();
  const double step = p[1] - p[0], moved = std::abs(step * (std::abs(p[2]) < 0.5 ? p[2] : 1 - p[2]));
  if (std::abs(p[0]) > most || std::abs(p[1]) > most || std::abs(p[2]) > most) return false;
  return std::abs(step) > most || moved > most || (moved > 0 && moved < least);
}

// Where a row's value may differ from its oracle's: {row, where, why}. One that is needed belongs here, not into a tolerance.
const std::vector<AllowedDifference> allowed = {{"lerp", lerp_leaves_float, "end - x, or its product with the weight, overflows or underflows, as in PyTorch"}};

class ElementwiseRows : public ::testing::TestWithParam<std::size_t> {
 protected:
  const ElementwiseRow& row() const { return elementwise_rows()[GetParam()]; }
  // The row on float64 (and bool where it wants that).
  std::vector<DType> types(DType floating = DType::f64) const {
    const auto found = signature_of(row(), floating);
    EXPECT_TRUE(found.has_value()) << row().name << " takes neither floating operands nor bools";
    return found.value_or(std::vector<DType>(row().operands.size(), floating));
  }
};

TEST_P(ElementwiseRows, HasARangeForEachOperandAndADescription) {
  EXPECT_EQ(row().samples.size(), row().operands.size());
  EXPECT_FALSE(row().description.empty());
  for (const ElementwiseRow::Range& r : row().samples) EXPECT_LT(r.low, r.high);
  EXPECT_EQ(find_elementwise(row().name), &row());
}

TEST_P(ElementwiseRows, ValueEqualsTheOracleInFloat64) {
  const std::vector<DType> t = types();
  const ElementwiseCase c = case_of(row(), t);
  EXPECT_TRUE(none(check_value(c, sample_points(row(), t), 4)));
  EXPECT_TRUE(none(check_value(c, special_points(row(), t), 4)));
  EXPECT_TRUE(none(check_value(c, edge_points(t), 4, allowed)));
}

TEST_P(ElementwiseRows, ValueEqualsTheOracleInFloat32) {
  const std::vector<DType> t = types(DType::f32);
  const ElementwiseCase c = case_of(row(), t);
  EXPECT_TRUE(none(check_value(c, sample_points(row(), t), 16)));
  EXPECT_TRUE(none(check_value(c, edge_points(t), 16, allowed)));
}

TEST_P(ElementwiseRows, DerivativesEqualDifferences) {
  const std::vector<DType> t = types();
  const ElementwiseCase c = case_of(row(), t);
  EXPECT_TRUE(none(check_derivatives(c, sample_points(row(), t))));
  EXPECT_TRUE(none(check_derivatives(c, special_points(row(), t))));
}

TEST_P(ElementwiseRows, KinksAreAsTheRowStates) { EXPECT_TRUE(none(check_kinks(case_of(row(), types())))); }

TEST_P(ElementwiseRows, StatedDerivativesEqualDerivedOnes) {
  const std::vector<DType> t = types();
  const ElementwiseCase c = case_of(row(), t);
  std::vector<Point> points = sample_points(row(), t, 512);
  for (const Point& p : special_points(row(), t)) points.push_back(p);
  for (std::size_t k = 0; k < c.formula->derivatives.size(); ++k) {
    const FormulaRef& stated = c.formula->derivatives[k];
    if (!stated) continue;
    EXPECT_TRUE(none(check_stated(c, stated, derived_derivative(c.formula, static_cast<int>(k)), k, points)));
  }
}

TEST_P(ElementwiseRows, NanIsNeverLost) {
  const std::vector<DType> t = types();
  const ElementwiseCase c = case_of(row(), t);
  if (!is_floating(c.formula->dtype())) return;  // a comparison with NaN is false
  for (std::size_t k = 0; k < t.size(); ++k) {
    if (!is_floating(t[k])) continue;
    for (Point p : sample_points(row(), t, 8)) {
      p[k] = std::numeric_limits<double>::quiet_NaN();
      EXPECT_TRUE(same_number(value_of(c.formula, p), c.oracle(p))) << list_text(p);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ElementwiseRows, ::testing::Range(std::size_t{0}, elementwise_rows().size()),
                         [](const auto& info) { return std::string(elementwise_rows()[info.param].name); });

}  // namespace
}  // namespace cotan::testing
