// What recording costs: nanoseconds for each recorded node, and microseconds for the graph of a training step and its gradient. Nothing is computed here.
//
//     build/release/bench/recording --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true --benchmark_report_aggregates_only=true
//
// Every case makes new nodes: what it recorded is released before it records again, inside the measured time unless the case says otherwise. The counter
// `node` is CPU time for each node. docs/performance.md has the numbers.
#include <benchmark/benchmark.h>
#include <cotan/cotan.h>
#include <time.h>

#include <array>

#include "graph/builder.h"

namespace cotan {
namespace {

constexpr std::int64_t chain = 1000;

// CPU time of this thread, in seconds: recording is work of one thread, and what else the machine does is left out.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A tensor with a value: numbers do not matter where nothing is computed.
Tensor data(const Shape& shape) { return tensor(std::vector<float>(static_cast<std::size_t>(shape.elements()), 0.5F), shape); }

void count_nodes(benchmark::State& state, std::int64_t nodes) {
  state.counters["node"] = benchmark::Counter(static_cast<double>(nodes), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// A chain of additions of tensors of one shape, as a program writes it.
void elementwise_tensors(benchmark::State& state) {
  const Tensor x = data({8, 8}), y = data({8, 8});
  for (auto _ : state) {
    Tensor t = x;
    for (std::int64_t i = 0; i < chain; ++i) t = t + y;
    benchmark::DoNotOptimize(t);
  }
  count_nodes(state, chain);
}
BENCHMARK(elementwise_tensors);

// The same by the builder alone: no handle, no line.
void elementwise_nodes(benchmark::State& state) {
  const Ref x = graph::parameter("x", f32, {8, 8}), y = graph::parameter("y", f32, {8, 8});
  for (auto _ : state) {
    Ref t = x;
    for (std::int64_t i = 0; i < chain; ++i) t = graph::add(t, y);
    benchmark::DoNotOptimize(t);
  }
  count_nodes(state, chain);
}
BENCHMARK(elementwise_nodes);

// A row with a parameter: leaky_relu(x, 0.2).
void elementwise_with_parameter(benchmark::State& state) {
  const Tensor x = data({8, 8});
  for (auto _ : state) {
    Tensor t = x;
    for (std::int64_t i = 0; i < chain; ++i) t = leaky_relu(t, 0.2);
    benchmark::DoNotOptimize(t);
  }
  count_nodes(state, chain);
}
BENCHMARK(elementwise_with_parameter);

// Recording what is there already: the node is found, not made.
void elementwise_found(benchmark::State& state) {
  const Tensor x = data({8, 8}), y = data({8, 8}), there = x + y;
  for (auto _ : state)
    for (std::int64_t i = 0; i < chain; ++i) benchmark::DoNotOptimize(x + y);
  count_nodes(state, chain);
}
BENCHMARK(elementwise_found);

// A sum from its row.
void matmul_tensors(benchmark::State& state) {
  const Tensor x = data({8, 8}), w = data({8, 8});
  for (auto _ : state) {
    Tensor t = x;
    for (std::int64_t i = 0; i < chain; ++i) t = matmul(t, w);
    benchmark::DoNotOptimize(t);
  }
  count_nodes(state, chain);
}
BENCHMARK(matmul_tensors);

void matmul_nodes(benchmark::State& state) {
  const Ref x = graph::parameter("x", f32, {8, 8}), w = graph::parameter("w", f32, {8, 8});
  for (auto _ : state) {
    Ref t = x;
    for (std::int64_t i = 0; i < chain; ++i) t = graph::matmul(t, w);
    benchmark::DoNotOptimize(t);
  }
  count_nodes(state, chain);
}
BENCHMARK(matmul_nodes);

// The gradient of a chain of additions and products; the chain is recorded outside the measured time.
void differentiated_chain(benchmark::State& state) {
  const Variable w("w", data({8, 8}));
  const Tensor y = data({8, 8});
  std::size_t nodes = 0;
  for (auto _ : state) {
    Tensor t = y * w;
    for (std::int64_t i = 0; i < chain / 2; ++i) t = (t + y) * w;
    const Tensor loss = sum(t);
    const double start = cpu_seconds();
    const std::vector<Tensor> g = gradients(loss, {w});
    state.SetIterationTime(cpu_seconds() - start);
    if (nodes == 0) nodes = graph_size({loss, g[0]}) - graph_size({loss});
  }
  count_nodes(state, static_cast<std::int64_t>(nodes));
}
BENCHMARK(differentiated_chain)->UseManualTime();

struct Net {
  Variable w1{"w1", data({784, 128})}, b1{"b1", data({128})};
  Variable w2{"w2", data({128, 10})}, b2{"b2", data({10})};
  Tensor images = data({64, 784}), labels = tensor(std::vector<std::int32_t>(64), {64});

  Tensor loss() const { return cross_entropy(matmul(relu(matmul(images, w1) + b1), w2) + b2, labels); }
  std::vector<Tensor> gradient(const Tensor& loss) const { return gradients(loss, {w1, b1, w2, b2}); }
};

// The network of examples/c1: its loss recorded, and released.
void c1_loss(benchmark::State& state) {
  const Net net;
  for (auto _ : state) benchmark::DoNotOptimize(net.loss());
  count_nodes(state, static_cast<std::int64_t>(graph_size({net.loss()})));
}
BENCHMARK(c1_loss);

// Its gradient alone.
void c1_gradient(benchmark::State& state) {
  const Net net;
  std::size_t nodes = 0;
  for (auto _ : state) {
    const Tensor loss = net.loss();
    const double start = cpu_seconds();
    std::vector<Tensor> all = net.gradient(loss);
    state.SetIterationTime(cpu_seconds() - start);
    if (nodes > 0) continue;
    all.push_back(loss);
    nodes = graph_size(all) - graph_size({loss});
  }
  count_nodes(state, static_cast<std::int64_t>(nodes));
}
BENCHMARK(c1_gradient)->UseManualTime();

// Loss and gradient, recorded and released: what a training step records, but for the update.
void c1_loss_and_gradient(benchmark::State& state) {
  const Net net;
  auto record = [&] {
    const Tensor loss = net.loss();
    std::vector<Tensor> all = net.gradient(loss);
    all.push_back(loss);
    return all;
  };
  for (auto _ : state) benchmark::DoNotOptimize(record());
  count_nodes(state, static_cast<std::int64_t>(graph_size(record())));
}
BENCHMARK(c1_loss_and_gradient);

}  // namespace
}  // namespace cotan

BENCHMARK_MAIN();
