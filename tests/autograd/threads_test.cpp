// Threads: recording belongs to one, values and variables cross; everything here also runs under the thread sanitizer.
#include <atomic>
#include <latch>
#include <thread>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

class Threads : public testing::InBothModes {
 protected:
  // Runs the action in another thread with the same options.
  static void elsewhere(const std::function<void()>& action) {
    std::thread([&] {
      set_execution_options({.mode = GetParam()});
      action();
    }).join();
  }
  static void on_threads(int count, const std::function<void(int)>& action) {
    std::vector<std::thread> threads;
    std::latch start(count);
    for (int i = 0; i < count; ++i)
      threads.emplace_back([&, i] {
        set_execution_options({.mode = GetParam()});
        start.arrive_and_wait();
        action(i);
      });
    for (std::thread& t : threads) t.join();
  }
};
COTAN_IN_BOTH_MODES(Threads);

TEST_P(Threads, EvaluatedTensorsCrossFreely) {
  const Tensor x = tensor({1, 2}) * 3;
  const Variable w("w", tensor({1, 2}));
  const Tensor with_history = w * 10;
  evaluate({x, with_history});
  elsewhere([&] {
    EXPECT_TRUE(x.is_evaluated());
    EXPECT_EQ(x.shape(), (Shape{2}));
    EXPECT_THAT(x.to_vector(), ElementsAre(3, 6));
    EXPECT_THAT((x + with_history).to_vector(), ElementsAre(13, 26));
  });
}

TEST_P(Threads, AnUnevaluatedTensorIsAnErrorElsewhere) {
  const Tensor x = tensor({1, 2}) * 3;
  const std::string line = fmt::format("threads_test.cpp:{}", __LINE__ - 1);
  elsewhere([&] {
    for (const std::string& text : {message_of([&] { static_cast<void>(x + 1); }), message_of([&] { static_cast<void>(x.to_vector()); }),
                                    message_of([&] { evaluate({x}); }), message_of([&] { x.backward(); }), message_of([&] { const Variable v("v", x); })}) {
      EXPECT_THAT(text, HasSubstr(line));
      EXPECT_THAT(text, HasSubstr("another thread"));
      EXPECT_THAT(text, HasSubstr("Evaluate it in the thread that recorded it"));
    }
  });
  EXPECT_THAT(x.to_vector(), ElementsAre(3, 6));
}

TEST_P(Threads, AGradientByAnotherThreadsTensorIsAnError) {
  Tensor x = tensor({1, 2});
  x.requires_grad_();
  elsewhere([&] {
    EXPECT_THAT(message_of([&] { static_cast<void>(gradients(sum(x * 2), {x})); }), HasSubstr("another thread"));
    EXPECT_THAT(message_of([&] { Tensor(x).requires_grad_(false); }), HasSubstr("another thread"));
    EXPECT_THAT(message_of([&] { static_cast<void>(x.grad()); }), HasSubstr("another thread"));
  });
}

TEST_P(Threads, TensorsMayBeReleasedElsewhere) {
  const std::size_t before = testing::live_nodes();
  for (int i = 0; i < 20; ++i) {
    const Variable w("w", tensor({1, 2}));
    std::vector<Tensor> tensors;
    for (int k = 0; k < 10; ++k) tensors.push_back(exp(w) * k + k);
    evaluate({tensors[0], tensors[1]});
    std::thread([moved = std::move(tensors)]() mutable { moved.clear(); }).join();
  }
  EXPECT_LT(testing::live_nodes(), before + 200);
}

TEST_P(Threads, TensorsAreReleasedElsewhereWhileThisThreadSteps) {
  const Variable w("w", tensor({1, 2}));
  optim::SGD sgd({w}, {.lr = 0.01});
  for (int i = 0; i < 30; ++i) {
    std::vector<Tensor> held;
    for (int k = 0; k < 20; ++k) held.push_back(sum(w * (k + 2)));
    Tensor marked = tensor({1, 2});
    marked.requires_grad_();
    held.push_back(marked);
    const Tensor loss = sum(w * w * marked);
    marked = Tensor();
    std::thread releaser([moved = std::move(held)]() mutable {
      while (!moved.empty()) moved.pop_back();
    });
    loss.backward();
    sgd.step();
    EXPECT_TRUE(loss.is_evaluated());
    releaser.join();
  }
}

