// Every function on functions of every other: what the library gives is handed on as it is, of one argument and of two, against the derivatives of polynomials.
#include <cmath>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

// coefficient * x^i * y^j.
struct Monomial {
  double coefficient = 0;
  int i = 0, j = 0;
};
using Polynomial = std::vector<Monomial>;

Polynomial plus(Polynomial a, const Polynomial& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Polynomial times(double c, Polynomial p) {
  for (Monomial& m : p) m.coefficient *= c;
  return p;
}
Polynomial by_x(Polynomial p) {
  for (Monomial& m : p) m = {m.coefficient * m.i, m.i - 1, m.j};
  return p;
}
Polynomial by_y(Polynomial p) {
  for (Monomial& m : p) m = {m.coefficient * m.j, m.i, m.j - 1};
  return p;
}
double at(const Polynomial& p, double x, double y) {
  double sum = 0;
  for (const Monomial& m : p)
    if (m.coefficient != 0) sum += m.coefficient * std::pow(x, m.i) * std::pow(y, m.j);
  return sum;
}

// All tensors of a result added up: a scalar.
template <class R>
Tensor added(R&& result) {
  Tensor total;
  for (const Tensor& t : functions::list_of(std::forward<R>(result))) total = total.defined() ? total + sum(t) : sum(t);
  return total;
}

// A function of as many tensors as F takes.
template <class F, class Body>
auto function_like(F f, Body body) {
  return [f, body]<class... T>(const T&... x)
    requires functions::Takes<const F, T...>
  { return body(f, x...); };
}

// Each gives a function of what f takes; `of` is what becomes of the sum of its results, a polynomial. Where the library takes functions of one scalar result,
// f's results are added up: a pair has two.
constexpr auto summed = [](auto f) {
  return function_like(f, [](const auto& g, const auto&... x) { return added(g(x...)); });
};
struct Grad {
  static constexpr auto name = "grad";
  static auto on(auto f) { return grad(f); }
  static Polynomial of(const Polynomial& p, bool two) { return two ? plus(by_x(p), by_y(p)) : by_x(p); }
};
struct ValueAndGrad {
  static constexpr auto name = "value_and_grad";
  static auto on(auto f) { return value_and_grad(f); }
  static Polynomial of(const Polynomial& p, bool two) { return plus(p, Grad::of(p, two)); }
};
struct Vjp {
  static constexpr auto name = "vjp";
  static auto on(auto f) {
    return function_like(f, [](const auto& g, const auto&... x) {
      std::vector<Tensor> cotangents;
      for (const Tensor& t : functions::list_of(g(x...))) cotangents.push_back(full(t.shape(), 2, t.dtype()));
      return vjp(g, {x...}, cotangents).gradients;
    });
  }
  static Polynomial of(const Polynomial& p, bool two) { return times(2, Grad::of(p, two)); }
};
struct Jvp {
  static constexpr auto name = "jvp";
  static auto on(auto f) {
    return function_like(f, [](const auto& g, const auto&... x) { return jvp(g, {x...}, {full(x.shape(), 3, x.dtype())...}).tangents; });
  }
  static Polynomial of(const Polynomial& p, bool two) { return times(3, Grad::of(p, two)); }
};
struct Hvp {
  static constexpr auto name = "hvp";
  static auto on(auto f) {
    return function_like(f, [](const auto& g, const auto&... x) { return hvp(g, {x...}, {full(x.shape(), 0.5, x.dtype())...}); });
  }
  static Polynomial of(const Polynomial& p, bool two) { return times(0.5, Grad::of(Grad::of(p, two), two)); }
};
struct Jacobian {  // by the last argument
  static constexpr auto name = "jacobian";
  template <class F>
  static auto on(F f) {
    return function_like(f, [](const auto& g, const auto&... x) {
      if constexpr (sizeof...(x) == 1)
        return jacobian(g, x...);
      else
        return [&g](const Tensor& a, const Tensor& b) { return jacobian([&](const Tensor& y) { return g(a, y); }, b); }(x...);
    });
  }
  static Polynomial of(const Polynomial& p, bool two) { return two ? by_y(p) : by_x(p); }
};
struct Checkpoint {
  static constexpr auto name = "checkpoint";
  static auto on(auto f) { return checkpoint(f); }
  static Polynomial of(const Polynomial& p, bool) { return p; }
};
struct Compile {
  static constexpr auto name = "compile";
  static auto on(auto f) { return compile(f); }
  static Polynomial of(const Polynomial& p, bool) { return p; }
};

// Whether it takes functions of one result only.
template <class Outer>
constexpr bool of_one_result = std::same_as<Outer, Grad> || std::same_as<Outer, ValueAndGrad> || std::same_as<Outer, Hvp> || std::same_as<Outer, Jacobian>;

template <class Outer, class F, class... T>
auto applied(F f, const T&...) {
  using Result = std::invoke_result_t<F&, const T&...>;
  if constexpr (of_one_result<Outer> && !std::same_as<Result, Tensor>)
    return Outer::on(summed(f));
  else
    return Outer::on(f);
}

const auto power = [](const Tensor& x) { return square(x) * square(x) * square(x); };                             // x^6
const auto product = [](const Tensor& x, const Tensor& y) { return square(x) * square(x) * square(y) * y; };      // x^4 y^3

template <class Inner, class Outer>
void expect_nested() {
  const Tensor x = tensor({1.5}, f64), y = tensor({-0.75}, f64);
  {
    const Polynomial p = Outer::of(Inner::of({{1, 6, 0}}, false), false);
    const auto inner = Inner::on(power);
    EXPECT_NEAR(added(applied<Outer>(inner, x)(x)).template item<double>(), at(p, 1.5, 1), 1e-9 * std::abs(at(p, 1.5, 1)))
        << Outer::name << "(" << Inner::name << "), one argument";
  }
  {
    const Polynomial p = Outer::of(Inner::of({{1, 4, 3}}, true), true);
    const auto inner = Inner::on(product);
    EXPECT_NEAR(added(applied<Outer>(inner, x, y)(x, y)).template item<double>(), at(p, 1.5, -0.75), 1e-9 * std::abs(at(p, 1.5, -0.75)))
        << Outer::name << "(" << Inner::name << "), two arguments";
  }
}

template <class Inner>
class Nested : public ::testing::Test {};
using All = ::testing::Types<Grad, ValueAndGrad, Vjp, Jvp, Hvp, Jacobian, Checkpoint, Compile>;
struct Names {
  template <class T>
  static std::string GetName(int) {
    return T::name;
  }
};
TYPED_TEST_SUITE(Nested, All, Names);

TYPED_TEST(Nested, InEveryOther) {
  expect_nested<TypeParam, Grad>();
  expect_nested<TypeParam, ValueAndGrad>();
  expect_nested<TypeParam, Vjp>();
  expect_nested<TypeParam, Jvp>();
  expect_nested<TypeParam, Hvp>();
  expect_nested<TypeParam, Jacobian>();
  expect_nested<TypeParam, Checkpoint>();
  expect_nested<TypeParam, Compile>();
}

// Three deep, of functions whose type is erased.
using Function1 = std::function<Tensor(const Tensor&)>;
struct Erased {
  const char* name;
  Function1 (*on)(const Function1&);
  Polynomial (*of)(const Polynomial&, bool);
};
template <class T>
Erased erased() {
  return {T::name, [](const Function1& f) -> Function1 { return summed(T::on(f)); }, &T::of};
}

TEST(NestedTransforms, ThreeDeep) {
  const Erased all[] = {erased<Grad>(), erased<ValueAndGrad>(), erased<Vjp>(), erased<Jvp>(), erased<Hvp>(), erased<Jacobian>(), erased<Checkpoint>(), erased<Compile>()};
  const Tensor x = tensor({1.5}, f64);
  for (const Erased& a : all)
    for (const Erased& b : all)
      for (const Erased& c : all) {
        const double want = at(c.of(b.of(a.of({{1, 6, 0}}, false), false), false), 1.5, 1);
        EXPECT_NEAR(c.on(b.on(a.on(power)))(x).item<double>(), want, 1e-9 * std::abs(want)) << c.name << "(" << b.name << "(" << a.name << "))";
      }
}

// Lists and pairs with lists in them go through every one that gives back what f gives.
TEST(NestedTransforms, KeepTheFormOfResults) {
  const auto of_list = [](const std::vector<Tensor>& v) { return sum(v[0] * v[0] * v[1]); };
  const std::vector<Tensor> in{tensor({3}), tensor({5})};
  for (const auto& [value, all] : {compile(value_and_grad(of_list))(in), checkpoint(value_and_grad(of_list))(in)}) {
    EXPECT_EQ(value.item(), 45);
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].item(), 30);
    EXPECT_EQ(all[1].item(), 9);
  }
  const auto [value, both] = compile(checkpoint(value_and_grad([](const Tensor& a, const Tensor& b) { return sum(a * b); })))(in[0], in[1]);
  EXPECT_EQ(value.item(), 15);
  EXPECT_EQ(both[0].item(), 5);
  EXPECT_EQ(both[1].item(), 3);
}

}  // namespace
}  // namespace cotan
