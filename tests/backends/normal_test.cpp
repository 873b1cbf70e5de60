// Random numbers in compiled programs: the same whatever the thread count, as Box and Muller's transform of Philox numbers gives them, and normal.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/composites/composites.h"
#include "graph/executor.h"
#include "graph/threads.h"
#include "ops/philox.h"

namespace cotan {
namespace {

constexpr std::uint64_t key = 42, counter = 7, other_stream = counter + (std::uint64_t{1} << 62);
constexpr std::int64_t rows = 300, cols = 401;

// graph::normal's leaves, bound as an evaluation binds them.
std::vector<float> draw(int threads, double mean, double std) {
  set_threads(threads);
  const Ref roots[] = {graph::normal(key, counter, f32, {rows, cols}, mean, std)};
  Function f;
  f.results = {roots[0]};
  std::vector<InputValue> inputs;
  for (Node* n : topological(roots)) {
    if (n->kind != Kind::leaf) continue;
    const auto& leaf = n->as<LeafSpec>();
    f.parameters.emplace_back(n);
    inputs.push_back({nullptr, leaf.scalar, {leaf.key, leaf.counter}});
  }
  CompileOptions options;
  options.threads = threads;
  const StorageRef result = compile_program(f, topological(f.results), options)->run(inputs)[0];
  set_threads(0);
  const auto* values = static_cast<const float*>(result->data());
  return {values, values + rows * cols};
}

TEST(Normal, IsTheSameWhateverTheThreadCount) {
  const std::vector<float> one = draw(1, 0, 1);
  for (const int threads : {2, 4}) {
    const std::vector<float> more = draw(threads, 0, 1);
    EXPECT_EQ(std::memcmp(one.data(), more.data(), one.size() * sizeof(float)), 0) << threads << " threads";
  }
}

TEST(Normal, IsBoxAndMullersTransform) {
  const std::vector<float> got = draw(2, 1.5, 0.25);
  for (std::int64_t i = 0; i < 2000; ++i) {
    const double u = philox::uniform(key, counter, i, f32), v = philox::uniform(key, other_stream, i, f32);
    EXPECT_NEAR(got[static_cast<std::size_t>(i)], 1.5 + 0.25 * std::sqrt(-2 * std::log1p(-u)) * std::cos(2 * M_PI * v), 2e-6) << i;
  }
}

// The largest distance between the drawn distribution and the normal one (Kolmogorov and Smirnov): 1.63 / sqrt(n) is exceeded once in a hundred times.
TEST(Normal, IsNormal) {
  std::vector<float> x = draw(1, 0, 1);
  std::sort(x.begin(), x.end());
  const auto n = static_cast<double>(x.size());
  double distance = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double p = 0.5 * std::erfc(-x[i] / std::sqrt(2.0));
    distance = std::max({distance, std::abs(p - static_cast<double>(i) / n), std::abs(p - static_cast<double>(i + 1) / n)});
  }
  EXPECT_LT(distance, 1.63 / std::sqrt(n));
}

}  // namespace
}  // namespace cotan
