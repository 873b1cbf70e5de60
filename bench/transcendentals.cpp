// What a float32 function costs for each element: the loops' tile function beside a loop over the standard library's.
//
//     build/release/bench/transcendentals [ROUNDS]
//
// CPU time of one thread, 4096 elements in the first-level cache, operands spread evenly over the interval named. In every round (default 21) each function
// runs both ways, one right after the other; the table has the medians, and the median of the rounds' ratios. docs/performance.md has the numbers.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "backends/loops/tile_op.h"

namespace cotan {
namespace {

constexpr std::size_t elements = 4096;

struct Case {
  std::string name;
  Atom atom;
  float low, high;  // operands
  float (*plain)(float, float);
  std::vector<double> tile, standard, ratio;
};

std::vector<Case> cases() {
  return {
      {"exp", Atom::exp, -20, 20, [](float a, float) { return std::exp(a); }, {}, {}, {}},
      {"expm1", Atom::expm1, -5, 5, [](float a, float) { return std::expm1(a); }, {}, {}, {}},
      {"log", Atom::log, 0.01F, 100, [](float a, float) { return std::log(a); }, {}, {}, {}},
      {"log1p", Atom::log1p, -0.9F, 10, [](float a, float) { return std::log1p(a); }, {}, {}, {}},
      {"sin", Atom::sin, -10, 10, [](float a, float) { return std::sin(a); }, {}, {}, {}},
      {"sin, large angles", Atom::sin, 1e6F, 1e9F, [](float a, float) { return std::sin(a); }, {}, {}, {}},
      {"cos", Atom::cos, -10, 10, [](float a, float) { return std::cos(a); }, {}, {}, {}},
      {"asin", Atom::asin, -1, 1, [](float a, float) { return std::asin(a); }, {}, {}, {}},
      {"atan2", Atom::atan2, -3, 3, [](float a, float b) { return std::atan2(a, b); }, {}, {}, {}},
      {"tanh", Atom::tanh, -5, 5, [](float a, float) { return std::tanh(a); }, {}, {}, {}},
      {"erf", Atom::erf, -3, 3, [](float a, float) { return std::erf(a); }, {}, {}, {}},
      {"erfc", Atom::erfc, -3, 3, [](float a, float) { return std::erfc(a); }, {}, {}, {}},
      {"cbrt", Atom::cbrt, -100, 100, [](float a, float) { return std::cbrt(a); }, {}, {}, {}},
      {"pow", Atom::pow, 0.1F, 5, [](float a, float b) { return std::pow(a, b); }, {}, {}, {}},
  };
}

// CPU time of this thread: what else the machine does is left out, but for the caches.
double cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

// For each element; the turns are doubled until they take long enough for the clock.
double nanoseconds(const std::function<void()>& f) {
  for (std::size_t turns = 4;; turns *= 2) {
    const double start = cpu_nanoseconds();
    for (std::size_t i = 0; i < turns; ++i) f();
    const double took = cpu_nanoseconds() - start;
    if (took > 2e6) return took / static_cast<double>(turns * elements);
  }
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

void measure(int rounds) {
  std::vector<float> a(elements), b(elements), out(elements);
  std::vector<Case> all = cases();
  for (int round = 0; round < rounds; ++round)
    for (Case& c : all) {
      // Spread by the golden ratio, so that neighbours lie far apart and no branch of the library's is predicted by the one before.
      for (std::size_t i = 0; i < elements; ++i) {
        const double u = static_cast<double>(i) * 0.6180339887498949, v = static_cast<double>(i) * 0.7548776662466927;
        a[i] = c.low + (c.high - c.low) * static_cast<float>(u - std::floor(u));
        b[i] = c.low + (c.high - c.low) * static_cast<float>(v - std::floor(v));
      }
      const loops::TileFunction function = loops::tile_function({c.atom, DType::f32, DType::f32});
      const void* in[] = {a.data(), b.data()};
      c.tile.push_back(nanoseconds([&] { function(out.data(), in, elements); }));
      c.standard.push_back(nanoseconds([&] {
        for (std::size_t i = 0; i < elements; ++i) out[i] = c.plain(a[i], b[i]);
      }));
      c.ratio.push_back(c.standard.back() / c.tile.back());
    }
  fmt::print("{}\n| function | operands | tile, ns | standard library, ns | times as fast |\n|:--|:--|--:|--:|--:|\n", loops::target_name());
  for (const Case& c : all)
    fmt::print("| {} | {:g} to {:g} | {:.2f} | {:.2f} | {:.1f} |\n", c.name, c.low, c.high, median(c.tile), median(c.standard), median(c.ratio));
}

}  // namespace
}  // namespace cotan

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 21;
  if (rounds < 1) {
    fmt::print(stderr, "usage: {} [ROUNDS], at least 1\n", argv[0]);
    return 2;
  }
  cotan::measure(rounds);
}
