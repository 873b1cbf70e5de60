// Derivatives of every elementwise row as graphs: first and second order against differences, reverse against forward mode.
#include <gtest/gtest.h>

#include "tests/support/elementwise_points.h"
#include "tests/support/gradient_checks.h"

namespace cotan::testing {
namespace {

class ElementwiseDerivatives : public ::testing::TestWithParam<std::size_t> {
 protected:
  const ElementwiseRow& row() const { return elementwise_rows()[GetParam()]; }

  // The row over vectors of points away from kinks. Points 2e-4 to either side are inside the operands' ranges.
  Ref record(Inputs& inputs) const {
    const std::vector<DType> types = signature_of(row()).value();
    const std::vector<double> parameters = standard_parameters(row());
    std::vector<Point> points;
    for (const Point& p : sample_points(row(), types, 64))
      if (!near_kink(row().kinks(parameters), p, 1e-2)) points.push_back(p);
    std::vector<Ref> operands;
    for (std::size_t k = 0; k < types.size(); ++k) {
      std::vector<double> column;
      for (const Point& p : points) column.push_back(p[k]);
      operands.push_back(inputs.add(std::string(row().operands[k]), types[k], {static_cast<std::int64_t>(points.size())}, std::move(column)));
    }
    return graph::elementwise(static_cast<ElementwiseId>(GetParam()), operands, parameters);
  }
};

TEST_P(ElementwiseDerivatives, FirstOrder) {
  Inputs inputs;
  Random random(row().name, 10);
  const Ref y = record(inputs);
  if (!is_floating(y.dtype())) {
    const std::vector<Ref> wrt = inputs.floating();
    EXPECT_THROW(static_cast<void>(gradients(y, wrt)), Error) << "a " << name_of(y.dtype()) << " has no gradient";
    return;
  }
  EXPECT_TRUE(none(check_gradients(inputs, y, random)));
}

TEST_P(ElementwiseDerivatives, SecondOrder) {
  Inputs inputs;
  Random random(row().name, 11);
  const Ref y = record(inputs);
  if (!is_floating(y.dtype())) return;
  const Ref seed = inputs.add("g", y.dtype(), y.shape(), random_values(random, y.shape().elements()));
  std::vector<Ref> wrt = inputs.floating();
  wrt.pop_back();  // the seed
  for (const Ref& g : gradients(y, wrt, seed)) EXPECT_TRUE(none(check_gradients(inputs, g, random, {.difference_tolerance = 1e-5})));
}

// At kinks and ties the graph's gradient is what the row states.
TEST_P(ElementwiseDerivatives, KinksAreAsTheRowStates) {
  const std::vector<double> parameters = standard_parameters(row());
  for (const ElementwiseRow::Kink& kink : row().kinks(parameters)) {
    const std::vector<double> at = kink.tie ? std::vector<double>{0, 1, -1, 2.5} : std::vector<double>{kink.at};
    Inputs inputs;
    std::vector<Ref> operands;
    for (std::string_view name : row().operands) operands.push_back(inputs.add(std::string(name), f64, {static_cast<std::int64_t>(at.size())}, at));
    const auto g = gradients(graph::elementwise(static_cast<ElementwiseId>(GetParam()), operands, parameters), operands);
    for (std::size_t k = 0; k < kink.derivatives.size(); ++k)
      EXPECT_EQ(inputs.run(g[k]), std::vector<double>(at.size(), kink.derivatives[k])) << row().name << " by operand " << k;
  }
}

// Operands that broadcast get the sum of their gradients.
TEST_P(ElementwiseDerivatives, Broadcast) {
  const std::vector<DType> types = signature_of(row()).value();
  if (types.size() < 2) return;
  const std::vector<double> parameters = standard_parameters(row());
  const Shape shapes[] = {{3, 1}, {4}, {2, 1, 1}};
  Inputs inputs;
  Random random(row().name, 12);
  std::vector<Ref> operands;
  for (std::size_t k = 0; k < types.size(); ++k) {
    const Shape& shape = shapes[k % 3];
    std::vector<double> v = random_values(random, shape.elements(), row().samples[k].low, row().samples[k].high);
    for (double& x : v) x = types[k] == DType::boolean ? std::round(x) : x;
    operands.push_back(inputs.add(std::string(row().operands[k]), types[k], shape, std::move(v)));
  }
  const Ref y = graph::elementwise(static_cast<ElementwiseId>(GetParam()), operands, parameters);
  EXPECT_EQ(y.shape(), types.size() == 2 ? (Shape{3, 4}) : (Shape{2, 3, 4}));
  if (is_floating(y.dtype())) {
    EXPECT_TRUE(none(check_gradients(inputs, y, random)));
  }
}

// x^(y - 1) * (1 + y * log(x)), whichever derivative is taken first; the exponent 0 is no exception.
TEST(Power, TheMixedSecondDerivativeDoesNotDependOnTheOrder) {
  for (const DType dtype : {f32, f64}) {
    Inputs inputs;
    const std::vector<double> x{0.5, 2, 3, 1e-6, 0.5, 0.25, 0}, y{0, 0, 0, 0, 1, -2, 0};
    const Shape shape{static_cast<std::int64_t>(x.size())};
    const Ref a = inputs.add("x", dtype, shape, x), b = inputs.add("y", dtype, shape, y), power = graph::pow(a, b);
    const auto slope = [](const Ref& of, const Ref& by) { return gradients(of, std::span(&by, 1))[0]; };
    const std::vector<double> one = inputs.run(slope(slope(power, a), b)), other = inputs.run(slope(slope(power, b), a));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = x[i] == 0 ? 0 : std::pow(x[i], y[i] - 1) * (1 + y[i] * std::log(x[i]));
      EXPECT_TRUE(close(one[i], expected, 1e-5, 1e-3)) << "by x, then y, at " << i << ": " << one[i] << " for " << expected;
      EXPECT_TRUE(close(other[i], expected, 1e-5, 1e-3)) << "by y, then x, at " << i << ": " << other[i] << " for " << expected;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ElementwiseDerivatives, ::testing::Range(std::size_t{0}, elementwise_rows().size()),
                         [](const auto& info) { return std::string(elementwise_rows()[info.param].name); });

}  // namespace
}  // namespace cotan::testing
