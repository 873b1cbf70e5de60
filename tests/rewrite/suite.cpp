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
      {"sums_of_sums",
       "func f(x: f32[4,6]) { %0: f32[4][i] = x[i,j] %1: f32[][] = 0.25 * %0[i] return %1 }",
       "func f(x: f32[4,6]) { %0: f32[][] = 0.25 * x[p,q] return %0 }",
       {"sum(sum(x))"}},
      {"a_sum_of_clipped_windows_stays",
       "func f(x: f32[6]) { %0: f32[4][i] = x[i+p] ; p<3 %1: f32[][] = %0[i] return %1 }",
       "func f(x: f32[6]) { %0: f32[][] = x[p+q] ; p<4, q<3 return %0 }",
       {"sum(sum(x))"}},
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
       "%2: f32[64][i] = %0[i,%1[i]] %3: f32[][] = -0.015625 * %2[p] %4: i32[10] = iota() {axis=0} %5: i32[64,10][i,j] = %4[j] %6: i32[64,10][i,j] = %1[i] "
       "%7: f32[64,10] = { where(%5 == %6, f32(-0.015625), f32(0)) - (exp(%0) * -0.015625) } return loss=%3, d_x=%7 }",
       {"gradient of log_softmax at a one-hot", "a one-hot inside its reader", "broadcast of a fill", "sum(-x)"}},
      {"the_gradient_of_cross_entropy_inlined",
       "func loss(x: f32[64,10], t: i32[64]) { %0: f32[64,1][i,j] = max x[i,p] %1: f32[64,1] = stop_gradient(%0) %2: f32[64,10][i,j] = %1[i,0] "
       "%3: f32[64,10] = sub(x, %2) %4: f32[64,10] = exp(%3) %5: f32[64,1][i,0] = %4[i,p] %12: i32[64] = check(t) {below=10, what=\"target\"} %13: f32[64] = { "
       "-0.25 } "
       "%14: f32[64,10][i,%12[i]] = %13[i] %6: f32[64,10] = neg(%14) %7: f32[64,1][i,0] = %6[i,p] %8: f32[64,1] = map(%5, %7) { %7 / %5 } "
       "%9: f32[64,10][i,j] = %8[i,0] %10: f32[64,10] = map(%4, %9) { %9 * %4 } %11: f32[64,10] = add(%14, %10) return %11 }",
       "func loss(x: f32[64,10], t: i32[64]) { %0: i32[10] = iota() {axis=0} %1: i32[64,10][i,j] = %0[j] %2: i32[64] = check(t) {below=10, what=\"target\"} "
       "%3: i32[64,10][i,j] = %2[i] %4: f32[64,1][i,j] = max x[i,p] %5: f32[64,10][i,j] = %4[i,0] %6: f32[64,10] = sub(x, %5) %7: f32[64,10] = exp(%6) "
       "%8: f32[64,1][i,0] = %7[i,p] %9: f32[64,1] = { 0.25 / %8 } %10: f32[64,10][i,j] = %9[i,0] %11: f32[64,10] = map(%7, %10) { %10 * %7 } "
       "%12: f32[64,10] = { where(%1 == %3, f32(-0.25), f32(0)) + %11 } return %12 }",
       {"sum of a one-hot", "a one-hot inside its reader", "sum(-x)"}},
  };
}

}  // namespace cotan::rewrite_test