TEST_P(Threads, ATensorOutlivesItsThread) {
  Tensor evaluated, open;
  elsewhere([&] {
    const Variable w("w", tensor({1, 2}));
    evaluated = w * 2;
    evaluate({evaluated});
    open = w * 3;
  });
  EXPECT_THAT(evaluated.to_vector(), ElementsAre(2, 4));
  EXPECT_THAT((evaluated + 1).to_vector(), ElementsAre(3, 5));
  EXPECT_THROW(static_cast<void>(open.to_vector()), Error);
}

TEST_P(Threads, RecordAndEvaluateAtTheSameTime) {
  const Tensor shared = tensor({1, 2, 3, 4});
  const Variable w("w", tensor({2, 2, 2, 2}));
  on_threads(4, [&](int thread) {
    for (int i = 0; i < 25; ++i) {
      const Tensor y = sum(exp(shared * 0.25) * w + thread) * i;
      const std::vector<Tensor> g = gradients(y, {w});
      double expected = 0;
      for (int k = 1; k <= 4; ++k) expected += std::exp(0.25 * k) * 2 + thread;
      EXPECT_NEAR(y.item(), expected * i, 1e-3 * (1 + i));
      EXPECT_NEAR(g[0].to_vector()[3], std::exp(1.0) * i, 1e-3 * (1 + i));
    }
  });
}

TEST_P(Threads, EachThreadHasItsOwnGradients) {
  const Variable w("w", tensor({1, 2}));
  on_threads(4, [&](int thread) {
    sum(w * (thread + 2)).backward();
    EXPECT_THAT(w.grad().to_vector(), ElementsAre(thread + 2, thread + 2));
  });
  EXPECT_THROW(static_cast<void>(w.grad()), Error);
}

TEST_P(Threads, TwoThreadsStepOneVariableOneAfterTheOther) {
  const Variable w("w", tensor({0, 0}));
  std::atomic<int> steps = 0;
  constexpr int wanted = 20;
  on_threads(2, [&](int) {
    optim::SGD sgd({w}, {.lr = 1});
    for (int done = 0; done < wanted;) {
      try {
        sum(w * -1).backward();
        sgd.step();
        ++done;
        ++steps;
      } catch (const Error& e) {  // the other was faster: what was recorded is stale
        EXPECT_THAT(std::string(e.what()), HasSubstr("was overwritten at"));
        w.zero_grad();
      }
    }
  });
  EXPECT_EQ(steps, 2 * wanted);
  EXPECT_EQ(w.version(), 2U * wanted);
  EXPECT_THAT(w.value().to_vector(), ElementsAre(2 * wanted, 2 * wanted));
}

TEST_P(Threads, VariablesThatReadEachOtherNeverWaitForEachOther) {
  const Variable a("a", tensor({1})), b("b", tensor({1}));
  on_threads(2, [&](int thread) {
    for (int i = 0; i < 50; ++i) {
      const Variable& mine = thread == 0 ? a : b;
      const Variable& other = thread == 0 ? b : a;
      try {
        mine.assign(other + 1);
        evaluate({});
      } catch (const Error& e) {
        EXPECT_THAT(std::string(e.what()), HasSubstr("was overwritten at"));
      }
    }
  });
  EXPECT_GT(a.version() + b.version(), 0U);
}

TEST_P(Threads, OneReadsWhileAnotherUpdatesInPlace) {
  const Variable w("w", full({1000}, 0));
  std::atomic<bool> done = false;
  std::thread reader([&] {
    set_execution_options({.mode = GetParam()});
    while (!done) {
      try {
        const std::vector<float> values = (w + 1).to_vector();
        EXPECT_EQ(std::count(values.begin(), values.end(), values[0]), 1000) << "a torn read";
      } catch (const Error& e) {
        EXPECT_THAT(std::string(e.what()), HasSubstr("was overwritten at"));
      }
    }
  });
  for (int i = 0; i < 100; ++i) {
    w.assign(w + 1);
    evaluate({});
  }
  done = true;
  reader.join();
  EXPECT_EQ(w.value().to_vector()[999], 100);
}

TEST_P(Threads, ACacheThatIsTooSmallForAllThreadsStillServesThem) {
  set_cache_capacity(1);
  on_threads(3, [&](int thread) {
    for (int i = 0; i < 10; ++i) {
      const std::vector<float> ones_of(static_cast<std::size_t>(thread + 1), 1.0f);
      EXPECT_EQ(sum(tensor(ones_of, {thread + 1}) * 2).item(), 2 * (thread + 1));
    }
  });
  EXPECT_EQ(cache_statistics().entries, 1U);
  set_cache_capacity(256);
}

}  // namespace
}  // namespace cotan
