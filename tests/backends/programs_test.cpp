// Compiled programs against the reference: every case of every row with its gradients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/program_checks.h"
#include "tests/support/row_cases.h"

namespace cotan::testing {
namespace {

class RowPrograms : public ::testing::TestWithParam<RowTestCase> {};

TEST_P(RowPrograms, AgreeWithTheReference) {
  const RowTestCase& c = GetParam();
  for (const DType dtype : {f32, f64}) {
    Random random(c.name(), 1);
    Inputs inputs;
    std::vector<Ref> operands;
    for (std::size_t k = 0; k < c.operands.size(); ++k) operands.push_back(inputs.add_random(c.names[k], c.operands[k], random, dtype));
    const Function f = with_gradients(inputs, c.record(operands), random);
    for (const int threads : {1, 2, 4}) {
      set_threads(threads);
      EXPECT_TRUE(none(compare_with_reference(f, rounded(inputs.arrays()), dtype == f32 ? 1e-5 : 1e-12, threads))) << name_of(dtype);
    }
    set_threads(0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowPrograms, ::testing::ValuesIn(row_test_cases()), case_name);

// Compiled, not run: the kernel is made for the views.
TEST(Programs, MaximaOfMoreEntriesThanI32CountsHaveKernels) {
  const Ref x = graph::parameter("x", DType::u8, {(std::int64_t{1} << 31) + 16}), y = graph::parameter("y", f32, {65536, 65536});
  const Function f{"", {x, y}, {graph::max(x, {}), graph::min(y, {})}, {}};
  EXPECT_EQ(compile_program(f, topological(f.results), {})->report().kernels.size(), 2U);
}

TEST(Programs, AFaultIsSeen) {
  const Ref x = graph::parameter("x", f32, {3});
  Function right, wrong;
  right.parameters = wrong.parameters = {x};
  right.results = {graph::exp(x)};
  wrong.results = {graph::add(graph::exp(x), graph::fill(1e-3, f32, {3}))};
  const std::vector<reference::Array> in{{f32, {3}, {0, 1, 2}}};
  const auto expected = reference::evaluate(right, in, {.exact = true});
  EXPECT_TRUE(caught(differences("planted", run_compiled(wrong, in, 1)[0].values, expected[0].values, 1e-5)));
}

}  // namespace
}  // namespace cotan::testing
