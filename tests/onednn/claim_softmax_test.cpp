// Claims of softmax and of its gradient, alone and in whole graphs up to second order.
#include <algorithm>

#include "autograd/differentiate.h"
#include "graph/composites/composites.h"
#include "tests/onednn/claim_helpers.h"
#include "tests/onednn/plan_runner.h"

namespace cotan::onednn::testing {
namespace {

Ref gradient(const Ref& y, const Ref& x, const std::string& name) {
  const Ref outputs[] = {y}, seeds[] = {input(name, y.shape())}, wrt[] = {x};
  return vjp(outputs, seeds, wrt)[0];
}

reference::Array values(const Shape& shape, std::uint32_t seed) {
  Tensor t(shape);
  t.fill(seed);
  for (std::int64_t i = 0; i < shape.elements(); ++i) t[i] *= 4;
  return reference::from_buffer(t.data(), dense(shape));
}

// Whether oneDNN takes softmax of this shape at all: the library decides.
bool claimed(const Ref& call) { return std::holds_alternative<Claim>(onednn_backend().match(call, {})); }

struct Case {
  Shape shape;
  std::int64_t dim;
};
const std::vector<Case> cases{{{3, 4}, -1}, {{3, 4}, 0}, {{2, 3, 4}, 1}, {{5}, -1}, {{64, 10}, 1}, {{4, 8, 33}, -1}, {{300, 129}, 1}, {{16, 50, 40}, 1}};

TEST(ClaimSoftmax, RowsAreClaimed) {
  EXPECT_TRUE(claimed(graph::softmax(input("x", {64, 10}))));
  EXPECT_TRUE(claimed(graph::softmax(input("x", {4, 8, 33}))));
  EXPECT_TRUE(claimed(graph::softmax(input("x", {5}))));
}

TEST(ClaimSoftmax, ForwardAgainstItsBody) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.shape.text());
    const Ref y = graph::softmax(input("x", c.shape), {.dim = c.dim});
    const Match match = onednn_backend().match(y, {});
    const auto* claim = std::get_if<Claim>(&match);
    if (claim == nullptr) {
      EXPECT_EQ(std::get<Reason>(match).code, ReasonCode::primitive_refused);
      continue;
    }
    for (int threads : {1, 2, 4}) {
      const std::vector<View> in{dense(c.shape)}, out{dense(c.shape)};
      const cotan::Made made = claim->compile(in, out, threads);
      ASSERT_NE(made.kernel, nullptr) << made.reason.detail;
      EXPECT_NE(made.kernel->name().find("oneDNN softmax"), std::string::npos);
      expect_computes(*made.kernel, y, {0}, in, threads, {values(c.shape, 3)});
    }
  }
}

TEST(ClaimSoftmax, GradientAgainstItsGeneratedBody) {
  int claims = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.shape.text());
    const Ref x = input("x", c.shape), y = graph::softmax(x, {.dim = c.dim});
    const Ref dx = gradient(y, x, "g");
    ASSERT_EQ(dx->kind, Kind::call);
    const Match match = onednn_backend().match(dx, {});
    const auto* claim = std::get_if<Claim>(&match);
    if (claim == nullptr) {
      EXPECT_EQ(std::get<Reason>(match).code, ReasonCode::primitive_refused);
      continue;
    }
    ++claims;
    ASSERT_EQ(claim->inputs.size(), 2u);
    EXPECT_EQ(claim->inputs[0], y);
    const reference::Array at = values(c.shape, 5);
    const std::vector<reference::Array> operands{at, expected(y, std::vector{at}), values(c.shape, 6)};
    for (int threads : {1, 2, 4}) {
      const std::vector<View> in{dense(c.shape), dense(c.shape)}, out{dense(c.shape)};
      const cotan::Made made = claim->compile(in, out, threads);
      ASSERT_NE(made.kernel, nullptr) << made.reason.detail;
      // The kernel reads operands 1 and 2; the reference computes the body on all three.
      std::vector<reference::Array> rounded = operands;
      for (reference::Array& a : rounded)
        for (double& v : a.values) v = static_cast<float>(v);
      expect_computes(*made.kernel, dx, {1, 2}, in, threads, rounded);
    }
  }
  const Ref x = input("x", {64, 10});
  EXPECT_GE(claims, library_has(gradient(graph::softmax(x), x, "g")) ? 4 : 0);
}

TEST(ClaimSoftmax, ViewsAreCopied) {
  const Ref y = graph::softmax(input("x", {12, 10}));
  const Match match = onednn_backend().match(y, {});
  ASSERT_TRUE(std::holds_alternative<Claim>(match));
  const Shape s{12, 10};
  for (const View& view : {permuted(s, {1, 0}), View{f32, s, {0, 1}, 0}, View{f32, s, {20, 2}, 0}}) {
    const std::vector<View> in{view}, out{dense(s)};
    const cotan::Made made = std::get<Claim>(match).compile(in, out, 2);
    EXPECT_EQ(made.kernel, nullptr);
    EXPECT_EQ(made.copy_operand, 0);
    EXPECT_EQ(made.reason.code, ReasonCode::layout);
  }
}

