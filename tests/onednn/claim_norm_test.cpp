// Claims of layer norm, batch norm and their gradients against the generated bodies.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/differentiate.h"
#include "graph/composites/composites.h"
#include "tests/onednn/claim_helpers.h"
#include "tests/onednn/plan_runner.h"

namespace cotan::onednn::testing {
namespace {

struct Case {
  Shape x;
  bool layer = false, affine = true;
};
// One row, one feature block, odd sizes; one channel, one image, channels that are no multiple of sixteen, no space, three spatial dimensions.
const std::vector<Case> cases{{{3, 40}, true},   {{64, 33}, true},  {{2, 5, 48}, true, false}, {{1, 100}, true},
                              {{7}, true},       {{130, 64}, true}, {{2, 3, 16, 16}},          {{4, 1, 12, 12}},
                              {{1, 17, 24, 24}}, {{520, 33}},       {{6, 40, 10, 10}},         {{3, 16, 6, 6, 6}, false, false},
                              {{8, 100, 70}}};

reference::Array values(const Shape& shape, std::uint32_t seed, double offset = 0) {
  Tensor t(shape);
  t.fill(seed);
  for (std::int64_t i = 0; i < shape.elements(); ++i) t[i] = static_cast<float>(4 * t[i] + offset);
  return reference::from_buffer(t.data(), dense(shape));
}

// A norm with its gradients by x, weight and bias, the statistics among the results.
struct Graph {
  std::vector<Ref> parameters, results;
  std::vector<reference::Array> inputs;
  std::vector<Ref> gradients;

  explicit Graph(const Case& c, double eps = 1e-3) {
    const Shape vector{c.layer ? c.x.back() : c.x[1]};
    const Ref x = input("x", c.x);
    std::vector<Ref> wrt{x};
    Ref weight, bias;
    inputs = {values(c.x, 1, 3)};
    if (c.affine) {
      wrt.insert(wrt.end(), {weight = input("weight", vector), bias = input("bias", vector)});
      inputs.insert(inputs.end(), {values(vector, 2), values(vector, 3)});
    }
    parameters = wrt;
    const Ref y = c.layer ? graph::layer_norm(x, weight, bias, {.eps = eps}) : graph::batch_norm_training(x, weight, bias, {.eps = eps}).y;
    for (std::uint32_t r = 0; r < 3; ++r) results.emplace_back(y.node(), r);  // y, mean, variance
    parameters.push_back(input("g", c.x));
    inputs.push_back(values(c.x, 4));
    const Ref outputs[] = {results[0]}, seeds[] = {parameters.back()};
    gradients = vjp(outputs, seeds, wrt);
    results.insert(results.end(), gradients.begin(), gradients.end());
  }

  [[nodiscard]] Function function() const { return {"norm", parameters, results, {}}; }
};

int count(const PlanRun& run, std::string_view part) {
  return static_cast<int>(std::count_if(run.kernels.begin(), run.kernels.end(), [&](const std::string& n) { return n.find(part) != std::string::npos; }));
}

TEST(ClaimNorm, ForwardAndGradientAgainstTheirBodies) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.x.text());
    const Graph g(c);
    const Function f = g.function();
    const auto want = reference::evaluate(f, g.inputs, {.exact = true});
    for (int threads : {1, 2, 4}) {
      CompileOptions options;
      options.threads = threads;
      const PlanRun run = run_plan(f, g.inputs, options);
      const std::string name = c.layer ? "oneDNN layer norm" : "oneDNN batch norm";
      EXPECT_EQ(count(run, name), 2);
      EXPECT_EQ(count(run, name + " backward"), 1);
      EXPECT_LE(count(run, "reference"), 2);  // parts of the scale's and the shift's gradients, added up
      for (std::size_t r = 0; r < want.size(); ++r) expect_near(run.results[r], want[r], 2e-5);
    }
  }
}

