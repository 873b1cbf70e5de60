// What the algebra does for compiled programs: no copies in front of products, checks that stay, chains of any length.
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

// The function with the gradients of its first result by all of its floating parameters.
Function with_all_gradients(const std::string& text) {
  Function f = parse_function(text);
  std::vector<Ref> wrt;
  for (const Ref& p : f.parameters)
    if (is_floating(p.dtype())) wrt.push_back(p);
  for (const Ref& g : gradients(f.results[0], wrt)) f.results.push_back(g);
  f.result_names.clear();
  return f;
}

ProgramReport report_of(const Function& f) { return compile_program(f, topological(f.results), {})->report(); }

// How many steps, or parts of steps, have a name that begins so.
int steps(const ProgramReport& report, std::string_view name) {
  const auto begins = [&](const std::string& n) { return n.starts_with(name); };
  std::ptrdiff_t found = 0;
  for (const KernelReport& k : report.kernels) found += (begins(k.name) ? 1 : 0) + std::ranges::count_if(k.parts, begins);
  return static_cast<int>(found);
}

// What was copied, or was not taken by oneDNN for its layout.
std::vector<std::string> copies(const ProgramReport& report) {
  std::vector<std::string> found;
  for (const MissReport& m : report.misses)
    if (m.what.find("copied") != std::string::npos || m.reason.code == ReasonCode::layout) found.push_back(fmt::format("{}: {}", m.what, m.reason.detail));
  return found;
}

// Largest differences from the reference in float64 beside each result's largest entry, which is what rounding in long chains of products is measured by.
double worst_difference(const Function& f) {
  const auto inputs = rounded(random_inputs(f, 3));
  const auto expected = reference::evaluate(f, inputs, {.exact = true}), got = run_compiled(f, inputs, 2);
  double worst = 0;
  for (std::size_t r = 0; r < got.size(); ++r) {
    double most = 1, apart = 0;
    for (std::size_t i = 0; i < got[r].values.size(); ++i) {
      most = std::max(most, std::abs(expected[r].values[i]));
      apart = std::max(apart, std::abs(got[r].values[i] - expected[r].values[i]));
    }
    worst = std::max(worst, apart / most);
  }
  return worst;
}

// Self-attention of four heads over 8 sentences of 32 words, as layers record it: projections, heads split and joined by reshapes and transposes.
const std::string attention = R"(func attention(x: f32[8,32,64], wq: f32[64,64], wk: f32[64,64], wv: f32[64,64], wo: f32[64,64], y: f32[8,32,64]) {
  %0: f32[8,32,64][b,s,o] = x[b,s,i] * wq[i,o]
  %1: f32[8,32,64][b,s,o] = x[b,s,i] * wk[i,o]
  %2: f32[8,32,64][b,s,o] = x[b,s,i] * wv[i,o]
  %3: f32[8,32,4,16][b,s,h,d] = %0[b,s,16*h+d]
  %4: f32[8,32,4,16][b,s,h,d] = %1[b,s,16*h+d]
  %5: f32[8,32,4,16][b,s,h,d] = %2[b,s,16*h+d]
  %6: f32[8,4,32,16][b,h,s,d] = %3[b,s,h,d]
  %7: f32[8,4,32,16][b,h,s,d] = %4[b,s,h,d]
  %8: f32[8,4,32,16][b,h,s,d] = %5[b,s,h,d]
  %9: f32[8,4,16,32][b,h,d,s] = %7[b,h,s,d]
  %10: f32[8,4,32,32][b,h,s,t] = %6[b,h,s,d] * %9[b,h,d,t]
  %11: f32[8,4,32,32] = { %10 * 0.25 }
  %12: f32[8,4,32,32] = call softmax(%11) {dim=3}
  %13: f32[8,4,32,16][b,h,s,d] = %12[b,h,s,t] * %8[b,h,t,d]
  %14: f32[8,32,4,16][b,s,h,d] = %13[b,h,s,d]
  %15: f32[8,32,64][b,s,16*h+d] = %14[b,s,h,d]
  %16: f32[8,32,64][b,s,o] = %15[b,s,i] * wo[i,o]
  %17: f32[8,32,64] = sub(%16, y)
  %18: f32[8,32,64] = square(%17)
  %19: f32[][] = %18[b,s,o]
  return %19
})";

