// What generated machine code gains over the tile evaluator for one fused loop, on one thread.
//
//     build/release/bench/loops_jit --benchmark_repetitions=9 --benchmark_report_aggregates_only=true
//
// Each case is a cluster, an instruction set and a shape. In every iteration both kernels run, one right after the other, in CPU time: the counters are
// nanoseconds for each element of either, and `gain`, their ratio. `compile` is what a new structure costs. docs/performance.md has the numbers.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <hwy/targets.h>
#include <time.h>

#include <vector>

#include "backends/loops/jit/generator.h"
#include "backends/loops/jit/jit.h"
#include "backends/loops/jit/record_cluster.h"
#include "backends/loops/loops.h"

namespace cotan {
namespace {

int append(Cluster& c, Atom atom, int a, int b = -1, DType dtype = f32) {
  c.nodes.push_back({atom, dtype, a, b, -1, 0});
  return static_cast<int>(c.nodes.size()) - 1;
}

void load_all(Cluster& c, int loads) {
  c.rank = 2;
  for (int k = 0; k < loads; ++k) {
    c.loads.push_back({k, f32});
    (void)append(c, Atom::operand, k);
  }
}

// Moments and parameter of Adam; the factors are scalars read at run time, as an optimizer's are.
Cluster adam() {
  Cluster c;
  c.name = "adam";
  load_all(c, 11);
  const int p = 0, g = 1, m = 2, v = 3, beta1 = 4, rest1 = 5, beta2 = 6, rest2 = 7, rate = 8, correction = 9, epsilon = 10;
  auto mul = [&](int a, int b) { return append(c, Atom::mul, a, b); };
  auto add = [&](int a, int b) { return append(c, Atom::add, a, b); };
  const int m1 = add(mul(m, beta1), mul(g, rest1)), v1 = add(mul(v, beta2), mul(mul(g, g), rest2));
  const int step = append(c, Atom::div, mul(rate, m1), add(append(c, Atom::sqrt, mul(v1, correction)), epsilon));
  const int p1 = add(p, append(c, Atom::neg, step));
  c.stores = {{p1, 0, f32}, {m1, 1, f32}, {v1, 2, f32}};
  return c;
}

// relu(x + bias), and where it is positive.
Cluster bias_relu_mask() {
  Cluster c;
  c.name = "bias relu mask";
  load_all(c, 2);
  const int sum = append(c, Atom::add, 0, 1), zero = append(c, Atom::constant, -1);
  const int relu = append(c, Atom::max, sum, zero), mask = append(c, Atom::lt, zero, sum, boolean);
  c.stores = {{relu, 0, f32}, {mask, 1, boolean}};
  return c;
}

// gelu(x * w + b) * sigmoid(x - b).
FormulaRef gated() {
  return make_formula({f32, f32, f32}, [](auto in) {
    using namespace formula_language;
    const Ex z = in[0] * in[1] + in[2], y = in[0] - in[2];
    const Ex e = exp(-y);
    return 0.5 * z * erfc(-0.7071067811865476 * z) * (1 / (1 + e));
  });
}

struct Case {
  std::string name;
  Cluster cluster;
  std::vector<bool> scalar, row;  // inputs that are one number, or one row
};

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"adam", adam(), {false, false, false, false, true, true, true, true, true, true, true}, std::vector<bool>(11)});
  all.push_back({"bias_relu_mask", bias_relu_mask(), {false, false}, {false, true}});
  all.push_back({"gated", map_cluster(*gated(), 2), {false, false, false}, {false, true, true}});
  all.push_back({"gated_derivative", map_cluster(*derivative(gated(), 0), 2), {false, false, false}, {false, true, true}});
  return all;
}

double cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

struct Runner {
  KernelRef kernel;
  std::vector<double> scratch;
  explicit Runner(KernelRef k) : kernel(std::move(k)), scratch(kernel->scratch_bytes() / 8 + 16) {}
  double run(std::span<void* const> buffers) {
    auto* aligned = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(scratch.data()) + 63) / 64 * 64);
    const double start = cpu_nanoseconds();
    for (std::int64_t c = 0; c < kernel->chunks(); ++c) kernel->run(c, buffers, aligned);
    return cpu_nanoseconds() - start;
  }
};

void measure(benchmark::State& state, const Case& c, InstructionSet set) {
  const Shape shape{state.range(0), state.range(1)};
  std::vector<View> in, out;
  std::vector<std::vector<float>> memory;
  std::vector<void*> buffers;
  auto keep = [&](const View& view) {
    memory.emplace_back(static_cast<std::size_t>(shape.elements() + 16));
    for (std::size_t i = 0; i < memory.back().size(); ++i) memory.back()[i] = 0.1F + 0.001F * static_cast<float>(i * 7 % 997);
    return view;
  };
  memory.reserve(c.cluster.loads.size() + c.cluster.stores.size());
  for (std::size_t k = 0; k < c.cluster.loads.size(); ++k) {
    View view = View::dense(f32, shape);
    if (c.row[k]) view.strides = {0, 1};
    if (c.scalar[k]) view.strides = {0, 0};
    in.push_back(keep(view));
  }
  for (const ClusterStore& s : c.cluster.stores) out.push_back(keep(View::dense(s.dtype, shape)));
  for (auto& m : memory) buffers.push_back(m.data());
  const KernelRef generated = loops::jit::compile_cluster(c.cluster, in, out, set);
  if (generated == nullptr) return state.SkipWithError("no code for this processor");
  // The tile evaluator is held to the same instruction set.
  if (set == InstructionSet::avx2) hwy::SetSupportedTargetsForTest(hwy::SupportedTargets() & ~(HWY_AVX2 - 1));
  hwy::GetChosenTarget().DeInit();
  Runner jit(generated), tiles(loops::compile_cluster_on_tiles(c.cluster, in, out));
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
  double jit_time = 0, tiles_time = 0;
  for (auto unused : state) {
    (void)unused;
    tiles_time += tiles.run(buffers);
    jit_time += jit.run(buffers);
  }
  const double elements = static_cast<double>(state.iterations()) * static_cast<double>(shape.elements());
  state.counters["jit_ns"] = jit_time / elements;
  state.counters["tiles_ns"] = tiles_time / elements;
  state.counters["gain"] = tiles_time / jit_time;
}

void compile(benchmark::State& state, const Case& c, InstructionSet set) {
  std::vector<loops::jit::Level> levels;
  for (std::size_t k = 0; k < c.cluster.loads.size(); ++k) levels.push_back(c.scalar[k] ? loops::jit::Level::call : loops::jit::Level::column);
  for (auto unused : state) {
    (void)unused;
    benchmark::DoNotOptimize(loops::jit::generate(*loops::jit::record_cluster(c.cluster, levels, set)));
  }
}

void add_cases() {
  for (const Case& c : cases())
    for (const InstructionSet set : {InstructionSet::avx512, InstructionSet::avx2}) {
      if (set > best_instructions()) continue;
      auto* b = benchmark::RegisterBenchmark(fmt::format("{}/{}", c.name, name_of(set)).c_str(), measure, c, set);
      b->Args({1, 4096})->Args({4, 262144})->Args({4096, 16})->Args({256, 100})->Args({5000, 3})->Args({5000, 10});
      benchmark::RegisterBenchmark(fmt::format("compile/{}/{}", c.name, name_of(set)).c_str(), compile, c, set);
    }
}

}  // namespace
}  // namespace cotan

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  cotan::add_cases();
  benchmark::RunSpecifiedBenchmarks();
}
