// Claims that want what another node's claim makes: the gradient of a max pooling reads where the pooling found its maxima. The pooling is no operand of the
// gradient, and may stand behind it in the order of the results; it is computed first all the same, whatever else is fused.
#include <gmock/gmock.h>

#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

struct Program {
  const char* name;
  const char* text;
};
constexpr Program programs[] = {
    // A step along the gradient by the input comes before the loss.
    {"adversarial_step", R"(func f(x: f32[4,8,16,16], t: f32[4,8,17,17]) {
      %0: f32[4,8,16,16] = relu(x)
      %1: f32[4,8,17,17][i,j,k,l] = max %0[i,j,k+p-1,l+q-1]; p<2, q<2
      %2: i32[4,8,17,17,2][i,j,k,l] = argmax %0[i,j,k+p-1,l+q-1]; p<2, q<2
      %3: f32[4,8,16,16][i,j,k+%2[i,j,k,l,0]-1,l+%2[i,j,k,l,1]-1] = t[i,j,k,l]
      %4: f32[4,8,16,16] = { where(%0 <= 0, 0, %3) }
      %5: f32[4,8,16,16] = { x - %4 * 0.1 }
      %6: f32[][] = %1[i,j,k,l] * t[i,j,k,l]
      return %5, %6
    })"},
    {"pool_tanh_pool", R"(func f(x: f32[4,8,16,16], t: f32[4,8,18,18]) {
      %1: f32[4,8,17,17][i,j,k,l] = max x[i,j,k+p-1,l+q-1]; p<2, q<2
      %2: i32[4,8,17,17,2][i,j,k,l] = argmax x[i,j,k+p-1,l+q-1]; p<2, q<2
      %3: f32[4,8,17,17] = tanh(%1)
      %4: f32[4,8,18,18][i,j,k,l] = max %3[i,j,k+p-1,l+q-1]; p<2, q<2
      %5: i32[4,8,18,18,2][i,j,k,l] = argmax %3[i,j,k+p-1,l+q-1]; p<2, q<2
      %6: f32[4,8,17,17][i,j,k+%5[i,j,k,l,0]-1,l+%5[i,j,k,l,1]-1] = t[i,j,k,l]
      %7: f32[4,8,17,17] = { %6 * (1 - %3 * %3) }
      %8: f32[4,8,16,16][i,j,k+%2[i,j,k,l,0]-1,l+%2[i,j,k,l,1]-1] = %7[i,j,k,l]
      %9: f32[4,8,16,16] = { x - %8 * 0.1 }
      %10: f32[][] = %4[i,j,k,l] * t[i,j,k,l]
      return %9, %10
    })"},
    // The gradient alone: the pooling is computed for what it leaves behind.
    {"gradient_alone", R"(func f(x: f32[4,8,16,16], t: f32[4,8,17,17]) {
      %2: i32[4,8,17,17,2][i,j,k,l] = argmax x[i,j,k+p-1,l+q-1]; p<2, q<2
      %3: f32[4,8,16,16][i,j,k+%2[i,j,k,l,0]-1,l+%2[i,j,k,l,1]-1] = t[i,j,k,l]
      %4: f32[4,8,16,16] = { x - %3 * 0.1 }
      return %4
    })"},
};

class Partners : public ::testing::TestWithParam<Program> {};

TEST_P(Partners, ComeFirstWhereverTheyStand) {
  const Function f = parse_function(GetParam().text);
  expect_right(f, 1e-4);
  Function turned = f;
  std::ranges::reverse(turned.results);
  expect_right(turned, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Programs, Partners, ::testing::ValuesIn(programs), [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace cotan::testing
