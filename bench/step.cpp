// What a training step costs, end to end and part by part: the network of examples/c1 (784 -> 128 relu -> 10, cross entropy, plain gradient descent) on
// random data, the batch size as the case's argument.
//
//     COTAN_THREADS=2 build/release/bench/step --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true --benchmark_report_aggregates_only=true
//
// `whole` is a step as a program runs it. Its counters, in seconds, say where the time went: `record` (the loss), `differentiate` (backward) and `evaluate`
// (sgd.step: the update recorded, the graph's key made and found, and the run). The other cases are parts of `evaluate` on their own: `key`, `lookup` (the
// compiled graph found by its key) and `run` (the compiled graph on its buffers). docs/performance.md has the numbers.
#include <benchmark/benchmark.h>
#include <cotan/cotan.h>

#include <chrono>

#include "autograd/cache.h"
#include "autograd/tape.h"
#include "graph/builder.h"
#include "graph/structure_key.h"

namespace cotan {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::int32_t> class_indices(std::int64_t count) {
  std::vector<std::int32_t> labels(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i * 7 % 10);
  return labels;
}

struct Net {
  explicit Net(std::int64_t batch) : images(normal({batch, 784})), labels(tensor(class_indices(batch), {batch})) { evaluate({images}); }

  Variable w1{"w1", normal({784, 128}, {.std = 0.01})}, b1{"b1", zeros({128})};
  Variable w2{"w2", normal({128, 10}, {.std = 0.01})}, b2{"b2", zeros({10})};
  Tensor images, labels;

  Tensor loss() const { return cross_entropy(matmul(relu(matmul(images, w1) + b1), w2) + b2, labels); }
  std::vector<Variable> parameters() const { return {w1, b1, w2, b2}; }
};

void whole(benchmark::State& state) {
  const Net net(state.range(0));
  optim::SGD sgd(net.parameters(), {.lr = 0.01});
  double record = 0, differentiate = 0, evaluate = 0;
  auto lap = [last = Clock::now()](double* into) mutable {
    const auto now = Clock::now();
    if (into != nullptr) *into += std::chrono::duration<double>(now - last).count();
    last = now;
  };
  auto step = [&] {
    lap(nullptr);
    const Tensor loss = net.loss();
    lap(&record);
    loss.backward();
    lap(&differentiate);
    sgd.step();
    lap(&evaluate);
  };
  step();  // compiles
  record = differentiate = evaluate = 0;
  for (auto _ : state) step();
  state.counters["record"] = benchmark::Counter(record, benchmark::Counter::kAvgIterations);
  state.counters["differentiate"] = benchmark::Counter(differentiate, benchmark::Counter::kAvgIterations);
  state.counters["evaluate"] = benchmark::Counter(evaluate, benchmark::Counter::kAvgIterations);
}
BENCHMARK(whole)->Arg(64)->Arg(1000)->Unit(benchmark::kMicrosecond)->UseRealTime();

// The step's graph with what the parts of evaluate work on: the new values of the parameters, as sgd.step records them.
struct Step {
  explicit Step(std::int64_t batch) : net(batch) {
    const Tensor loss = net.loss();
    for (const Variable& p : net.parameters()) {
      const Tensor next = p - gradients(loss, {p})[0] * 0.01;
      roots.push_back(next.state()->ref);
    }
    structure = structure_of();
    for (std::size_t i = 0; i < structure.inputs.size(); ++i) {
      const Node& n = *structure.inputs[i].node;
      const auto& leaf = n.as<LeafSpec>();
      inputs.push_back({storage_of(n), leaf.scalar, {leaf.key, leaf.counter}});
      for (std::size_t p = 0; p < roots.size(); ++p)
        if (leaf.role == LeafRole::variable && leaf.name == net.parameters()[p].name()) options.updates.push_back({static_cast<int>(p), static_cast<int>(i)});
    }
    options.threads = threads();
  }

  [[nodiscard]] Structure structure_of() const {
    return cotan::structure_of(roots, [](const Node&) { return false; });
  }

  Net net;
  std::vector<Ref> roots;
  Structure structure;
  std::vector<InputValue> inputs;
  CompileOptions options;

 private:
  static StorageRef storage_of(const Node& n) {
    const auto& leaf = n.as<LeafSpec>();
    if (leaf.role == LeafRole::variable) return static_cast<const CellVersion*>(leaf.payload.get())->cell->storage;
    return leaf.role == LeafRole::data ? static_cast<const TensorData*>(leaf.payload.get())->storage : nullptr;
  }
};

void key(benchmark::State& state) {
  const Step step(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(step.structure_of());
}
BENCHMARK(key)->Arg(64)->Unit(benchmark::kMicrosecond);

void lookup(benchmark::State& state) {
  const Step step(state.range(0));
  bool hit = false;
  benchmark::DoNotOptimize(program_for(step.structure, step.roots, step.options, {}, hit));
  for (auto _ : state) benchmark::DoNotOptimize(program_for(step.structure, step.roots, step.options, {}, hit));
  if (!hit) state.SkipWithError("the compiled graph was not found");
}
BENCHMARK(lookup)->Arg(64)->Unit(benchmark::kMicrosecond);

void compile(benchmark::State& state) {
  const Step step(state.range(0));
  for (auto _ : state) {
    clear_cache();
    bool hit = false;
    benchmark::DoNotOptimize(program_for(step.structure, step.roots, step.options, {}, hit));
  }
}
BENCHMARK(compile)->Arg(64)->Arg(1000)->Unit(benchmark::kMicrosecond)->UseRealTime();

// The parameters change from run to run as they do in training, into new buffers where the plan does not write them in place.
void run(benchmark::State& state) {
  const Step step(state.range(0));
  bool hit = false;
  const auto program = program_for(step.structure, step.roots, step.options, {}, hit);
  for (auto _ : state) benchmark::DoNotOptimize(program->run(step.inputs));
}
BENCHMARK(run)->Arg(64)->Arg(1000)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace cotan

BENCHMARK_MAIN();
