// What checkpoints save, at a size that is compiled and not run; and that a small one computes the same bits.
#include <gtest/gtest.h>

#include "cotan/cotan.h"
#include "graph/threads.h"
#include "tests/memory_plan/plans.h"

namespace cotan {
namespace {

struct Compiled {};  // thrown when the program is there: it is not to run

class OnlyCompiles final : public EvaluationObserver {
 public:
  std::size_t bytes = 0;
  RunObserver* begins(const EvaluationTrace& trace) override {
    bytes = trace.program.report().temporary_bytes;
    throw Compiled{};
  }
};

struct Deep {
  std::vector<Variable> weights, biases;
  Deep(std::int64_t layers, std::int64_t width) {
    const Generator generator(11);
    for (std::int64_t i = 0; i < layers; ++i) {
      weights.emplace_back("w", normal({width, width}, {.std = 0.06}, generator));
      biases.emplace_back("b", zeros({width}));
    }
  }

  [[nodiscard]] std::vector<Variable> parameters() const {
    std::vector<Variable> all = weights;
    all.insert(all.end(), biases.begin(), biases.end());
    return all;
  }

  // The loss; segments of eight layers are checkpoints if asked for.
  [[nodiscard]] Tensor loss(const Tensor& x, bool checkpointed) const {
    Tensor h = x;
    for (std::size_t first = 0; first < weights.size(); first += 8) {
      const auto segment = [this, first](const Tensor& in) {
        Tensor y = in;
        for (std::size_t i = first; i < first + 8; ++i) y = relu(matmul(y, weights[i]) + biases[i]);
        return y;
      };
      h = checkpointed ? checkpoint(segment)(h) : segment(h);
    }
    return mean(square(h));
  }
};

std::size_t bytes_of_a_step(bool checkpointed, bool fused) {
  const Deep net(64, 256);
  const Tensor x = normal({4096, 256}, {}, Generator(3));
  evaluate({x});
  optim::SGD sgd(net.parameters(), {.lr = 0.01});
  OnlyCompiles observer;
  ExecutionOptions options;
  if (!fused) options.passes = without_fusion();
  options.observer = &observer;
  const ExecutionOptions before = set_execution_options(options);
  const Tensor loss = net.loss(x, checkpointed);
  loss.backward();
  EXPECT_THROW(sgd.step(), Compiled);
  set_execution_options(before);
  return observer.bytes;
}

TEST(CheckpointedStep, NeedsAThirdOfTheMemory) {
  set_threads(4);
  for (const bool fused : {true, false}) {
    const std::size_t plain = bytes_of_a_step(false, fused), again = bytes_of_a_step(true, fused);
    EXPECT_GT(plain, std::size_t{64} * 4096 * 256 * 4);  // every layer's result is kept
    EXPECT_LE(3 * again, plain) << (fused ? "fused: " : "unfused: ") << again << " of " << plain << " bytes";
  }
  set_threads(0);
}

TEST(CheckpointedStep, ComputesTheSameBitsInReproducibleMode) {
  set_reproducible(true);
  auto run = [](bool checkpointed) {
    const Deep net(16, 64);
    const Tensor x = normal({128, 64}, {}, Generator(3));
    evaluate({x});
    optim::SGD sgd(net.parameters(), {.lr = 0.01});
    std::vector<float> values;
    for (int i = 0; i < 3; ++i) {
      const Tensor loss = net.loss(x, checkpointed);
      loss.backward();
      sgd.step();
      values.push_back(loss.item());
    }
    for (const Variable& v : net.parameters())
      for (float w : v.value().to_vector()) values.push_back(w);
    return values;
  };
  EXPECT_EQ(run(false), run(true));
  set_reproducible(false);
}

}  // namespace
}  // namespace cotan