// Means that are large beside the deviation, and whose rounding would be as large as what the entries differ by; every third row or channel is ordinary.
TEST(ClaimNorm, LargeMeansAreSubtractedExactly) {
  for (const double large : {1e4, 1e7, 1e15})
    for (const Case& c : {Case{{64, 33}, true}, Case{{2, 5, 48}, true, false}, Case{{6, 40, 10, 10}}, Case{{3, 16, 6, 6, 6}, false, false}}) {
      SCOPED_TRACE(fmt::format("{} at {}", c.x.text(), large));
      Graph g(c);
      const std::int64_t rows = c.layer ? c.x.back() : c.x.elements() / (c.x[0] * c.x[1]);
      for (std::size_t i = 0; i < g.inputs[0].values.size(); ++i) {
        const std::int64_t mean = static_cast<std::int64_t>(i) / rows % (c.layer ? c.x.elements() : c.x[1]);
        double& v = g.inputs[0].values[i];
        if (mean % 3 != 0) v = large < 1e15 ? large + std::round(v) : large;
      }
      const Function f = g.function();
      const auto want = reference::evaluate(f, g.inputs, {.exact = true});
      for (int threads : {1, 4}) {
        CompileOptions options;
        options.threads = threads;
        const PlanRun run = run_plan(f, g.inputs, options);
        EXPECT_EQ(count(run, c.layer ? "oneDNN layer norm" : "oneDNN batch norm"), 2);
        for (std::size_t r = 0; r < want.size(); ++r) expect_near(run.results[r], want[r], 2e-5);
      }
    }
}

TEST(ClaimNorm, ViewsAreCopied) {
  const Ref x = input("x", {40, 6}), w = input("w", {40}), b = input("b", {40}), images = input("images", {30, 6, 6, 18}), row = input("row", {18});
  const Ref channels = graph::transpose(graph::slice(images, {.dim = 1, .step = 2}), {.dim0 = 1, .dim1 = 3});
  const auto normal = graph::batch_norm_training(channels, row, graph::broadcast_to(graph::slice(row, {.dim = 0, .end = 1}), {.size = {18}}));
  const std::vector<Ref> results{graph::layer_norm(graph::transpose(x), w, b), normal.y, normal.variance};
  const Function f{"views", {x, w, b, images, row}, results, {}};
  const std::vector<reference::Array> inputs{values({40, 6}, 1), values({40}, 2), values({40}, 3), values(images.shape(), 4), values({18}, 5)};
  const auto want = reference::evaluate(f, inputs, {.exact = true});
  const PlanRun run = run_plan(f, inputs, {});
  EXPECT_EQ(count(run, "norm"), 2);
  for (std::size_t r = 0; r < want.size(); ++r) expect_near(run.results[r], want[r], 2e-5);
}

TEST(ClaimNorm, SecondOrder) {
  for (const Case& c : {Case{{6, 20}, true}, Case{{4, 20, 130}}}) {
    const Graph g(c);
    const Ref direction = input("d", c.x);
    const Ref along = graph::sum(graph::mul(g.gradients[0], direction));
    std::vector<Ref> parameters = g.parameters, results = gradients(along, std::vector{g.parameters[0], g.parameters[1]});
    parameters.push_back(direction);
    std::vector<reference::Array> inputs = g.inputs;
    inputs.push_back(values(c.x, 5));
    const Function f{"second", parameters, results, {}};
    const auto want = reference::evaluate(f, inputs, {.exact = true});
    const PlanRun run = run_plan(f, inputs, {});
    EXPECT_GE(count(run, "oneDNN"), 1);
    for (std::size_t r = 0; r < want.size(); ++r) expect_near(run.results[r], want[r], 5e-5);
  }
}

