// Conventions of reductions where differences cannot check a derivative: ties, zeros, infinities, NaN. The numbers are PyTorch's (2.15), unless said otherwise.
#include <gtest/gtest.h>

#include <limits>

#include "graph/composites/composites.h"
#include "tests/support/gradient_checks.h"

namespace cotan::testing {
namespace {

using namespace graph;

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

struct Rows {
  Inputs inputs;
  Ref x;

  explicit Rows(std::vector<double> values, std::int64_t columns = 3) {
    const auto rows = static_cast<std::int64_t>(values.size()) / columns;
    x = inputs.add("x", f64, {rows, columns}, std::move(values));
  }
  void expect(const Ref& y, const std::vector<double>& values, const std::vector<double>& gradient) const {
    EXPECT_TRUE(none(differences("value", inputs.run(y), values, 1e-14)));
    const Ref wrt[] = {x};
    EXPECT_TRUE(none(differences("gradient", inputs.run(gradients(y, wrt)[0]), gradient, 1e-14)));
  }
};

TEST(Reductions, AmaxAndAminShareTheGradientAmongEquals) {
  const Rows r({2, 2, 1, 3, 3, 3});
  r.expect(amax(r.x, {.dim = 1}), {2, 3}, {0.5, 0.5, 0, 1. / 3, 1. / 3, 1. / 3});
  r.expect(amin(r.x, {.dim = 1}), {1, 3}, {0, 0, 1, 1. / 3, 1. / 3, 1. / 3});
  r.expect(amax(r.x), {3}, {0, 0, 0, 1. / 3, 1. / 3, 1. / 3});
  r.expect(graph::max(r.x, {.dim = 1}), {2, 3}, {1, 0, 0, 1, 0, 0});
}

// PyTorch's gradient is NaN in the whole row; here, as with max, the NaNs are what was chosen.
TEST(Reductions, NansOfAnAmaxShareItsGradient) {
  const Rows r({nan, 2, nan, 1, 2, 0});
  r.expect(amax(r.x, {.dim = 1}), {nan, 2}, {0.5, 0, 0.5, 0, 1, 0});
}

TEST(Reductions, TiedWindowsAgreeInBothModesAndIgnorePadding) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {4}, {0, 0, -1, 0});
  const ReduceSpec window{Reduction::amax, {4, 3}, 1, {index_of(0) + index_of(1) - IndexExpr(1)}};  // padding by one
  const ReduceSpec outside{Reduction::amin, {2, 2}, 1, {index_of(0) + index_of(1) + IndexExpr(3)}};
  Random random(1);
  const Ref y = reduce(window, x), z = reduce(outside, x);
  EXPECT_EQ(inputs.run(y), (std::vector<double>{0, 0, 0, 0}));
  EXPECT_EQ(inputs.run(z), (std::vector<double>{0, inf}));
  const Ref wrt[] = {x};
  EXPECT_EQ(inputs.run(gradients(y, wrt)[0]), (std::vector<double>{1, 1.5, 0, 1.5}));
  EXPECT_EQ(inputs.run(gradients(z, wrt)[0]), (std::vector<double>{0, 0, 0, 1}));
  for (const Ref& result : {y, z}) EXPECT_TRUE(none(check_gradients(inputs, result, random, {.differences = false})));
  for (const Ref& g : gradients(graph::square(y), wrt)) EXPECT_TRUE(none(check_gradients(inputs, g, random, {.differences = false})));
}

TEST(Reductions, ProductsOfZerosHaveFiniteGradientsOfAllOrders) {
  const Rows r({0, 0, 3, 2, 0, 3, 2, 4, 5});
  r.expect(prod(r.x, {.dim = 1}), {0, 0, 40}, {0, 0, 0, 0, 6, 0, 20, 10, 8});
  r.expect(cumprod(r.x, {.dim = 1}), {0, 0, 0, 2, 0, 0, 2, 8, 40}, {1, 0, 0, 1, 8, 0, 25, 12, 8});
  const Ref wrt[] = {r.x};
  Random random(2);
  for (const Ref& g : gradients(prod(r.x, {.dim = 1}), wrt)) EXPECT_TRUE(none(check_gradients(r.inputs, g, random)));
}

