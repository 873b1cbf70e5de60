// The gradient of C1's net has no more kernels than one written by hand, fused or not. By hand there are seven: softmax minus one-hot over the number of rows;
// the second layer's dW and db; dX; the mask of relu; the first layer's dW and db.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>

#include "autograd/differentiate.h"
#include "graph/composites/composites.h"
#include "graph/passes/explain.h"
#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

constexpr std::int64_t rows = 64;
constexpr std::size_t by_hand = 7;

// The loss of the net as result 0, then its gradients.
Function net(const std::function<Ref(const Ref& scores, const Ref& target)>& loss_of) {
  const Ref x = graph::parameter("x", f32, {rows, 784}), w1 = graph::parameter("w1", f32, {784, 128}), b1 = graph::parameter("b1", f32, {128}),
            w2 = graph::parameter("w2", f32, {128, 10}), b2 = graph::parameter("b2", f32, {10}), target = graph::parameter("t", i32, {rows});
  const Ref hidden = graph::relu(graph::add(graph::matmul(x, w1), b1));
  const Ref loss = loss_of(graph::add(graph::matmul(hidden, w2), b2), target);
  const Ref wrt[] = {w1, b1, w2, b2};
  Function f{"net", {x, w1, b1, w2, b2, target}, {loss}, {}};
  for (const Ref& g : gradients(loss, wrt, graph::fill(1, f32, {}))) f.results.push_back(g);
  return f;
}

// The mean over all rows, as one writes it by hand.
Ref mean_of_picked(const Ref& scores, const Ref& target) {
  SumSpec pick;
  pick.coefficient = -1.0 / rows;
  pick.domain = {rows};
  pick.factors = {{index_of(0), entry_of(0, {index_of(0)})}};
  const Ref factors[] = {graph::log_softmax(scores, {.dim = 1})}, tables[] = {graph::check(target, 10, "target")};
  return graph::sum(std::move(pick), {}, factors, tables);
}

Ref cross_entropy_of(const Ref& scores, const Ref& target) { return graph::cross_entropy(scores, target, {}, {}); }

// The kernels that the loss alone does not need, by name.
std::vector<std::string> kernels_of_gradient(const Function& f, const PassSwitches& passes) {
  CompileOptions options;
  options.passes = passes;
  const std::vector<Node*> recorded = topological(f.results);
  const Explained after = explain(f, recorded, options);
  const std::vector<Node*> order = topological(after.function.results), of_loss = topological(std::span(after.function.results).first(1));
  const std::unordered_set<const Node*> forward(of_loss.begin(), of_loss.end());
  std::vector<std::string> names;
  const auto program = compile_program(f, recorded, options);
  for (const KernelReport& k : program->report().kernels) {
    const bool of_forward = std::all_of(k.places.begin(), k.places.end(), [&](int p) { return forward.contains(order.at(static_cast<std::size_t>(p))); });
    if (k.places.empty() || !of_forward) names.push_back(k.name);
  }
  return names;
}

std::string listed(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, "\n")); }

TEST(GradientKernels, AreNoMoreThanByHand) {
  const Function f = net(mean_of_picked);
  const auto fused = kernels_of_gradient(f, {}), unfused = kernels_of_gradient(f, without_fusion());
  EXPECT_LE(fused.size(), by_hand) << listed(fused);
  EXPECT_LE(unfused.size(), by_hand) << listed(unfused);
  expect_right(f);
}

// Rows may be left out here: two small kernels more say what each row counts for.
TEST(GradientKernels, OfRowsThatMayBeIgnored) {
  const Function f = net(cross_entropy_of);
  const auto fused = kernels_of_gradient(f, {}), unfused = kernels_of_gradient(f, without_fusion());
  EXPECT_LE(fused.size(), by_hand) << listed(fused);
  EXPECT_LE(unfused.size(), by_hand + 2) << listed(unfused);
  expect_right(f);
}

// Without folding, the positions that the mask compares with are made anew in each run.
TEST(GradientKernels, AreMoreWithoutFoldedConstants) {
  const Function f = net(mean_of_picked);
  const auto folded = kernels_of_gradient(f, without_fusion()), unfolded = kernels_of_gradient(f, without_fusion().with("fold_constants", false));
  EXPECT_EQ(unfolded.size(), folded.size() + 1) << listed(unfolded);
  EXPECT_EQ(std::count(folded.begin(), folded.end(), "loops iota"), 0) << listed(folded);
  EXPECT_EQ(std::count(unfolded.begin(), unfolded.end(), "loops iota"), 1) << listed(unfolded);
}

}  // namespace
}  // namespace cotan::testing
