// The driver of differentiation: what it accumulates, what it refuses, what it leaves out, and that it never recurses.
#include <gtest/gtest.h>

#include "tests/support/gradient_checks.h"

namespace cotan::testing {
namespace {

using namespace graph;

TEST(Driver, AccumulatesEveryUse) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {3}, {1, 2, 3});
  const Ref wrt[] = {x};
  // d/dx (x * x + x * sin... twice x) by hand: 2 x + 2.
  const Ref y = add(mul(x, x), add(x, x));
  EXPECT_EQ(inputs.run(gradients(y, wrt)[0]), (std::vector<double>{4, 6, 8}));
}

TEST(Driver, AStructuralZeroIsAnEmptyVjpAndAZeroGradient) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {2}, {1, 2}), other = inputs.add("other", f64, {3}, {1, 2, 3});
  const Ref outputs[] = {square(x)}, seeds[] = {fill(1, f64, {2})}, wrt[] = {other, x};
  const std::vector<Ref> v = vjp(outputs, seeds, wrt);
  EXPECT_FALSE(v[0]);
  EXPECT_TRUE(v[1]);
  EXPECT_EQ(inputs.run(gradients(outputs[0], wrt)[0]), (std::vector<double>{0, 0, 0}));
}

TEST(Driver, StopGradientAndIntegersStopIt) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {2}, {1.5, -2});
  const Ref wrt[] = {x};
  EXPECT_EQ(inputs.run(gradients(mul(stop_gradient(x), x), wrt)[0]), (std::vector<double>{1.5, -2}));
  EXPECT_EQ(inputs.run(gradients(cast(cast(x, i32), f64), wrt)[0]), (std::vector<double>{0, 0}));
  const Ref outputs[] = {stop_gradient(x)}, tangents[] = {fill(1, f64, {2})};
  EXPECT_EQ(inputs.run(jvp(outputs, wrt, tangents)[0]), (std::vector<double>{0, 0}));
}

TEST(Driver, TheGradientOfAnOutputByItselfIsTheSeed) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {2}, {1, 2}), g = inputs.add("g", f64, {2}, {5, 7});
  const Ref wrt[] = {x};
  EXPECT_EQ(gradients(x, wrt, g)[0], g);
}

TEST(Driver, ByAnIntermediateResult) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {2}, {1, 2});
  const Ref middle = square(x);
  const Ref wrt[] = {middle};
  EXPECT_EQ(inputs.run(gradients(square(middle), wrt)[0]), (std::vector<double>{2, 8}));
}

TEST(Driver, RefusesWhatHasNoGradient) {
  const Ref x = parameter("x", f32, {2}), i = parameter("i", i32, {2}), g = parameter("g", f32, {3});
  const Ref floating[] = {x}, integer[] = {i};
  auto problem = [](const std::function<void()>& f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      EXPECT_FALSE(e.remedy().empty());
      return e.problem();
    }
    return "";
  };
  EXPECT_NE(problem([&] { static_cast<void>(gradients(i, floating)); }).find("i32"), std::string::npos);
  EXPECT_NE(problem([&] { static_cast<void>(gradients(x, integer)); }).find("i32"), std::string::npos);
  EXPECT_NE(problem([&] { static_cast<void>(gradients(x, floating, g)); }).find("(3,)"), std::string::npos);
  const Ref outputs[] = {x}, tangents[] = {g};
  EXPECT_NE(problem([&] { static_cast<void>(jvp(outputs, floating, tangents)); }).find("tangent"), std::string::npos);
}

TEST(Driver, CastsPassTheCotangentInTheOperandsType) {
  Inputs inputs;
  const Ref x = inputs.add("x", f32, {2}, {1, 2});
  const Ref wrt[] = {x};
  const Ref g = gradients(square(cast(x, f64)), wrt)[0];
  EXPECT_EQ(g.dtype(), f32);
  EXPECT_EQ(inputs.run(g), (std::vector<double>{2, 4}));
}

// The adjoint of s[i] = a[i] s[i-1] + b[i], reversed and not, first and second order, zeros in a included.
TEST(Driver, Scans) {
  for (const bool reverse : {false, true})
    for (int axis : {0, 1}) {
      Inputs inputs;
      Random random("scan", axis * 2 + reverse);
      std::vector<double> factors = random_values(random, 12);
      factors[5] = 0;
      const Ref a = inputs.add("a", f64, {3, 4}, factors), b = inputs.add("b", f64, {3, 4}, random_values(random, 12));
      const Ref s = scan(a, b, axis, reverse);
      EXPECT_TRUE(none(check_gradients(inputs, s, random)));
      const Ref wrt[] = {a, b};
      for (const Ref& g : gradients(s, wrt)) EXPECT_TRUE(none(check_gradients(inputs, g, random)));
    }
}

// The gradient of a max goes to the first of equals, and nowhere where the window is empty of points.
TEST(Driver, ExtremesGiveTheirGradientToTheFirst) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {2, 4}, {1, 3, 3, 2, 5, 5, 5, 5});
  const Ref wrt[] = {x};
  EXPECT_EQ(inputs.run(gradients(graph::max(x, {.dim = 1}), wrt)[0]), (std::vector<double>{0, 1, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(inputs.run(gradients(graph::min(x, {.dim = 1}), wrt)[0]), (std::vector<double>{1, 0, 0, 0, 1, 0, 0, 0}));

  ReduceSpec window;  // out[i] = max over p of x[0, 2 i + p + 2], two entries of which the second is out of range
  window.domain = {2, 2};
  window.outputs = 1;
  window.access = {IndexExpr(0), 2 * index_of(0) + index_of(1) + IndexExpr(2)};
  const Ref y = reduce(window, x);
  EXPECT_EQ(inputs.run(y), (std::vector<double>{3, -std::numeric_limits<double>::infinity()}));
  EXPECT_EQ(inputs.run(gradients(y, wrt)[0]), (std::vector<double>{0, 0, 1, 0, 0, 0, 0, 0}));
}

TEST(Driver, ALongChainIsDifferentiatedWithoutRecursion) {
  constexpr int length = 20'000;
  const std::size_t before = NodeTable::current().live_nodes();
  {
    const Ref x = parameter("x", f64, {});
    const Ref wrt[] = {x};
    Ref y = x;
    for (int i = 0; i < length; ++i) y = graph::sin(y);
    const std::vector<Ref> g = gradients(y, wrt);
    EXPECT_GT(topological(g).size(), static_cast<std::size_t>(length));
    const Ref outputs[] = {y}, tangents[] = {fill(1, f64, {})};
    EXPECT_GT(topological(jvp(outputs, wrt, tangents)).size(), static_cast<std::size_t>(length));
  }
  EXPECT_EQ(NodeTable::current().live_nodes(), before);
}

}  // namespace
}  // namespace cotan::testing
