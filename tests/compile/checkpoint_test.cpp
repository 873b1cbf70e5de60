// checkpoint(): the same values and gradients with less memory.
#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

class Checkpoint : public testing::InBothModes {};
COTAN_IN_BOTH_MODES(Checkpoint);

struct Deep {
  std::vector<Variable> weights;
  Deep(std::int64_t layers, std::int64_t width) {
    const Generator generator(11);
    for (std::int64_t i = 0; i < layers; ++i) weights.emplace_back("w", normal({width, width}, {.std = 0.2}, generator));
  }
  // A segment of `each` layers at a time.
  Tensor loss(Tensor h, std::size_t each, bool checkpointed) const {
    for (std::size_t first = 0; first < weights.size(); first += each) {
      const auto segment = [this, first, each](const Tensor& x) {
        Tensor y = x;
        for (std::size_t i = first; i < first + each; ++i) y = tanh(matmul(y, weights[i]));
        return y;
      };
      h = checkpointed ? checkpoint(segment)(h) : segment(h);
    }
    return mean(square(h));
  }
};

TEST_P(Checkpoint, ValuesAndGradientsAreTheSameWithAThirdOfTheMemory) {
  const Deep net(64, 16);
  const Tensor x = normal({256, 16}, {}, Generator(3));
  evaluate({x});
  auto run = [&](bool checkpointed) {
    const Tensor loss = net.loss(x, 8, checkpointed);
    std::vector<Operand> wrt(net.weights.begin(), net.weights.end());
    std::vector<Tensor> all = gradients(loss, wrt);
    all.insert(all.begin(), loss);
    const EvaluationReport report = evaluate(all);
    std::vector<float> values;
    for (const Tensor& t : all)
      for (float v : t.to_vector()) values.push_back(v);
    return std::pair(values, report.temporary_bytes);
  };
  const auto [plain, plain_bytes] = run(false);
  const auto [again, again_bytes] = run(true);
  // What is computed again may be fused with other neighbours, whose tiles round in another order; not so in reproducible mode.
  double largest = 0;
  for (float v : plain) largest = std::max(largest, std::abs(static_cast<double>(v)));
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(plain[i], again[i], 1e-5 * largest);
  ExecutionOptions reproducible;
  reproducible.mode = GetParam();
  reproducible.reproducible = true;
  const ExecutionOptions before = set_execution_options(reproducible);
  EXPECT_EQ(run(false).first, run(true).first);
  set_execution_options(before);
  if (GetParam() == ExecutionMode::compiled) {
    EXPECT_LT(again_bytes * 3, plain_bytes);
  }
}

TEST_P(Checkpoint, HigherDerivativesAndForwardModeGoThrough) {
  auto f = [](const Tensor& x) { return sin(x * x) * exp(x); };
  auto total = [&](const Tensor& x) { return sum(f(x)); };
  auto kept = [&](const Tensor& x) { return sum(checkpoint(f)(x)); };
  const Tensor x = tensor({0.3, -0.7}, f64), v = tensor({1, 2}, f64);
  EXPECT_EQ(grad(total)(x).to_vector<double>(), grad(kept)(x).to_vector<double>());
  const std::vector<double> expected = hvp(total, {x}, {v})[0].to_vector<double>(), found = hvp(kept, {x}, {v})[0].to_vector<double>();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(found[i], expected[i], 1e-13);
  auto third = [&](const auto& g) { return grad([&](const Tensor& y) { return sum(hvp(g, {y}, {v})[0]); })(x).template to_vector<double>(); };
  const std::vector<double> a = third(total), b = third(kept);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(a[i], b[i], 1e-12);
}

TEST_P(Checkpoint, DrawsAreTheSameBothTimesAndAssignmentsRunOnce) {
  auto run = [&](bool checkpointed) {
    const Generator generator(5);
    const Variable w("w", tensor({1, 2, 3, 4})), count("count", tensor({0}));
    const Tensor scale = exp(w);  // captured
    auto f = [&](const Tensor& x) {
      count.assign(count + 1);
      return std::pair(dropout(square(x) * scale, {.p = 0.5}, generator), cast(arange(4), f32));
    };
    const Tensor in = w * 2;
    const auto [y, positions] = checkpointed ? checkpoint(f)(in) : f(in);
    std::vector<float> values = gradients(sum(sin(y) * positions), {w})[0].to_vector();
    values.push_back(count.value().item());
    return values;
  };
  EXPECT_EQ(run(true), run(false));
  EXPECT_EQ(run(true).back(), 1);
}

TEST_P(Checkpoint, ListsAndNesting) {
  auto inner = [](const Tensor& x) { return tanh(x) * x; };
  auto outer = [&](const std::vector<Tensor>& x) { return std::vector<Tensor>{checkpoint(inner)(x[0]) + x[1], x[1]}; };
  const Tensor a = tensor({0.5, 1}, f64), b = tensor({2, 3}, f64), one = tensor({1, 1}, f64);
  const VjpResult plain = vjp([&](const std::vector<Tensor>& x) { return std::vector<Tensor>{inner(x[0]) + x[1], x[1]}; }, {a, b}, {one, one});
  const VjpResult kept = vjp([&](const std::vector<Tensor>& x) { return checkpoint(outer)(x); }, {a, b}, {one, one});
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(plain.outputs[i].to_vector<double>(), kept.outputs[i].to_vector<double>());
    EXPECT_EQ(plain.gradients[i].to_vector<double>(), kept.gradients[i].to_vector<double>());
  }
}

}  // namespace
}  // namespace cotan
