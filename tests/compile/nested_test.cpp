// Compiled functions inside others, and differentiated: their code runs once for a kind of arguments, and all else is as if it ran each time.
#include <array>
#include <thread>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

class Nested : public testing::InBothModes {
 protected:
  void SetUp() override {
    InBothModes::SetUp();
    clear_cache();
  }
};
COTAN_IN_BOTH_MODES(Nested);

TEST_P(Nested, DerivativesOfAllKindsAreThoseOfThePlainFunction) {
  int calls = 0;
  auto body = [&](const Tensor& x) {
    ++calls;
    return sum(sin(x) * x * x);
  };
  const auto f = compile(body);
  const Tensor x = tensor({0.5, -1.25, 2}, f64), v = tensor({1, 0.5, -2}, f64), one = tensor({1}, f64), scalar = reshape(one, {});
  const std::vector<double> slope = grad(f)(x).to_vector<double>(), plain_slope = grad(body)(x).to_vector<double>();
  EXPECT_EQ(slope, plain_slope);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(vjp(f, {x}, {scalar}).gradients[0].to_vector<double>(), plain_slope);
  EXPECT_EQ(jvp(f, {x}, {v}).tangents[0].item<double>(), jvp(body, {x}, {v}).tangents[0].item<double>());
  EXPECT_EQ(hvp(f, {x}, {v})[0].to_vector<double>(), hvp(body, {x}, {v})[0].to_vector<double>());
  EXPECT_EQ(jacobian(grad(f), x).to_vector<double>(), jacobian(grad(body), x).to_vector<double>());
  EXPECT_EQ(f(x).item<double>(), body(x).item<double>());
  Tensor marked = tensor({0.5, -1.25, 2}, f64);
  marked.requires_grad_();
  f(marked).backward();
  EXPECT_EQ(marked.grad().to_vector<double>(), plain_slope);
  EXPECT_EQ(calls, 2 + 4) << "once compiled; once each time the plain one was used";
}

TEST_P(Nested, TheInnerFunctionIsCalledOnce) {
  int inner_calls = 0, outer_calls = 0;
  const auto inner = compile([&](const Tensor& x) {
    ++inner_calls;
    return exp(x);
  });
  const auto outer = compile([&](const Tensor& x) {
    ++outer_calls;
    return gradients(sum(inner(x) * inner(x)), {x})[0];
  });
  EXPECT_NEAR(outer(tensor({1})).item(), 2 * std::exp(2.0), 1e-4);
  EXPECT_NEAR(must_not_recompile([&] { return outer(tensor({2})).item(); }), 2 * std::exp(4.0), 1e-3);
  EXPECT_EQ(inner(tensor({0})).item(), 1);
  EXPECT_EQ(inner_calls, 1);
  EXPECT_EQ(outer_calls, 1);
  EXPECT_EQ(cache_statistics().misses, 2U);
  const auto third = compile([&](const Tensor& x) { return outer(x) + inner(x); });
  EXPECT_NEAR(third(tensor({1})).item(), 2 * std::exp(2.0) + std::exp(1.0), 1e-4);
  static_cast<void>(third(tensor({1, 2})));
  EXPECT_EQ(inner_calls, 2) << "another shape";
  EXPECT_EQ(outer_calls, 2);
}

TEST_P(Nested, VariablesAreReadAndGetGradientsWhereTheFunctionIsCalled) {
  int calls = 0;
  const Variable w("w", tensor({2, 3}));
  const auto f = compile([&](const Tensor& x) {
    ++calls;
    return w * x;
  });
  const auto slope = compile([&](const Tensor& x) { return gradients(sum(square(f(x))), {w, x}); });
  for (float factor : {1.0F, 2.0F}) {
    w.assign(tensor({2, 3}) * factor);
    const std::vector<Tensor> found = slope(tensor({5, 7}));
    EXPECT_THAT(found[0].to_vector(), ElementsAre(2 * 2 * factor * 25, 2 * 3 * factor * 49));
    EXPECT_THAT(found[1].to_vector(), ElementsAre(2 * 4 * factor * factor * 5, 2 * 9 * factor * factor * 7));
  }
  Tensor x = tensor({5, 7});
  x.requires_grad_();
  sum(f(x)).backward();
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(5, 7));
  EXPECT_THAT(x.grad().to_vector(), ElementsAre(4, 6));
  EXPECT_EQ(calls, 1);
}