TEST(Reductions, LogsumexpOfInfinities) {
  const Rows r({-inf, -inf, -inf, 1, inf, 1}, 2);
  r.expect(logsumexp(r.x, {.dim = 1}), {-inf, 1, inf}, {nan, nan, 0, 1, nan, 0});
}

TEST(Reductions, OfNoEntries) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {2, 0}, {});
  EXPECT_EQ(inputs.run(logsumexp(x, {.dim = 1})), (std::vector<double>{-inf, -inf}));
  EXPECT_EQ(inputs.run(prod(x, {.dim = 1})), (std::vector<double>{1, 1}));
  EXPECT_EQ(inputs.run(norm(x, {.dim = 1})), (std::vector<double>{0, 0}));
}

TEST(Reductions, StdOfEqualEntriesHasNoGradient) {
  const Rows r({2, 2, 2, 1, 2, 4});
  r.expect(graph::std(r.x, {.dim = 1}), {0, 1.5275252316519465}, {0, 0, 0, -0.43643578047198484, -0.10910894511799625, 0.5455447255899809});
}

TEST(Reductions, NormsOfZeros) {
  const Rows r({0, 0, 0, 3, 0, -3});
  const std::vector<double> none_at_all(6, 0.0);
  r.expect(norm(r.x, {.dim = 1}), {0, 4.242640687119285}, {0, 0, 0, 0.7071067811865476, 0, -0.7071067811865476});
  r.expect(norm(r.x, {.p = 1, .dim = 1}), {0, 6}, {0, 0, 0, 1, 0, -1});
  r.expect(norm(r.x, {.p = inf, .dim = 1}), {0, 3}, {0, 0, 0, 0.5, 0, -0.5});
  r.expect(norm(r.x, {.p = -inf, .dim = 1}), {0, 0}, none_at_all);
  r.expect(norm(r.x, {.p = 0, .dim = 1}), {0, 2}, none_at_all);
  r.expect(norm(r.x, {.p = 0.5, .dim = 1}), {0, 12}, {0, 0, 0, 2, 0, -2});
  r.expect(norm(r.x, {.p = 1.5, .dim = 1}), {0, 4.762203155904597}, {0, 0, 0, 0.7937005259840998, 0, -0.7937005259840998});
  r.expect(norm(r.x, {.p = -1, .dim = 1}), {0, 0}, none_at_all);
  r.expect(norm(r.x), {4.242640687119285}, {0, 0, 0, 0.7071067811865476, 0, -0.7071067811865476});
}

TEST(Reductions, OfOneEntry) {
  const Rows r({-2, 3}, 1);
  r.expect(norm(r.x, {.dim = 1}), {2, 3}, {-1, 1});
  r.expect(prod(r.x, {.dim = 1}), {-2, 3}, {1, 1});
  r.expect(logsumexp(r.x, {.dim = 1}), {-2, 3}, {1, 1});
  r.expect(var(r.x, {.dim = 1, .correction = 0}), {0, 0}, {0, 0});
}

TEST(Reductions, SortedEntriesTakeTheirGradientHome) {
  const Rows r({3, nan, 1, 2, 1, 2});
  const auto up = sort(r.x, {.dim = 1}), down = sort(r.x, {.dim = 1, .descending = true});
  EXPECT_EQ(r.inputs.run(up.indices), (std::vector<double>{2, 0, 1, 1, 0, 2}));
  EXPECT_EQ(r.inputs.run(down.indices), (std::vector<double>{1, 0, 2, 0, 2, 1}));
  r.expect(slice(up.values, {.dim = 1, .end = 1}), {1, 1}, {0, 0, 1, 0, 1, 0});
  const auto top = topk(r.x, {.k = 2});
  EXPECT_EQ(r.inputs.run(top.indices), (std::vector<double>{1, 0, 0, 2}));
  r.expect(top.values, {nan, 3, 2, 2}, {1, 1, 0, 1, 0, 1});
  const auto second = kthvalue(r.x, {.k = 2});
  EXPECT_EQ(r.inputs.run(second.indices), (std::vector<double>{0, 0}));
  const auto best = max_with_indices(r.x, {.dim = 1, .keepdim = true});
  EXPECT_EQ(best.indices.shape(), (Shape{2, 1}));
  EXPECT_EQ(r.inputs.run(best.indices), (std::vector<double>{1, 0}));
}

}  // namespace
}  // namespace cotan::testing