const std::string perceptron = R"(func mlp(x: f32[64,784], w1: f32[784,128], b1: f32[128], w2: f32[128,10], b2: f32[10], t_below10: i32[64]) {
  %0: f32[64,128][n,m] = x[n,k] * w1[k,m]
  %1: f32[64,128][n,m] = b1[m]
  %2: f32[64,128] = add(%0, %1)
  %3: f32[64,128] = relu(%2)
  %4: f32[64,10][n,m] = %3[n,k] * w2[k,m]
  %5: f32[64,10][n,m] = b2[m]
  %6: f32[64,10] = add(%4, %5)
  %7: f32[64,10] = call log_softmax(%6) {dim=1}
  %8: i32[64] = check(t_below10) {below=10, what="target"}
  %9: f32[64][n] = %7[n,%8[n]]
  %10: f32[][] = -0.015625 * %9[n]
  return %10
})";

TEST(Copies, NoneInFrontOfAttentionsProducts) {
  const Function f = with_all_gradients(attention);
  const ProgramReport report = report_of(f);
  EXPECT_EQ(copies(report), std::vector<std::string>{});
  // 6 products forward, and twice as many backward.
  EXPECT_EQ(steps(report, "oneDNN matmul") + steps(report, "loops matmul"), 18);
  // No sum is left that only moves entries.
  EXPECT_EQ(steps(report, "loops sum assign"), 0);
  EXPECT_LT(worst_difference(f), 1e-5);
}

TEST(Copies, NoneInFrontOfAPerceptronsProducts) {
  const Function f = with_all_gradients(perceptron);
  const ProgramReport report = report_of(f);
  EXPECT_EQ(copies(report), std::vector<std::string>{});
  EXPECT_EQ(steps(report, "oneDNN matmul") + steps(report, "loops matmul"), 6);
  EXPECT_EQ(steps(report, "loops sum assign"), 0);
  EXPECT_LT(worst_difference(f), 1e-5);
}

TEST(Checks, StayWhereTheirReadersGo) {
  const Function f = parse_function(R"(func f(x: f32[3], t: i32[3]) {
  %0: i32[3] = check(t) {below=7, what="index"}
  %1: f32[3,7][i,%0[i]] = x[i]
  %2: f32[3][i] = %1[i,p]
  return %2
})");
  ASSERT_EQ(after_passes(f, "").results[0].node(), f.parameters[0].node());  // the table decides nothing
  const std::vector<reference::Array> right{{f32, {3}, {1, 2, 3}}, {DType::i32, {3}, {0, 6, 2}}};
  EXPECT_EQ(run_compiled(f, right)[0].values, right[0].values);
  const std::vector<reference::Array> wrong{{f32, {3}, {1, 2, 3}}, {DType::i32, {3}, {0, 7, 2}}};
  EXPECT_THROW(run_compiled(f, wrong), CheckFailed);
}

TEST(Chains, OfViewsFoldInLinearTime) {
  const Ref x = graph::parameter("x", f32, {6, 6});
  Ref y = x;
  for (int i = 0; i < 200000; ++i) y = i % 3 == 0 ? graph::flip(y, {.dims = {0}}) : graph::transpose(y, {.dim0 = 0, .dim1 = 1});
  const Function f{"chain", {x}, {y}, {}};
  const Function made = after_passes(f, "-all,+fold_views,+merge_sums,+masks,+regroup");
  EXPECT_LE(topological(made.results).size(), 2u) << to_text(made);
}

}  // namespace
}  // namespace cotan::testing
