#include "tests/rewrite/suite.h"

namespace cotan::rewrite_test {

std::vector<Case> suite() {
  return {
      {"silu_across_maps",
       "func f(x: f32[8]) { %0: f32[8] = sigmoid(x) %1: f32[8] = mul(%0, x) return %1 }",
       "func f(x: f32[8]) { %0: f32[8] = silu(x) return %0 }",
       {"x * sigmoid(x)"}},
      {"silu_inside_a_formula",
       "func f(x: f32[8], y: f32[8]) { %0: f32[8] = add(x, y) %1: f32[8] = sigmoid(%0) %2: f32[8] = map(%0, %1, y) { y + %0 * %1 } return %2 }",
       "func f(x: f32[8], y: f32[8]) { %0: f32[8] = add(x, y) %1: f32[8] = map(%0, y) { t0 = f32(1); y + %0 / (t0 + exp(-%0)) } return %1 }",
       {"x * sigmoid(x)"}},
      {"a_sigmoid_that_others_read_stays",
       "func f(x: f32[8]) { %0: f32[8] = sigmoid(x) %1: f32[8] = mul(%0, x) return %0, %1 }",
       "func f(x: f32[8]) { %0: f32[8] = sigmoid(x) %1: f32[8] = mul(%0, x) return %0, %1 }",
       {}},
      {"numbers_at_run_time_stay_where_they_are",
       "func f(x: f32[8], lr: f32[]) { %0: f32[8][i] = lr[] %1: f32[8] = mul(x, %0) return %1 }",
       "func f(x: f32[8], lr: f32[]) { %0: f32[8][i] = lr[] %1: f32[8] = mul(x, %0) return %1 }",
       {}},
      {"a_sum_with_zero_stays_for_it_has_no_minus_zero",
       "func f(x: f32[8], y: f32[8]) { %0: f32[8] = { x + 0 } %1: f32[8] = { 0 - y } %2: f32[8] = atan2(%0, %1) return %2 }",
       "func f(x: f32[8], y: f32[8]) { %0: f32[8] = { x + 0 } %1: f32[8] = { 0 - y } %2: f32[8] = atan2(%0, %1) return %2 }",
       {}},
      {"zero_subtracted_vanishes",
       "func f(x: f32[8], y: f32[8]) { %0: f32[8] = { x - 0 } %1: f32[8] = { -0 } %2: f32[8] = sub(%1, y) %3: f32[8] = atan2(%0, %2) return %3 }",
       "func f(x: f32[8], y: f32[8]) { %0: f32[8] = { -y } %1: f32[8] = atan2(x, %0) return %1 }",
       {"x - 0"}},
      {"the_least_integer_is_its_own_negative",
       "func f(x: i32[8]) { %0: i32[8] = { -2147483648 } %1: i32[8] = sub(x, %0) return %1 }",
       "func f(x: i32[8]) { %0: i32[8] = { x + -2147483648 } return %0 }",
       {"constants"}},
      {"softmax_by_hand",
       "func f(x: f32[4,6]) { %0: f32[4,6] = exp(x) %1: f32[4,1][i,0] = %0[i,p] %2: f32[4,6][i,j] = %1[i,0] %3: f32[4,6] = div(%0, %2) "
       "%4: f32[4,6] = log(%3) return %4 }",
       "func f(x: f32[4,6]) { %0: f32[4,6] = call log_softmax(x) {dim=1} return %0 }",
       {"exp(x) / sum(exp(x))", "log(softmax(x))"}},
      {"a_total_of_other_rows_is_no_softmax",
       "func f(x: f32[4,4]) { %0: f32[4,4] = exp(x) %1: f32[4][i] = %0[i,p] %2: f32[4,4][i,j] = %1[j] %3: f32[4,4] = div(%0, %2) return %3 }",
       "func f(x: f32[4,4]) { %0: f32[4,4] = exp(x) %1: f32[4][i] = %0[i,p] %2: f32[4,4][i,j] = %1[j] %3: f32[4,4] = div(%0, %2) return %3 }",
       {}},
      {"a_seed_of_one_vanishes",
       "func f(x: f32[4,6]) { %0: f32[] = { 1 } %1: f32[4][i] = 0.25 * %0[] %2: f32[4,6][i,j] = %1[i] %3: f32[4,6] = map(x, %2) { %2 * (x + x) } return %3 }",
       "func f(x: f32[4,6]) { %0: f32[4,6] = { t0 = f32(0.25); t0 * (x + x) } return %0 }",
       {"broadcast of a fill", "constants"}},
      {"the_root_of_a_variance_is_taken_once_a_row",
       "func f(x: f32[4,6], v: f32[4]) { %0: f32[4,6][i,j] = v[i] %1: f32[4,6] = map(x, %0) { x / sqrt(%0 + 0.5) } return %1 }",
       "func f(x: f32[4,6], v: f32[4]) { %0: f32[4] = { sqrt(v + 0.5) } %1: f32[4,6][i,j] = %0[i] %2: f32[4,6] = map(x, %1) { x / %1 } return %2 }",
       {"f(broadcast(x))"}},
      {"fast_rules",
       "func f(x: f32[8], y: f32[8]) { %0: f32[8] = { x / 3 } %1: f32[8] = { %0 / 7 } %2: f32[8] = sub(y, y) %3: f32[8] = add(%1, %2) return %3 }",
       "func f(x: f32[8], y: f32[8]) { %0: f32[8] = { x * 0.047619052 } return %0 }",
       {"x / k", "x * k * l", "x - x"},
       true},
      {"the_gradient_of_cross_entropy",
       "body log_softmax.vjp.0(#0: f32[64,10], #1: f32[64,10], #2: f32[64,10]) { %0: f32[64,1][i,j] = max #0[i,p] %1: f32[64,1] = stop_gradient(%0) "
       "%2: f32[64,10][i,j] = %1[i,0] %3: f32[64,10] = sub(#0, %2) %4: f32[64,10] = exp(%3) %5: f32[64,1][i,0] = %4[i,p] %6: f32[64,10] = { -#2 } "
       "%7: f32[64,1][i,0] = %6[i,p] %8: f32[64,1] = map(%5, %7) { %7 / %5 } %9: f32[64,10][i,j] = %8[i,0] %10: f32[64,10] = map(%4, %9) { %9 * %4 } "
       "%11: f32[64,10] = add(#2, %10) return %11 } "
       "func loss(x: f32[64,10], t: i32[64]) { %0: f32[64,10] = call log_softmax(x) {dim=1} %1: i32[64] = check(t) {below=10, what=\"target\"} "
       "%2: f32[64][i] = %0[i,%1[i]] %3: f32[64] = neg(%2) %4: f32[][] = 0.015625 * %3[p] %5: f32[] = { 1 } %6: f32[64][i] = 0.015625 * %5[] "
       "%7: f32[64] = { -%6 } %8: f32[64,10][i,%1[i]] = %7[i] "
       "%9: f32[64,10] = call log_softmax.vjp(x, %0, %8) {dim=1, wrt=[0], cotangents=[0]} using log_softmax.vjp.0 return loss=%4, d_x=%9 }",
       "func loss(x: f32[64,10], t: i32[64]) { %0: f32[64,10] = call log_softmax(x) {dim=1} %1: i32[64] = check(t) {below=10, what=\"target\"} "
       "%2: f32[64][i] = %0[i,%1[i]] %3: f32[64] = neg(%2) %4: f32[][] = 0.015625 * %3[p] %5: f32[64] = { -0.015625 } %6: f32[64,10][i,%1[i]] = %5[i] "
       "%7: f32[64,10][i,j] = %5[i] %8: f32[64,10] = { %6 - (exp(%0) * %7) } return loss=%4, d_x=%8 }",
       {"gradient of log_softmax at a one-hot", "broadcast of a fill"}},
  };
}

}  // namespace cotan::rewrite_test
