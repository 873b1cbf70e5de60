// The sign of a zero: fused and unfused programs have the reference's, whatever was merged, scaled or placed.
#include <cmath>

#include "graph/text/text.h"
#include "tests/support/run_compiled.h"
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

using reference::Array;

// Zeros of one sign, of both, and with numbers that cancel each other.
enum class Draw : std::uint8_t { zeros, minus_zeros, both_zeros, cancelling };

double drawn(Draw draw, Random& random) {
  switch (draw) {
    case Draw::zeros: return 0;
    case Draw::minus_zeros: return -0.0;
    case Draw::both_zeros: return random.chance(0.5) ? 0 : -0.0;
    case Draw::cancelling: break;
  }
  const double values[] = {1, -1, 0, -0.0};
  return values[random.below(4)];
}

class ZeroSign : public ::testing::TestWithParam<const char*> {};

TEST_P(ZeroSign, IsTheReferences) {
  const Function f = parse_function(GetParam());
  Random random(1);
  for (Draw draw : {Draw::zeros, Draw::minus_zeros, Draw::both_zeros, Draw::cancelling}) {
    std::vector<Array> inputs;
    for (const Ref& p : f.parameters) {
      inputs.push_back(Array::zeros(p.dtype(), p.shape()));
      for (double& v : inputs.back().values) v = drawn(draw, random);
    }
    const std::vector<double> want = reference::evaluate(f, inputs)[0].values;
    for (const char* passes : {"", "-all", "-fuse_regions,-fuse_kernels,-fuse_sums", "-merge_sums", "-fold_views"}) {
      CompileOptions options;
      options.passes = PassSwitches(passes);
      const std::vector<double> got = run_compiled(f, inputs, options)[0].values;
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_TRUE(same_number(got[i], want[i], true)) << GetParam() << "\n" << passes << ", draw " << static_cast<int>(draw) << ", entry " << i << ": "
                                                        << got[i] << ", the reference has " << want[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Programs, ZeroSign,
    ::testing::Values(
        // views
        "func f(x: f32[4,9]) { %0: f32[9,4][i,j] = x[j,i] return %0 }", "func f(x: f32[4,9]) { %0: f32[6,9][i,j] = x[i-1,j] return %0 }",
        "func f(x: f32[4,9]) { %0: f32[6,9][i,j] = -1 * x[i-1,j] return %0 }",
        // sums, and scales on either side of the addition
        "func f(x: f32[4,64]) { %0: f32[4][i] = x[i,p] return %0 }", "func f(x: f32[4,64]) { %0: f32[64][i] = -1 * x[p,i] return %0 }",
        "func f(x: f32[4,64]) { %0: f32[4,64] = neg(x) %1: f32[4][i] = %0[i,p] return %1 }",
        "func f(x: f32[4,64]) { %0: f32[4,64] = { x * -0.25 } %1: f32[64][i] = %0[p,i] return %1 }",
        "func f(x: f32[4,64]) { %0: f32[4][i] = x[i,p] %1: f32[4] = { %0 * -2 } return %1 }",
        "func f(x: f32[4,64]) { %0: f32[4][i] = x[i,p] %1: f32[4] = neg(%0) %2: f32[][] = %1[p] return %2 }",
        "func f(x: f32[4,64]) { %0: f32[64][i] = -1 * x[p,i] %1: f32[][] = %0[p] return %1 }",
        "func f(x: f32[4,64]) { %0: f32[4,64] = { 0 - x } %1: f32[][] = 0.5 * %0[p,q] return %1 }",
        // products
        "func f(x: f32[4,16], w: f32[16,8]) { %0: f32[4,8][i,j] = x[i,p] * w[p,j] return %0 }",
        "func f(x: f32[4,16], w: f32[16,8]) { %0: f32[4,16] = neg(x) %1: f32[4,8][i,j] = %0[i,p] * w[p,j] return %1 }",
        // zeros that are added
        "func f(x: f32[4,9]) { %0: f32[4,9] = { x + 0 } return %0 }", "func f(x: f32[4,9]) { %0: f32[4,9] = { 0 - x } return %0 }",
        "func f(x: f32[4,9]) { %0: f32[] = { 0 } %1: f32[4,9][i,j] = %0[] %2: f32[4,9] = add(%1, x) return %2 }",
        "func f(x: f32[4,9]) { %0: f32[4,9] = { x - 0 } %1: f32[4,9] = { -0 } %2: f32[4,9] = add(%0, %1) return %2 }",
        // copies that are placed, beside what is absent there
        "func f(x: f32[4,8], y: f32[4,8]) { %0: f32[8,8][i,j] = x[i,j] %1: f32[8,8][i,j] = y[i-4,j] %2: f32[8,8] = add(%0, %1) return %2 }",
        "func f(x: f32[4,8], y: f32[4,8]) { %0: f32[9,8][i,j] = -1 * x[i,j] %1: f32[9,8][i+5,j] = y[i,j] %2: f32[9,8] = add(%0, %1) return %2 }",
        "func f(x: f32[4,8], y: f32[8,8], z: f32[6,8]) { %0: f32[8,8][i+1,j] = x[i,j] %1: f32[8,8] = add(%0, y) %2: f32[8,8][i,j] = z[i-2,j] "
        "%3: f32[8,8] = add(%1, %2) return %3 }",
        // masks
        "func f(x: f32[6,6], y: f32[6,6]) { %0: f32[6,6][i,j] = x[i,j]; 0<=i-j<6 %1: f32[6,6] = add(%0, y) return %1 }"));

}  // namespace
}  // namespace cotan::testing