TEST_P(Nested, AssignmentsAreSeenInTheirOrder) {
  const Variable v("v", tensor({1}));
  const auto add = compile([&](const Tensor& x) {
    v.assign(v + x);
    return v.value() * 10;
  });
  const auto outer = compile([&](const Tensor& x) {
    v.assign(v * 2);
    const Tensor first = add(x);
    v.assign(v * 3);
    const Tensor second = add(x);
    return std::tuple(first, second, v.value());
  });
  // 1 -> 2 -> 7 -> 21 -> 26
  const auto [a, b, c] = outer(tensor({5}));
  EXPECT_EQ(a.item(), 70);
  EXPECT_EQ(b.item(), 260);
  EXPECT_EQ(c.item(), 26);
  EXPECT_EQ(v.value().item(), 26);
  EXPECT_EQ(v.version(), 1U);
  // By a read after an assignment a gradient is one by the assigned value, in plain code as here.
  Tensor x = tensor({1});
  x.requires_grad_();
  const Tensor y = add(x);
  EXPECT_EQ(gradients(y, {v})[0].item(), 10);
  EXPECT_EQ(v.value().item(), 27);
}

TEST_P(Nested, GeneratorsAdvanceAsInPlainCode) {
  auto numbers = [](int way) {
    const Generator generator(7);
    auto body = [&](const Tensor& x) { return sum(x * dropout(x, {.p = 0.5}, generator) * (normal({5}, {}, generator) + uniform({5}, {}, Generator(5)))); };
    const auto f = compile(body);
    const auto slope = grad(f);
    const auto plain_slope = grad(body);
    const auto outer = compile(slope);
    std::vector<float> all;
    for (int i = 0; i < 3; ++i) {
      const Tensor x = tensor({1, 2, 3, 4, 5});
      for (const Tensor& t : {way == 0 ? plain_slope(x) : way == 1 ? slope(x) : outer(x), way == 0 ? body(x) : f(x)})
        for (float v : t.to_vector()) all.push_back(v);
    }
    all.push_back(static_cast<float>(generator.state().counter));
    return all;
  };
  const std::vector<float> plain = numbers(0);
  EXPECT_EQ(plain.back(), 6 * (2 + 2 + 2));
  EXPECT_EQ(numbers(1), plain);
  EXPECT_EQ(numbers(2), plain);
}

TEST_P(Nested, StepsInsideAreCountedAndRunOnce) {
  int calls = 0;
  auto train = [&](int way) {
    const Variable w("w", tensor({0.1, 0.2, 0.3}));
    optim::Adam adam({w}, {.lr = 0.05});
    auto body = [&](const Tensor& a) {
      ++calls;
      const Tensor loss = mean(square(tanh(a * w) - constant(tensor({0.5, -1, 2}))));
      loss.backward();
      adam.step();
      return loss;
    };
    const auto step = compile(body);
    const auto outer = compile([&](const Tensor& a) { return step(a) * 2; });
    std::vector<float> numbers;
    calls = 0;
    for (int i = 0; i < 5; ++i) {
      if (i == 3) adam.set_lr(1.0);
      Tensor a = tensor({1, 2, 3});
      if (way == 2) a.requires_grad_();
      numbers.push_back((way == 0 ? body(a) * 2 : way == 1 ? outer(a) : step(a) * 2).item());
      EXPECT_EQ(adam.state().at("state.0.step").item<double>(), i + 1);
    }
    EXPECT_EQ(calls, way == 0 ? 5 : 1);
    for (float f : w.value().to_vector()) numbers.push_back(f);
    return numbers;
  };
  const std::vector<float> plain = train(0);
  EXPECT_EQ(train(1), plain);
  EXPECT_EQ(train(2), plain);
}

