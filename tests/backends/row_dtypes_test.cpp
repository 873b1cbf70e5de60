// Every case of every row on every element type, values and gradients: what is recorded is compiled and computed, and equals the reference; what a type does
// not take is refused while it is recorded, with the cast as remedy.
#include <gtest/gtest.h>

#include "graph/threads.h"
#include "ops/error.h"
#include "tests/support/program_checks.h"
#include "tests/support/row_cases.h"

namespace cotan::testing {
namespace {

constexpr DType all_dtypes[] = {f32, f64, bf16, i32, i64, u8, u32, boolean};

double tolerance_of(DType dtype) { return dtype == f64 ? 1e-11 : is_floating(dtype) ? 1e-4 : 0; }

// What is multiplied stays small enough for u8 not to differ by where it wraps.
std::vector<double> small_integers(DType dtype, Random& random, std::int64_t count) {
  return random_integers(random, count, dtype == i32 || dtype == i64 ? -2 : 0, dtype == boolean ? 1 : 2);
}

class RowDtypePrograms : public ::testing::TestWithParam<RowTestCase> {
 protected:
  // The case with values of that type; nothing where the row refuses it.
  std::vector<Ref> record(DType dtype, Inputs& inputs, Random& random) {
    const RowTestCase& c = GetParam();
    std::vector<Ref> operands;
    for (std::size_t k = 0; k < c.operands.size(); ++k) {
      operands.push_back(inputs.add_random(c.names[k], c.operands[k], random, dtype));
      if (!is_floating(dtype) && c.operands[k].kind == rows::CaseOperand::Kind::values)
        inputs.arrays().back().values = small_integers(dtype, random, c.operands[k].shape.elements());
    }
    try {
      return c.record(operands);
    } catch (const Error& e) {
      EXPECT_NE(e.remedy().find("ast"), std::string::npos) << "the remedy is a cast: " << e.what();
      return {};
    }
  }

  // Adds the gradients of the floating results; those that the type refuses say so.
  static void add_gradients(Function& f, const Inputs& inputs, DType dtype) {
    const std::vector<Ref> wrt = inputs.floating(), results = f.results;
    for (const Ref& r : results) {
      if (!is_floating(r.dtype())) continue;
      for (const Ref& w : wrt) {
        try {
          const Ref seed = graph::fill(0.5, r.dtype(), r.shape());
          if (const Ref g = vjp(std::span(&r, 1), std::span(&seed, 1), std::span(&w, 1))[0]) f.results.push_back(g);
        } catch (const Error& e) {
          EXPECT_EQ(dtype, bf16) << e.what();
          EXPECT_NE(e.remedy().find("cast"), std::string::npos) << e.what();
        }
      }
    }
  }
};

TEST_P(RowDtypePrograms, AreComputedOrRefused) {
  for (const DType dtype : all_dtypes) {
    Random random(GetParam().name(), 11);
    Inputs inputs;
    Function f;
    f.results = record(dtype, inputs, random);
    f.parameters = inputs.parameters();
    if (f.results.empty()) continue;
    add_gradients(f, inputs, dtype);
    const std::vector<reference::Array> in = rounded(inputs.arrays());
    const auto expected = reference::evaluate(f, in, {.exact = dtype == f32});
    CompileOptions options;
    for (const bool fused : {true, false}) {
      if (!fused) options.passes = without_fusion();
      const std::string what = fmt::format("{} of {}", fused ? "fused" : "unfused", name_of(dtype));
      EXPECT_TRUE(none(compare_results(what, run_compiled(f, in, options), expected, tolerance_of(dtype))));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowDtypePrograms, ::testing::ValuesIn(row_test_cases()), case_name);

}  // namespace
}  // namespace cotan::testing
