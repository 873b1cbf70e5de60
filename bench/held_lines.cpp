// What an update of a parameter costs where other cores hold the parameter's cache lines: Adam's loop as three loops, as one, and as one that takes the lines
// to its core first (ClusterStore::read_elsewhere).
//
//     build/release/bench/held_lines
//
// Two threads on two CPUs update a half each of a tensor of 1024 x 1024, its gradient and Adam's two means, 200 times in turns. Before each run they write
// their half of the gradient and read some of the parameter. Prints medians in microseconds, and how long a cache line takes from one CPU to the other and
// back.
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "backends/loops/loops.h"
#include "backends/parallel/machine.h"

namespace cotan {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t rows = 1024, columns = 1024;
constexpr int rounds = 200;

double microseconds_since(Clock::time_point start) { return std::chrono::duration<double, std::micro>(Clock::now() - start).count(); }

// Keeps the calling thread on the first CPU that this process may use, or on the second.
void stay_on(int thread) {
  cpu_set_t allowed, one;
  CPU_ZERO(&one);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int cpu = 0, found = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || found++ != thread) continue;
    CPU_SET(cpu, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

// Runs both(0) and both(1) at the same time, each on a CPU of its own.
template <class F>
void on_two_cpus(const F& both) {
  std::thread other([&] {
    stay_on(1);
    both(1);
  });
  std::thread one([&] {
    stay_on(0);
    both(0);
  });
  one.join();
  other.join();
}

double round_trip_nanoseconds() {
  constexpr int trips = 100'000;
  alignas(64) std::atomic<int> ball{0};
  double nanoseconds = 0;
  on_two_cpus([&](int thread) {
    const auto start = Clock::now();
    for (int i = 0; i < trips; ++i) {
      while (ball.load(std::memory_order_acquire) != 2 * i + thread) {
      }
      ball.store(2 * i + thread + 1, std::memory_order_release);
    }
    if (thread == 0) nanoseconds = 1e3 * microseconds_since(start) / trips;
  });
  return nanoseconds;
}

// The parts of Adam's step: a formula of (w, m, v, g), written over one of the first three.
struct Parts {
  bool w = false, m = false, v = false;
};

Cluster adam(Parts parts, bool read_elsewhere) {
  Cluster c;
  c.name = "adam";
  c.rank = 2;
  for (int input = 0; input < 4; ++input) c.loads.push_back({input, DType::f32});
  auto node = [&](Atom atom, int a = -1, int b = -1, double literal = 0) {
    c.nodes.push_back({atom, DType::f32, a, b, -1, literal});
    return static_cast<int>(c.nodes.size()) - 1;
  };
  auto number = [&](double value) { return node(Atom::constant, -1, -1, round_to(DType::f32, value)); };
  auto mix = [&](double keep, int old, int fresh) { return node(Atom::add, node(Atom::mul, number(keep), old), node(Atom::mul, number(1 - keep), fresh)); };
  const int w = node(Atom::operand, 0), g = node(Atom::operand, 3);
  int m = node(Atom::operand, 1), v = node(Atom::operand, 2);
  auto store = [&](int value, bool elsewhere) { c.stores.push_back({value, static_cast<int>(c.stores.size()), DType::f32, elsewhere}); };
  if (parts.m) store(m = mix(0.9, m, g), false);
  if (parts.v) store(v = mix(0.999, v, node(Atom::mul, g, g)), false);
  if (parts.w) {
    const int step = node(Atom::div, m, node(Atom::add, node(Atom::sqrt, v), number(1e-8)));
    store(node(Atom::add, w, node(Atom::mul, number(-1e-3), step)), read_elsewhere);
  }
  return c;
}

using Tensors = std::vector<std::vector<float>>;  // w, m, v, g

// A kernel with its buffers, each output in the place of an input.
struct Loop {
  KernelRef kernel;
  std::vector<void*> buffers;

  Loop(Parts parts, bool read_elsewhere, Tensors& t) {
    const View view = View::dense(DType::f32, {rows, columns});
    for (auto& tensor : t) buffers.push_back(tensor.data());
    if (parts.m) buffers.push_back(t[1].data());
    if (parts.v) buffers.push_back(t[2].data());
    if (parts.w) buffers.push_back(t[0].data());
    kernel = loops::compile_cluster(adam(parts, read_elsewhere), std::vector<View>(4, view), std::vector<View>(buffers.size() - 4, view),
                                    this_machine().instructions);
  }
  void run_half(int thread) const {
    std::vector<std::byte> scratch(kernel->scratch_bytes() + 64);
    void* aligned = scratch.data();
    std::size_t space = scratch.size();
    std::align(64, kernel->scratch_bytes(), aligned, space);
    const std::int64_t half = kernel->chunks() / 2;
    for (std::int64_t chunk = thread * half; chunk < (thread == 0 ? half : kernel->chunks()); ++chunk) kernel->run(chunk, buffers, aligned);
  }
};

enum class Reads { nothing, half_of_the_columns, everything };

float read(const std::vector<float>& w, Reads what, int thread) {
  const std::int64_t first = what == Reads::half_of_the_columns ? thread * columns / 2 : 0;
  const std::int64_t last = what == Reads::nothing ? 0 : what == Reads::half_of_the_columns ? first + columns / 2 : columns;
  float sum = 0;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = first; column < last; column += 16) sum += w[static_cast<std::size_t>(row * columns + column)];
  return sum;
}

// The medians of three loops, of one, and of one that takes the lines first.
std::vector<double> measure(Reads what) {
  Tensors t(4, std::vector<float>(rows * columns, 0.01F));
  const std::vector<std::vector<Loop>> ways = {{Loop({.m = true}, false, t), Loop({.v = true}, false, t), Loop({.w = true}, false, t)},
                                               {Loop({true, true, true}, false, t)},
                                               {Loop({true, true, true}, true, t)}};
  std::vector<std::vector<double>> times(ways.size());
  std::barrier both(2);
  std::atomic<float> sink = 0;
  on_two_cpus([&](int thread) {
    const auto half = t[3].begin() + thread * rows * columns / 2;
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t way = 0; way < ways.size(); ++way) {
        std::fill(half, half + rows * columns / 2, 0.01F);
        both.arrive_and_wait();
        sink = read(t[0], what, thread);
        both.arrive_and_wait();
        const auto start = Clock::now();
        for (const Loop& loop : ways[way]) {
          loop.run_half(thread);
          both.arrive_and_wait();
        }
        if (thread == 0) times[way].push_back(microseconds_since(start));
      }
    }
  });
  std::vector<double> medians;
  for (auto& all : times) {
    std::nth_element(all.begin(), all.begin() + rounds / 2, all.end());
    medians.push_back(all[rounds / 2]);
  }
  return medians;
}

}  // namespace
}  // namespace cotan

int main() {
  using namespace cotan;
  if (parallel::affinity_count() < 2) {
    fmt::print(stderr, "held_lines: this process may use one CPU only; two are needed\n");
    return 1;
  }
  fmt::print("{:36}{:>14}{:>14}{:>14}{:>16}\n", "each CPU has read of the weight", "three loops", "one loop", "lines first", "there and back");
  for (const auto& [what, text] :
       {std::pair{Reads::nothing, "nothing"}, std::pair{Reads::half_of_the_columns, "half of its columns"}, std::pair{Reads::everything, "all of it"}}) {
    const std::vector<double> t = measure(what);
    fmt::print("{:36}{:>11.0f} us{:>11.0f} us{:>11.0f} us{:>13.0f} ns\n", text, t[0], t[1], t[2], round_trip_nanoseconds());
  }
}
