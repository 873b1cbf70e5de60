// Claims of poolings and their gradients: alone, as a pair that shares the workspace, and what is left to loops.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/differentiate.h"
#include "graph/composites/composites.h"
#include "tests/onednn/claim_helpers.h"
#include "tests/onednn/plan_runner.h"

namespace cotan::onednn::testing {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();

// Windows over the dimensions of x behind the first two, alike in each.
struct Windows {
  Shape x;
  std::int64_t kernel = 2, stride = 2, padding = 0, dilation = 1;
  bool taken = true;  // every library has a kernel worth having; otherwise only values are compared
};
// 1 to 3 dimensions; odd sizes, padding, overlap, ends that no window meets, one channel, one image, a kernel of one entry wide strides.
const std::vector<Windows> all_windows{
    {{4, 32, 12, 12}},          {{2, 16, 13, 11}, 3, 2, 1},          {{3, 20, 9, 9}, 3, 1, 1},   {{4, 32, 80}, 3, 2, 1, 1, false},
    {{2, 16, 6, 6, 6}},         {{1, 1, 70, 70}, 3, 3, 0, 1, false}, {{1, 33, 15, 17}, 5, 4, 0}, {{32, 3, 11, 11}, 2, 3, 1},
    {{1, 16, 40, 40}, 17, 8, 1}};

struct Parts {
  Domain domain;
  Access windows, result;
  Shape shape;
};

Parts parts_of(const Windows& w) {
  Parts p;
  const std::size_t rank = w.x.rank();
  for (std::size_t d = 0; d < rank; ++d) {
    p.shape.push_back(d < 2 ? w.x[d] : (w.x[d] + 2 * w.padding - (w.kernel - 1) * w.dilation - 1) / w.stride + 1);
    p.domain.push_back(p.shape[d]);
    p.result.push_back(index_of(static_cast<int>(d)));
  }
  for (std::size_t d = 0; d < rank; ++d) {
    const IndexExpr at = index_of(static_cast<int>(d));
    p.windows.push_back(d < 2 ? at : w.stride * at + w.dilation * index_of(static_cast<int>(rank + d - 2)) - w.padding);
    if (d >= 2) p.domain.push_back(w.kernel);
  }
  return p;
}

Ref max_over(const Ref& x, const Windows& w) {
  const Parts p = parts_of(w);
  ReduceSpec spec;
  spec.domain = p.domain;
  spec.outputs = static_cast<int>(p.shape.rank());
  spec.access = p.windows;
  return graph::reduce(spec, x);
}

Ref sum_over(const Ref& x, const Windows& w, double coefficient) {
  const Parts p = parts_of(w);
  SumSpec spec;
  spec.coefficient = coefficient;
  spec.domain = p.domain;
  spec.output = p.result;
  spec.factors = {p.windows};
  const Ref factors[] = {x};
  return graph::sum(spec, p.shape, factors);
}

double average(const Windows& w) { return 1 / std::pow(static_cast<double>(w.kernel), static_cast<double>(w.x.rank() - 2)); }

Ref gradient(const Ref& y, const Ref& x) {
  const Ref outputs[] = {y}, seeds[] = {input("g", y.shape())}, wrt[] = {x};
  return vjp(outputs, seeds, wrt)[0];
}

// Few different values, so that windows have ties.
reference::Array values(const Shape& shape, std::uint32_t seed) {
  Tensor t(shape);
  t.fill(seed);
  for (std::int64_t i = 0; i < shape.elements(); ++i) t[i] = std::round(t[i] * 8) / 4;
  return reference::from_buffer(t.data(), dense(shape));
}

int count(const PlanRun& run, std::string_view part) {
  return static_cast<int>(std::count_if(run.kernels.begin(), run.kernels.end(), [&](const std::string& n) { return n.find(part) != std::string::npos; }));
}

PlanRun expect_function(const Function& f, const std::vector<reference::Array>& inputs, int threads) {
  CompileOptions options;
  options.threads = threads;
  PlanRun run = run_plan(f, inputs, options);
  const std::vector<reference::Array> want = reference::evaluate(f, inputs, {.exact = true});
  for (std::size_t r = 0; r < want.size(); ++r) expect_near(run.results[r], want[r], 2e-6);
  return run;
}

TEST(ClaimPooling, AMaximumAndItsGradientShareTheWorkspace) {
  for (const Windows& w : all_windows) {
    SCOPED_TRACE(w.x.text());
    const Ref x = input("x", w.x), y = max_over(x, w);
    for (int threads : {1, 2, 4}) {
      const PlanRun run = expect_function({"pool", {x, input("g", y.shape())}, {y, gradient(y, x)}, {}}, {values(w.x, 1), values(y.shape(), 2)}, threads);
      if (!w.taken || !library_has(y)) continue;
      EXPECT_EQ(run.kernels.size(), 2u);  // no argmax among them
      EXPECT_EQ(count(run, "oneDNN max pooling"), 2);
      EXPECT_EQ(count(run, "oneDNN max pooling backward"), 1);
    }
  }
}

TEST(ClaimPooling, TheGradientAloneComputesTheForwardForItsWorkspace) {
  const Windows w{{4, 32, 12, 12}};
  const Ref x = input("x", w.x), y = max_over(x, w);
  const PlanRun run = expect_function({"pool", {x, input("g", y.shape())}, {gradient(y, x)}, {}}, {values(w.x, 1), values(y.shape(), 2)}, 2);
  if (!library_has(y)) return;
  EXPECT_EQ(run.kernels.size(), 2u);
  EXPECT_EQ(count(run, "oneDNN max pooling"), 2);
}

TEST(ClaimPooling, TwoGradientsOfOneMaximumReadOneWorkspaceBesideTheArgmaxThatIsAsked) {
  const Windows w{{4, 32, 12, 12}, 3, 2, 1};
  const Ref x = input("x", w.x), y = max_over(x, w), g = input("g", y.shape()), h = input("h", y.shape());
  const Ref outputs[] = {y}, wrt[] = {x}, first[] = {g}, second[] = {h};
  const Ref dg = vjp(outputs, first, wrt)[0], dh = vjp(outputs, second, wrt)[0];
  const Function f{"pool", {x, g, h}, {dg, dh, dg->operand(1), y}, {}};
  const PlanRun run = expect_function(f, {values(w.x, 1), values(y.shape(), 2), values(y.shape(), 3)}, 2);
  if (!library_has(y)) return;
  EXPECT_EQ(count(run, "oneDNN max pooling backward"), 2);
  EXPECT_EQ(count(run, "oneDNN max pooling"), 3);
  EXPECT_EQ(count(run, "reference"), 1);
}

TEST(ClaimPooling, TheSecondDerivativeOfAMaximum) {
  const Windows w{{2, 16, 12, 12}};
  const Ref x = input("x", w.x), y = max_over(graph::mul(x, x), w), d = input("d", w.x);
  const Ref dx = gradient(y, x);
  const Ref ddx = gradients(graph::sum(graph::mul(dx, d)), std::vector{x})[0];
  expect_function({"pool", {x, input("g", y.shape()), d}, {dx, ddx}, {}}, {values(w.x, 1), values(y.shape(), 2), values(w.x, 3)}, 2);
}

TEST(ClaimPooling, AveragesAndTheirGradients) {
  for (const Windows& w : all_windows) {
    SCOPED_TRACE(w.x.text());
    const Ref x = input("x", w.x);
    for (double coefficient : {average(w), 1.0, -0.5}) {
      const Ref y = sum_over(x, w, coefficient);
      for (int threads : {1, 2, 4}) {
        const PlanRun run =
            expect_function({"pool", {x, input("g", y.shape())}, {y, gradient(y, x)}, {}}, {values(w.x, 1), values(y.shape(), 2)}, threads);
        if (!w.taken || !library_has(y)) continue;
        EXPECT_EQ(count(run, "oneDNN average pooling"), 2);
        EXPECT_EQ(count(run, "oneDNN average pooling backward"), 1);
      }
    }
  }
}

TEST(ClaimPooling, ViewsAreCopied) {
  const Windows w{{12, 32, 12, 12}};
  const Ref x = input("x", {12, 64, 12, 12});
  const Ref half = graph::transpose(graph::slice(graph::transpose(x, {.dim0 = 2, .dim1 = 3}), {.dim = 1, .step = 2}), {.dim0 = 0, .dim1 = 2});
  const Ref y = max_over(half, w), z = sum_over(half, w, 0.25);
  const Function f{"views", {x, input("g", y.shape())}, {y, z, gradient(y, x)}, {}};
  const PlanRun run = expect_function(f, {values(x.shape(), 1), values(y.shape(), 2)}, 2);
  EXPECT_EQ(count(run, "oneDNN max pooling"), library_has(max_over(input("x", w.x), w)) ? 2 : 0);
  EXPECT_EQ(count(run, "oneDNN average pooling"), library_has(sum_over(input("x", w.x), w, 0.25)) ? 1 : 0);
}

void expect_same_class(const reference::Array& got, const reference::Array& want) {
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    if (std::isfinite(want.values[i]))
      ASSERT_NEAR(got.values[i], want.values[i], 1e-5) << i;
    else
      ASSERT_TRUE(std::isnan(want.values[i]) ? std::isnan(got.values[i]) : got.values[i] == want.values[i]) << i << ": " << got.values[i];
  }
}