TEST_P(Nested, TwoStepsInOneFunctionAreRightOrRefused) {
  const Variable w("w", tensor({1, 2})), v("v", tensor({1, 2}));
  optim::SGD sgd({w}, {.lr = 0.5});
  const auto step = compile([&](const Tensor& x) {
    sum(square(w * x)).backward();
    sgd.step();
  });
  const auto twice = compile([&](const Tensor& x) {
    step(x);
    step(x * 2);
  });
  twice(tensor({1, 0.5}));
  EXPECT_THAT(w.value().to_vector(), ElementsAre(0, 0));
  optim::Adam adam({v}, {.lr = 0.5});
  const auto counts = compile([&](const Tensor& x) {
    sum(square(v * x)).backward();
    adam.step();
  });
  const auto again = compile([&](const Tensor& x) {
    counts(x);
    counts(x);
  });
  EXPECT_THAT(message_of([&] { again(tensor({1, 0.5})); }), HasSubstr("variable 'v' is stepped twice in one compiled function"));
  EXPECT_EQ(v.version(), 0U);
  counts(tensor({1, 0.5}));
  EXPECT_EQ(v.version(), 1U);
}

TEST_P(Nested, BackwardInsideReachesWhatTheArgumentsComeFrom) {
  const Variable w("w", tensor({2, 3})), u("u", tensor({5, 7}));
  int calls = 0;
  const auto f = compile([&](const Tensor& x) {
    ++calls;
    const Tensor loss = sum(w * x);
    loss.backward();
    return loss;
  });
  EXPECT_EQ(f(tensor({1, 1})).item(), 5);
  EXPECT_THAT(w.grad().to_vector(), ElementsAre(1, 1));
  for (int i = 1; i <= 2; ++i) {
    const Tensor loss = f(u * 2);
    EXPECT_THAT(u.grad().to_vector(), ElementsAre(4 * i, 6 * i));
    EXPECT_THAT(w.grad().to_vector(), ElementsAre(1 + 10 * i, 1 + 14 * i));
    EXPECT_EQ(loss.item(), 62);
  }
  EXPECT_EQ(calls, 2) << "with nothing behind the argument, and with something";
}

TEST_P(Nested, WorksInsideACheckpoint) {
  int calls = 0;
  const Variable w("w", tensor({0.5, -0.25}));
  const auto layer = compile([&](const Tensor& x) {
    ++calls;
    return tanh(x * w + constant(tensor({0.125, 0.5})));
  });
  auto loss = [&](const Tensor& x, bool kept) {
    Tensor h = x;
    for (int i = 0; i < 3; ++i) h = kept ? checkpoint(layer)(h) : layer(h);
    return sum(square(h));
  };
  auto both = [&](bool kept) {
    const auto f = compile([&](const Tensor& x) { return gradients(loss(x, kept), {x, w}); });
    std::vector<float> all;
    for (const Tensor& t : f(tensor({1, 2})))
      for (float v : t.to_vector()) all.push_back(v);
    return all;
  };
  EXPECT_EQ(both(true), both(false));
  EXPECT_LE(calls, 2);
  const auto kept = compile([&](const Tensor& x) { return checkpoint([](const Tensor& y) { return sin(y * y); })(x); });
  EXPECT_EQ(grad([&](const Tensor& x) { return sum(kept(x)); })(tensor({0.5})).item(),
            grad([](const Tensor& x) { return sum(sin(x * x)); })(tensor({0.5})).item());
}

TEST_P(Nested, WatchedModesAreWatchedFromOutside) {
  const nn::Dropout dropout({.p = 0.5});
  const auto inner = compile([&](const Tensor& x) { return dropout(x); });
  const auto outer = compile([&](const Tensor& x) { return inner(x) + 0; });
  const Tensor x = ones({64});
  EXPECT_NE(outer(x).to_vector(), x.to_vector());
  dropout.eval();
  EXPECT_EQ(outer(x).to_vector(), x.to_vector());
  dropout.train();
  EXPECT_NE(outer(x).to_vector(), x.to_vector());
  EXPECT_EQ(outer.recordings(), 2U);
}

