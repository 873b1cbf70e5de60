// Small products of matrices on one thread: as loops, and by oneDNN's primitive.
//
//     build/release/bench/small_products --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
//
// Sizes are rows x summed x columns; "t" marks a factor that lies transposed. Both run in turn in every iteration, in CPU time; the counters are nanoseconds a
// product.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <time.h>

#include <vector>

#include "backends/loops/small_product.h"
#include "backends/onednn/primitive.h"

namespace cotan {
namespace {

struct Sizes {
  std::int64_t m, k, n;
  bool a_turned, b_turned;
};

double cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

template <class Run>
double nanoseconds_of(const Run& run) {
  constexpr int calls = 200;
  const double start = cpu_nanoseconds();
  for (int i = 0; i < calls; ++i) run();
  return (cpu_nanoseconds() - start) / calls;
}

void measure(benchmark::State& state, const Sizes& s) {
  std::vector<float> a(static_cast<std::size_t>(s.m * s.k), 0.5F), b(static_cast<std::size_t>(s.k * s.n), 0.25F), c(static_cast<std::size_t>(s.m * s.n));
  std::vector<double> memory(1 << 18);
  void* const scratch = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 * 64);

  SumSpec spec;
  spec.domain = {s.m, s.n, s.k};
  const auto turned = [](int x, int y, bool turn) { return turn ? Access{index_of(y), index_of(x)} : Access{index_of(x), index_of(y)}; };
  spec.output = {index_of(0), index_of(1)};
  spec.factors = {turned(0, 2, s.a_turned), turned(2, 1, s.b_turned)};
  const View factors[] = {View::dense(f32, s.a_turned ? Shape{s.k, s.m} : Shape{s.m, s.k}), View::dense(f32, s.b_turned ? Shape{s.n, s.k} : Shape{s.k, s.n})};
  const MatmulForm form{.batch = {}, .m = {0}, .n = {1}, .k = {2}, .a = 1, .b = 2};
  const KernelRef loops = loops::compile_small_product(form, spec, factors, View::dense(f32, Shape{s.m, s.n}));

  onednn::MatmulProblem problem;
  problem.m = s.m, problem.n = s.n, problem.k = s.k;
  problem.c_strides = {s.n, 1};
  problem.a_strides = s.a_turned ? Shape{1, s.m} : Shape{s.k, 1};
  problem.b_strides = s.b_turned ? Shape{1, s.k} : Shape{s.n, 1};
  const onednn::Made made = onednn::Primitive::make(problem);
  if (!made) return state.SkipWithError(made.reason.c_str());

  void* const buffers[] = {a.data(), b.data(), c.data()};
  const void* const in[] = {a.data(), b.data()};
  void* const out[] = {c.data()};
  double of_loops = 0, of_primitive = 0;
  for (auto unused : state) {
    (void)unused;
    of_loops += nanoseconds_of([&] { loops->run(0, buffers, scratch); });
    of_primitive += nanoseconds_of([&] { made.primitive->run(in, out, scratch); });
  }
  state.counters["loops_ns"] = of_loops / static_cast<double>(state.iterations());
  state.counters["oneDNN_ns"] = of_primitive / static_cast<double>(state.iterations());
}

}  // namespace
}  // namespace cotan

int main(int argc, char** argv) {
  using cotan::Sizes;
  std::vector<Sizes> all{{64, 128, 10, false, false}, {64, 10, 128, false, true}, {128, 64, 10, true, false},
                         {32, 128, 10, false, false}, {32, 10, 128, false, true}, {128, 32, 10, true, false}};
  for (std::int64_t size : {8, 16, 24, 32, 48, 64}) all.push_back({size, size, size, false, false});
  for (std::int64_t size : {16, 32, 64}) all.push_back({size, size, size, false, true});
  for (const Sizes& s : all)
    benchmark::RegisterBenchmark(fmt::format("{}{}x{}x{}{}", s.m, s.a_turned ? "t" : "", s.k, s.n, s.b_turned ? "t" : "").c_str(), cotan::measure, s);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