TEST(ClaimPooling, NonfiniteValues) {
  const Windows w{{1, 32, 12, 12}, 3, 2, 1};
  const Ref x = input("x", w.x), y = max_over(x, w), z = sum_over(x, w, average(w));
  reference::Array at = values(w.x, 1);
  at.values[20] = nan;
  at.values[200] = inf;
  at.values[333] = -inf;
  for (std::size_t i = 144 * 5; i < 144 * 6; ++i) at.values[i] = -inf;
  const Ref g = input("g", y.shape());
  reference::Array seeds = values(y.shape(), 2);
  seeds.values[7] = nan;
  const std::vector<reference::Array> inputs{at, seeds};
  for (const auto& [result, kernels] : {std::pair(z, "oneDNN average pooling"), std::pair(y, "oneDNN max pooling")}) {
    const Function f{"pool", {x, g}, {result, gradient(result, x)}, {}};
    const PlanRun run = run_plan(f, inputs, {});
    EXPECT_EQ(count(run, kernels), library_has(result) ? 2 : 0);
    const auto want = reference::evaluate(f, inputs, {.exact = true});
    for (std::size_t r = 0; r < want.size(); ++r) expect_same_class(run.results[r], want[r]);
  }
}

// In planes and with channels innermost, in one to three dimensions, with 8-bit and longer positions: windows with NaN, of NaN only, of -inf only.
TEST(ClaimPooling, MaximaOfNonfiniteWindows) {
  for (const Windows& w : all_windows) {
    SCOPED_TRACE(w.x.text());
    const Ref x = input("x", w.x), y = max_over(x, w);
    reference::Array at = values(w.x, 1);
    const std::size_t n = at.values.size();
    for (std::size_t i = 0; i < n; i += 37) at.values[i] = i % 2 == 0 ? nan : inf;
    for (std::size_t i = n / 2; i < n / 2 + n / 8; ++i) at.values[i] = -inf;
    for (std::size_t i = n / 4; i < n / 4 + n / 8; ++i) at.values[i] = nan;
    const Function f{"pool", {x, input("g", y.shape())}, {y, gradient(y, x)}, {}};
    const std::vector<reference::Array> inputs{at, values(y.shape(), 2)};
    const auto want = reference::evaluate(f, inputs, {.exact = true});
    for (int threads : {1, 3}) {
      CompileOptions options;
      options.threads = threads;
      const PlanRun run = run_plan(f, inputs, options);
      EXPECT_EQ(count(run, "oneDNN max pooling"), w.taken && library_has(y) ? 2 : 0);
      for (std::size_t r = 0; r < want.size(); ++r) expect_same_class(run.results[r], want[r]);
    }
  }
}

