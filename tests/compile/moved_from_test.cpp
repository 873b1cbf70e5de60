// Objects that were moved from: destroyed and assigned to like any other; used, they say what they are. Compiled functions that call themselves.
#include <utility>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

TEST(MovedFrom, GeneratorsSaySo) {
  Generator a(1);
  const Generator b = std::move(a);
  const auto uses = std::vector<std::pair<std::string, std::function<void()>>>{
      {"state", [&] { (void)a.state(); }},
      {"set_state", [&] { a.set_state({}); }},
      {"split", [&] { (void)a.split(); }},
      {"uniform", [&] { (void)uniform({2}, {}, a); }},
      {"normal", [&] { (void)normal({2}, {}, a); }},
      {"randint", [&] { (void)randint(0, 3, {2}, {}, a); }},
      {"randperm", [&] { (void)randperm(3, {}, a); }},
      {"bernoulli", [&] { (void)bernoulli({2}, 0.5, {}, a); }},
      {"dropout", [&] { (void)dropout(ones({2}), {}, a); }},
  };
  for (const auto& [name, use] : uses) {
    const std::string message = message_of(use);
    EXPECT_THAT(message, HasSubstr(name + ": a generator that was moved from")) << message;
    EXPECT_THAT(message, HasSubstr("moved_from_test.cpp")) << message;
  }
  a = Generator(2);
  EXPECT_EQ(a.state().counter, 0U);
}

TEST(MovedFrom, CompiledFunctionsSaySo) {
  auto f = compile([](const Tensor& x) { return x + 1; });
  auto of_list = compile([](const std::vector<Tensor>& v) { return v[0] + 1; });
  auto of_none = compile([] { return ones({1}); });
  const auto g = std::move(f);
  const auto h = std::move(of_list);
  const auto i = std::move(of_none);
  EXPECT_THAT(message_of([&] { (void)f(ones({2})); }), HasSubstr("compiled function: a compiled function that was moved from"));
  EXPECT_THAT(message_of([&] { (void)of_list({ones({2})}); }), HasSubstr("a compiled function that was moved from"));
  EXPECT_THAT(message_of([&] { (void)of_none(); }), HasSubstr("a compiled function that was moved from"));
  EXPECT_THAT(message_of([&] { (void)f.recordings(); }), HasSubstr("moved_from_test.cpp"));
  EXPECT_THAT(message_of([&] { (void)grad([&](const Tensor& x) { return sum(f(x)); })(ones({2})); }), HasSubstr("moved from"));
  f = g;
  EXPECT_EQ(f(ones({1})).item(), 2);
}

TEST(MovedFrom, TensorsAndVariablesAreUndefined) {
  Tensor t = ones({2});
  const Tensor u = std::move(t);
  for (const auto& use : std::vector<std::function<void()>>{
           [&] { (void)(t + 1); }, [&] { (void)t.item(); }, [&] { (void)t.to_vector(); }, [&] { (void)t.shape(); }, [&] { (void)t.dtype(); },
           [&] { (void)t.numel(); }, [&] { (void)t.detach(); }, [&] { t.requires_grad_(); }, [&] { t.backward(); },
           [&] { (void)evaluate({t}); }, [&] { (void)constant(t); }, [&] { (void)gradients(t, {u}); }, [&] { (void)graph_size({t}); },
           [&] { (void)compile([](const Tensor& x) { return x; })(t); }, [&] { (void)grad([](const Tensor& x) { return sum(x); })(t); },
           [&] { (void)checkpoint([](const Tensor& x) { return x; })(t); }, [&] { (void)concat({t, u}); }, [&] { t += 1; }})
    EXPECT_THAT(message_of(use), HasSubstr("undefined tensor"));
  EXPECT_FALSE(t.defined());
  t = u;
  EXPECT_EQ(sum(t).item(), 2);
  Variable v("v", ones({2}));
  const Variable w = std::move(v);
  for (const auto& use : std::vector<std::function<void()>>{
           [&] { (void)(v + 1); }, [&] { v.assign(ones({2})); }, [&] { (void)v.name(); }, [&] { (void)v.value(); }, [&] { (void)v.shape(); },
           [&] { (void)v.dtype(); }, [&] { (void)v.version(); }, [&] { v.zero_grad(); }, [&] { (void)v.grad(); }, [&] { v.requires_grad_(); },
           [&] { (void)v.requires_grad(); }, [&] { const optim::SGD sgd({v}, {.lr = 0.1}); }})
    EXPECT_THAT(message_of(use), HasSubstr("undefined variable"));
  v = w;
  EXPECT_EQ(sum(v).item(), 2);
}

TEST(MovedFrom, ModulesAreHandles) {
  nn::Linear a(3, 4);
  const nn::Linear b = std::move(a);
  EXPECT_EQ(a.parameters().size(), 2U);
  EXPECT_EQ(b(ones({1, 3})).shape(), (Shape{1, 4}));
  try {
    EXPECT_EQ(a(ones({1, 3})).shape(), (Shape{1, 4}));
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("undefined"));
  }
  EXPECT_EQ(a.text(), b.text());
}

struct Holder {
  std::function<Tensor(const Tensor&)> call;
};

// What a compiled function does is fixed by its arguments' shapes and types, so one that comes to call itself with the same ones never ends.
TEST(Recursion, OfTheSameArgumentsIsAnError) {
  Holder self, one, other;
  const auto f = compile([&](const Tensor& x) { return self.call(x) + 1; });
  self.call = f;
  const std::string message = message_of([&] { (void)f(ones({2})); });
  EXPECT_THAT(message, HasSubstr("compiled function: the function compiled at"));
  EXPECT_THAT(message, HasSubstr("moved_from_test.cpp"));
  EXPECT_THAT(message, HasSubstr("calls itself with arguments of the same shapes and types"));
  EXPECT_THAT(message_of([&] { (void)grad([&](const Tensor& x) { return sum(f(x)); })(ones({2})); }), HasSubstr("calls itself"));
  const auto g = compile([&](const Tensor& x) { return other.call(x); });
  const auto h = compile([&](const Tensor& x) { return one.call(x); });
  one.call = g;
  other.call = h;
  EXPECT_THAT(message_of([&] { (void)g(ones({2})); }), HasSubstr("calls itself"));
  const auto growing = compile([&](const Tensor& x) { return self.call(concat({x, x.shape()[0] > 4000 ? narrow(x, 0, 0, 1) : ones({1})})); });
  self.call = growing;
  EXPECT_THAT(message_of([&] { (void)growing(ones({2})); }), HasSubstr("calls itself, ever deeper"));
}

TEST(Recursion, OfSmallerArgumentsEnds) {
  Holder self;
  const auto f = compile([&](const Tensor& x) -> Tensor { return x.numel() == 1 ? sum(x) : x.numel() * sum(x) + self.call(narrow(x, 0, 1, x.numel() - 1)); });
  self.call = f;
  EXPECT_EQ(f(ones({4})).item(), 16 + 9 + 4 + 1);
  EXPECT_EQ(f(ones({4})).item(), 30);
}

}  // namespace
}  // namespace cotan