TEST(ClaimSoftmax, ReasonsAgainst) {
  const Ref x = input("x", {12, 10});
  EXPECT_EQ(expect_no_claim(graph::log_softmax(x)).code, ReasonCode::not_recognised);
  EXPECT_EQ(expect_no_claim(graph::softmax(graph::parameter("x", f64, {12, 10}))).code, ReasonCode::dtype);
  // The gradient of the gradient is a call of another name.
  const Ref dx = gradient(graph::softmax(x), x, "g");
  const Ref ddx = gradient(dx, input("g", {12, 10}), "h");
  EXPECT_TRUE(ddx->kind != Kind::call || !claimed(ddx));
}

int count_onednn(const PlanRun& run) {
  return static_cast<int>(std::count_if(run.kernels.begin(), run.kernels.end(), [](const std::string& n) { return n.starts_with("oneDNN"); }));
}

TEST(ClaimSoftmax, WholeGraphsUpToSecondOrder) {
  // Attention weights from a product; the loss is linear in them; first and second derivatives by x and w.
  const Ref x = input("x", {20, 16}), w = input("w", {16, 24}), c = input("c", {20, 24}), d = input("d", {20, 16});
  const Ref y = graph::softmax(graph::matmul(x, w));
  const Ref loss = graph::sum(graph::mul(y, c));
  const Ref dx = gradients(loss, std::vector{x})[0];
  const Ref directional = graph::sum(graph::mul(dx, d));
  const std::vector<Ref> second = gradients(directional, std::vector{x, w});
  const Function f{"second", {x, w, c, d}, {loss, dx, second[0], second[1]}, {}};
  const std::vector<reference::Array> inputs{values({20, 16}, 1), values({16, 24}, 2), values({20, 24}, 3), values({20, 16}, 4)};
  const std::vector<reference::Array> want = reference::evaluate(f, inputs, {.exact = true});
  const Ref rows = input("rows", {20, 24});
  const bool backward = library_has(gradient(graph::softmax(rows), rows, "g"));
  for (int threads : {1, 2, 4}) {
    CompileOptions options;
    options.threads = threads;
    const PlanRun run = run_plan(f, inputs, options);
    EXPECT_GE(count_onednn(run), 4);
    for (const char* part : {"oneDNN matmul", "oneDNN softmax 20x24", "oneDNN softmax backward 20x24"})
      EXPECT_TRUE((std::string_view(part).find("backward") != std::string_view::npos && !backward) ||
                  std::any_of(run.kernels.begin(), run.kernels.end(), [&](const std::string& n) { return n.starts_with(part); })) << part;
    for (std::size_t r = 0; r < want.size(); ++r) expect_near(run.results[r], want[r], 3e-5);
  }
}

TEST(ClaimsInPlans, TransposedSlicedAndRepeatedOperands) {
  const Ref x = input("x", {40, 48}), w = input("w", {36, 48}), row = input("row", {48}), images = input("images", {3, 8, 10, 10}),
            k = input("k", {8, 12, 3, 3});
  const std::vector<Ref> results{
      graph::matmul(graph::slice(x, {.dim = 0, .start = 2, .end = 38, .step = 2}), graph::transpose(w)),
      graph::matmul(graph::broadcast_to(row, {.size = {20, 48}}), graph::transpose(w)),
      graph::matmul(graph::slice(x, {.dim = 1, .start = 1, .step = 2}), graph::slice(graph::transpose(x), {.dim = 0, .end = 24})),
      graph::convolution2d(images, graph::transpose(k, {.dim0 = 0, .dim1 = 1}), {.padding = 1}),
      graph::softmax(graph::transpose(x)),
  };
  const Function f{"views", {x, w, row, images, k}, results, {}};
  const std::vector<reference::Array> inputs{values({40, 48}, 1), values({36, 48}, 2), values({48}, 3), values({3, 8, 10, 10}, 4), values({8, 12, 3, 3}, 5)};
  const std::vector<reference::Array> want = reference::evaluate(f, inputs, {.exact = true});
  for (int threads : {1, 2, 4}) {
    CompileOptions options;
    options.threads = threads;
    const PlanRun run = run_plan(f, inputs, options);
    EXPECT_EQ(count_onednn(run), 5);
    for (std::size_t r = 0; r < want.size(); ++r) expect_near(run.results[r], want[r], 1e-5);
  }
}

}  // namespace
}  // namespace cotan::onednn::testing