TEST(ClaimNorm, NonfiniteRowsAndChannels) {
  for (double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    for (const Case& c : {Case{{6, 40}, true}, Case{{3, 20, 200}}}) {
      Graph g(c);
      g.inputs[0].values[45] = bad;  // in row 1; in channel 0
      const Function f = g.function();
      const auto want = reference::evaluate(f, g.inputs, {.exact = true});
      CompileOptions options;
      options.threads = 2;
      const PlanRun run = run_plan(f, g.inputs, options);
      EXPECT_EQ(count(run, "norm"), 2);
      for (std::size_t r = 0; r < want.size(); ++r) {
        for (std::size_t i = 0; i < want[r].values.size(); ++i) {
          const double w = want[r].values[i], v = run.results[r].values[i];
          if (std::isfinite(w))
            ASSERT_NEAR(v, w, 1e-3) << "result " << r << " at " << i;
          else
            ASSERT_TRUE(std::isnan(w) ? std::isnan(v) : v == w) << "result " << r << " at " << i << ": " << v << " where " << w << " is due";
        }
      }
    }
  }
}

TEST(ClaimNorm, ReasonsAgainst) {
  const Ref x = input("x", {6, 20}), w = input("w", {20});
  EXPECT_EQ(expect_no_claim(graph::layer_norm(graph::parameter("x", f64, {6, 20}), {}, {})).code, ReasonCode::dtype);
  EXPECT_EQ(expect_no_claim(graph::layer_norm(x, w, {})).code, ReasonCode::not_recognised);
  EXPECT_EQ(expect_no_claim(graph::batch_norm_training(x, {}, w).y).code, ReasonCode::not_recognised);
  // Gradients by some operands only.
  const Ref y = graph::layer_norm(x, w, input("b", {20}));
  const Ref outputs[] = {y}, seeds[] = {input("g", {6, 20})}, wrt[] = {w};
  EXPECT_EQ(expect_no_claim(vjp(outputs, seeds, wrt)[0]).code, ReasonCode::not_recognised);
}

// What the comparison above would say of a primitive that was given the wrong thing.
TEST(ClaimNorm, WrongStatisticsAndWrongEpsilonAreNoticed) {
  for (const Case& c : {Case{{6, 40}, true}, Case{{3, 20, 200}}}) {
    const Graph g(c), other(c, 0.1);
    const auto want = reference::evaluate(g.function(), g.inputs, {.exact = true});
    const auto moved = run_plan(other.function(), g.inputs, {}).results;
    const auto farthest = [](const reference::Array& a, const reference::Array& b) {
      double most = 0;
      for (std::size_t i = 0; i < a.values.size(); ++i) most = std::max(most, std::abs(a.values[i] - b.values[i]));
      return most;
    };
    EXPECT_GT(farthest(moved[0], want[0]), 1e-3);

    const Ref call(g.gradients[0].node(), 0);
    const Match match = onednn_backend().match(call, {});
    const auto& claim = std::get<Claim>(match);
    std::vector<View> in, out;
    std::vector<const reference::Array*> given{&g.inputs[0], &g.inputs.back(), &want[1], &want[2], &g.inputs[1]};
    for (const reference::Array* a : given) in.push_back(dense(a->shape));
    for (const Ref& r : claim.results) out.push_back(dense(r.shape()));
    const cotan::Made made = claim.compile(in, out, 1);
    ASSERT_TRUE(made.kernel) << made.reason.detail;
    const auto run = [&] {
      std::vector<std::unique_ptr<Tensor>> tensors;
      std::vector<void*> buffers;
      for (std::size_t i = 0; i < in.size(); ++i) {
        tensors.push_back(std::make_unique<Tensor>(in[i].shape));
        reference::to_buffer(*given[i], tensors.back()->data(), in[i]);
      }
      for (const View& v : out) tensors.push_back(std::make_unique<Tensor>(v.shape));
      for (const auto& t : tensors) buffers.push_back(t->data());
      run_chunks(*made.kernel, buffers, 1);
      return reference::from_buffer(buffers[in.size()], out[0]);
    };
    EXPECT_LT(farthest(run(), want[3]), 1e-4);
    std::swap(given[2], given[3]);
    EXPECT_GT(farthest(run(), want[3]), 1e-2);
  }
}

}  // namespace
}  // namespace cotan::onednn::testing
