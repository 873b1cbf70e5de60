// Derivatives of C++ functions: vjp, jvp, grad, value_and_grad, hvp and jacobian, nested and compiled.
#include <cmath>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

class Transforms : public testing::InBothModes {};
COTAN_IN_BOTH_MODES(Transforms);

const auto cube = [](const Tensor& x) { return sum(x * x * x); };

TEST_P(Transforms, GradAndValue) {
  const Tensor x = tensor({1, 2}, f64);
  EXPECT_THAT(grad(cube)(x).to_vector<double>(), ElementsAre(3, 12));
  const auto [value, slope] = value_and_grad(cube)(x);
  EXPECT_EQ(value.item<double>(), 9);
  EXPECT_THAT(slope.to_vector<double>(), ElementsAre(3, 12));
  const auto two = grad([](const Tensor& a, const Tensor& b) { return sum(a * a * b); });
  const auto [by_a, by_b] = two(tensor({3}), tensor({5}));
  EXPECT_EQ(by_a.item(), 30);
  EXPECT_EQ(by_b.item(), 9);
  const auto list = grad([](const std::vector<Tensor>& v) { return sum(v[0] * v[1]); });
  const std::vector<Tensor> both = list(std::vector<Tensor>{tensor({3}), tensor({5})});
  EXPECT_EQ(both.at(0).item(), 5);
  EXPECT_EQ(both.at(1).item(), 3);
}

TEST_P(Transforms, Nest) {
  const Tensor x = tensor({2}, f64);
  const auto second = grad([](const Tensor& y) { return sum(grad(cube)(y)); });
  EXPECT_EQ(second(x).item<double>(), 12);
  EXPECT_EQ(grad([&](const Tensor& y) { return sum(second(y)); })(x).item<double>(), 6);
  // The derivative of an inner function by the outer one's variable: d/dx [x * d/dy (x + y)^2 at y = x] = d/dx 4 x^2.
  const auto outer = grad([](const Tensor& a) { return sum(a * grad([&](const Tensor& y) { return sum(square(a + y)); })(a)); });
  EXPECT_EQ(outer(x).item<double>(), 16);
}

TEST_P(Transforms, ACapturedInputCountsAsConstant) {
  const Tensor x = tensor({3}, f64);
  EXPECT_EQ(grad([&](const Tensor& y) { return sum(x * y); })(x).item<double>(), 3);
}

TEST_P(Transforms, VjpAndJvpAgree) {
  auto f = [](const Tensor& a, const Tensor& b) { return std::pair(sin(a) * b, exp(a)); };
  const Tensor a = tensor({0.5, -1}, f64), b = tensor({2, 3}, f64);
  const std::vector<Tensor> cotangents{tensor({1, 2}, f64), tensor({-1, 0.5}, f64)}, tangents{tensor({0.3, 0.7}, f64), tensor({-0.2, 0.4}, f64)};
  const VjpResult reverse = vjp(f, {a, b}, cotangents);
  const JvpResult forward = jvp(f, {a, b}, tangents);
  EXPECT_EQ(reverse.outputs[1].to_vector<double>()[0], std::exp(0.5));
  EXPECT_EQ(forward.outputs[1].to_vector<double>()[0], std::exp(0.5));
  double left = 0, right = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    left += sum(cotangents[i] * forward.tangents[i]).item<double>();
    right += sum(reverse.gradients[i] * tangents[i]).item<double>();
  }
  EXPECT_NEAR(left, right, 1e-14);
}

TEST_P(Transforms, HessianProductsAndJacobians) {
  auto f = [](const Tensor& x) { return sum(x * x * x) + sum(x) * sum(x); };
  const Tensor x = tensor({1, 2}, f64);
  const std::vector<double> product = hvp(f, {x}, {tensor({1, 10}, f64)})[0].to_vector<double>();
  EXPECT_THAT(product, ElementsAre(6 + 22, 120 + 22));
  const Tensor h = jacobian(grad(f), x);
  EXPECT_EQ(h.shape(), (Shape{2, 2}));
  EXPECT_THAT(h.to_vector<double>(), ElementsAre(8, 2, 2, 14));
  const Tensor tall = jacobian([](const Tensor& y) { return concat({y, 2 * y, square(y)}); }, x);
  EXPECT_EQ(tall.shape(), (Shape{6, 2}));
  EXPECT_THAT(tall.to_vector<double>(), ElementsAre(1, 0, 0, 1, 2, 0, 0, 2, 2, 0, 0, 4));
}

TEST_P(Transforms, ReachWhatTheInputsComeFrom) {
  const Variable w("w", tensor({2}));
  const Tensor slope = grad(cube)(w * 3);  // 27 w^2
  EXPECT_EQ(gradients(slope, {w})[0].item(), 108);
}

TEST_P(Transforms, FunctionsMayReadValues) {
  auto f = [](const Tensor& x) { return sum(x).item() > 0 ? sum(square(x)) : sum(x); };
  EXPECT_EQ(grad(f)(tensor({3})).item(), 6);
  EXPECT_EQ(grad(f)(tensor({-3})).item(), 1);
  const std::string text = message_of([&] { static_cast<void>(compile(grad(f))(tensor({3}))); });
  EXPECT_THAT(text, HasSubstr("inside a compiled function"));
}

TEST_P(Transforms, OfCompiledFunctionsAndCompiled) {
  const auto f = compile(cube);
  EXPECT_THAT(f(tensor({2})).item(), 8);
  EXPECT_EQ(grad(f)(tensor({2})).item(), 12);
  const auto g = compile(grad(f));
  EXPECT_EQ(g(tensor({2})).item(), 12);
  EXPECT_EQ(g(tensor({3})).item(), 27);
  EXPECT_EQ(jvp(g, {tensor({2})}, {tensor({1})}).tangents[0].item(), 12);
}

TEST_P(Transforms, MistakesAreErrors) {
  const Tensor x = tensor({1, 2});
  EXPECT_THAT(message_of([&] { static_cast<void>(grad([](const Tensor& y) { return y; })(x)); }),
              HasSubstr("grad: a function whose result is f32 (2,), no floating scalar"));
  EXPECT_THAT(message_of([&] { static_cast<void>(vjp(cube, {x, x}, {x})); }), HasSubstr("2 inputs for a function of 1"));
  EXPECT_THAT(message_of([&] { static_cast<void>(vjp(cube, {x}, {x})); }), HasSubstr("cotangent of f32 (2,)"));
  EXPECT_THAT(message_of([&] { static_cast<void>(jvp(cube, {x}, {})); }), HasSubstr("0 tangents for 1"));
}

}  // namespace
}  // namespace cotan
