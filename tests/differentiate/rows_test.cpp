// Generated derivatives of every case of every row of sums, reductions and composites: first and second order, reverse and forward mode.
#include <gtest/gtest.h>

#include "tests/support/gradient_checks.h"
#include "tests/support/row_cases.h"

namespace cotan::testing {
namespace {

class RowDerivatives : public ::testing::TestWithParam<RowTestCase> {
 protected:
  // The case on fresh inputs; whole numbers with `whole`.
  std::vector<Ref> record(Inputs& inputs, bool whole = false) {
    const RowTestCase& c = GetParam();
    Random random(c.name(), 3);
    std::vector<Ref> operands;
    for (std::size_t k = 0; k < c.operands.size(); ++k) {
      operands.push_back(inputs.add_random(c.names[k], c.operands[k], random));
      if (whole && c.operands[k].kind == rows::CaseOperand::Kind::values)
        inputs.arrays().back().values = random_integers(random, c.operands[k].shape.elements());
    }
    return c.record(operands);
  }
};

TEST_P(RowDerivatives, FirstOrder) {
  Inputs inputs;
  Random random(GetParam().name(), 4);
  for (const Ref& result : record(inputs)) {
    if (is_floating(result.dtype())) {
      EXPECT_TRUE(none(check_gradients(inputs, result, random)));
    }
  }
}

// A gradient is a graph like any other: its own derivatives are checked the same way.
TEST_P(RowDerivatives, SecondOrder) {
  Inputs inputs;
  Random random(GetParam().name(), 5);
  for (const Ref& result : record(inputs)) {
    if (!is_floating(result.dtype())) continue;
    Inputs with_seed = inputs;
    const Ref seed = with_seed.add("g", result.dtype(), result.shape(), random_values(random, result.shape().elements()));
    for (const Ref& g : gradients(result, inputs.floating(), seed)) EXPECT_TRUE(none(check_gradients(with_seed, g, random)));
  }
}

// A linear operation on whole numbers: <A x, y> = <x, A' y> without any rounding, unless it divides.
TEST_P(RowDerivatives, AdjointOfASumIsExact) {
  Inputs inputs;
  Random random(GetParam().name(), 6);
  for (const Ref& result : record(inputs, true)) {
    if (result->kind != Kind::sum || !is_floating(result.dtype())) continue;
    bool linear = true, exact = true;
    for (const Node* n : topological(std::span(&result, 1))) {
      linear &= n->kind == Kind::sum || n->kind == Kind::leaf || !is_floating(n->dtype);
      exact &= n->kind != Kind::sum || n->as<SumSpec>().coefficient == std::round(n->as<SumSpec>().coefficient);
    }
    if (!linear) continue;
    EXPECT_TRUE(none(check_gradients(inputs, result, random, {.tolerance = exact ? 0 : 1e-15, .whole = true, .differences = false})));
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowDerivatives, ::testing::ValuesIn(row_test_cases()), case_name);

}  // namespace
}  // namespace cotan::testing