TEST_P(Nested, MistakesAreErrorsAsOutside) {
  const Tensor captured = tensor({1, 2}) * 2;
  const auto f = compile([&](const Tensor& x) { return sum(x + captured); });
  EXPECT_THAT(message_of([&] { static_cast<void>(grad(f)(tensor({1, 2}))); }), HasSubstr("is captured by a compiled function"));
  const auto outer = compile([&](const Tensor& x) {
    const Tensor y = x * 2;
    return compile([&](const Tensor& z) { return z + y; })(x);
  });
  EXPECT_THAT(message_of([&] { static_cast<void>(outer(tensor({1, 2}))); }), HasSubstr("is captured by a compiled function"));
  const auto asks = compile([](const Tensor& x) { return x * sum(x).item(); });
  Tensor x = tensor({1, 2});
  x.requires_grad_();
  EXPECT_THAT(message_of([&] { static_cast<void>(asks(x)); }), HasSubstr("a value is asked for inside a compiled function"));
  const Variable w("w", tensor({1, 2}));
  optim::SGD sgd({w}, {.lr = 1});
  const auto step = compile([&](const Tensor& y) {
    sum(w * y).backward();
    sgd.step();
  });
  const auto both = compile([&](const Tensor& y) {
    sum(w * 3).backward();
    step(y);
  });
  EXPECT_THAT(message_of([&] { both(tensor({1, 1})); }), HasSubstr("variable 'w' has a gradient from outside"));
  EXPECT_EQ(w.version(), 0U);
}

TEST_P(Nested, AFunctionMayCallItselfOnOtherShapes) {
  std::function<Tensor(const Tensor&)> call;
  const auto halves = compile([&](const Tensor& x) {
    const std::int64_t n = x.numel();
    return n == 1 ? x * x : call(slice(x, {.dim = 0, .end = n / 2})) + call(slice(x, {.dim = 0, .start = n / 2}));
  });
  call = [&](const Tensor& x) { return halves(x); };
  EXPECT_EQ(halves(tensor({1, 2, 3, 4})).item(), 30);
  EXPECT_THAT(grad([&](const Tensor& x) { return sum(halves(x)); })(tensor({1, 2, 3, 4})).to_vector(), ElementsAre(2, 4, 6, 8));
}

TEST_P(Nested, EachThreadRecordsItsOwn) {
  int calls = 0;
  const auto f = compile([&](const Tensor& x) {
    ++calls;
    return sum(x * x * x);
  });
  auto slope = [&](double x) { return grad(f)(tensor({x})).item(); };
  EXPECT_EQ(slope(2), 12);
  const ExecutionOptions options = set_execution_options({});
  set_execution_options(options);
  std::thread([&] {
    set_execution_options(options);
    EXPECT_EQ(slope(3), 27);
    EXPECT_EQ(slope(1), 3);
  }).join();
  EXPECT_EQ(slope(4), 48);
  EXPECT_EQ(calls, 2);
}

TEST_P(Nested, FourThreadsDifferentiateOneFunction) {
  const Variable w("w", tensor({1, 2, 3})), count("count", tensor({0}));
  optim::SGD sgd({count}, {.lr = 1});
  const auto f = compile([&](const Tensor& x) { return sum(exp(x) * w); });
  const auto step = compile([&](const Tensor& x) {
    const Tensor loss = sum(count * x);
    loss.backward();
    sgd.step();
    return loss;
  });
  const ExecutionOptions options = set_execution_options({});
  set_execution_options(options);
  std::array<std::vector<float>, 4> found;
  std::vector<std::thread> all;
  for (std::size_t t = 0; t < 4; ++t)
    all.emplace_back([&, t] {
      set_execution_options(options);
      const auto slope = compile(grad(f));
      for (int i = 0; i < 10; ++i) {
        Tensor x = full({3}, static_cast<double>(t));
        found[t] = slope(x).to_vector();
        EXPECT_EQ(grad(f)(x).to_vector(), found[t]);
        Tensor marked = tensor({-1});
        marked.requires_grad_();
        static_cast<void>(step(marked));
      }
    });
  for (std::thread& t : all) t.join();
  for (std::size_t t = 0; t < 4; ++t) EXPECT_NEAR(found[t].at(2), 3 * std::exp(static_cast<float>(t)), 1e-4);
  EXPECT_EQ(count.value().item(), 40) << "no step is lost";
}

}  // namespace
}  // namespace cotan