TEST(ClaimPooling, ReasonsAgainst) {
  const Windows w{{4, 32, 12, 12}};
  const Ref x = input("x", w.x);
  EXPECT_EQ(expect_no_claim(max_over(graph::parameter("x", f64, w.x), w)).code, ReasonCode::dtype);
  EXPECT_EQ(expect_no_claim(max_over(input("x", {1, 1, 4, 4}), {{1, 1, 4, 4}})).code, ReasonCode::not_profitable);
  EXPECT_EQ(expect_no_claim(max_over(x, {w.x, 3, 1, 0, 2})).code, ReasonCode::primitive_refused);  // dilated: a reference implementation only
  EXPECT_EQ(expect_no_claim(sum_over(x, {w.x, 3, 1, 0, 2}, 1)).code, ReasonCode::primitive_refused);
  EXPECT_EQ(expect_no_claim(graph::max(x)).code, ReasonCode::not_recognised);
  EXPECT_EQ(expect_no_claim(graph::min(x, {.dim = 1})).code, ReasonCode::not_recognised);
}

TEST(ClaimPooling, OnlyTheGradientOfThatMaximumIsRecognised) {
  const Windows w{{4, 32, 12, 12}, 3, 2, 1};
  const Ref x = input("x", w.x), y = max_over(x, w), dx = gradient(y, x);
  const auto found = as_max_gradient(*dx.node());
  ASSERT_TRUE(found);
  EXPECT_EQ(graph::reduce(found->max, found->x), y);
  // The same scatter a step further, or to positions in the other order, is not it.
  const auto altered = [&](const std::function<void(SumSpec&)>& alter) {
    SumSpec spec = dx->as<SumSpec>();
    alter(spec);
    const Ref factors[] = {dx->operand(0)}, tables[] = {dx->operand(1)};
    return as_max_gradient(*graph::sum(spec, dx.shape(), factors, tables).node());
  };
  EXPECT_TRUE(altered([](SumSpec&) {}));
  EXPECT_FALSE(altered([](SumSpec& s) { s.output[2] = s.output[2] + 1; }));
  EXPECT_FALSE(altered([](SumSpec& s) { s.output[3] = s.output[2]; }));
  EXPECT_FALSE(altered([](SumSpec& s) { s.output[3] = s.output[3] + index_of(3); }));
  EXPECT_FALSE(altered([](SumSpec& s) { std::swap(s.output[0], s.output[1]); }));
}

}  // namespace
}  // namespace cotan::onednn::testing
