// The machine's peaks. What a core does on its own is the best of many short pieces, so that what else runs on the machine disturbs it little; the memory,
// which the cores share, is the best of a few rounds of all of them.
#include "graph/machine.h"

#include <immintrin.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <mutex>
#include <vector>

#include "backends/parallel/parallel.h"
#include "graph/storage.h"
#include "graph/target.h"

namespace cotan {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int fma_rounds = 25'000;
constexpr int parts = 24;   // chunks for each worker: one that joins late costs little
constexpr int chains = 12;  // independent sums: more than a multiply-add's latency times the units

// So that the compiler cannot know the numbers, nor leave the loop out.
volatile float seed = 1e-9F;
volatile float sink = 0;

// Each returns how many operations it did.
__attribute__((target("avx512f"))) double fma_avx512() {
  const __m512 factor = _mm512_set1_ps(seed), start = _mm512_set1_ps(seed);
  __m512 sums[chains];
  for (__m512& s : sums) s = start;
  for (int i = 0; i < fma_rounds; ++i)
#pragma GCC unroll 12
    for (__m512& s : sums) s = _mm512_fmadd_ps(s, factor, start);
  __m512 total = start;
  for (const __m512& s : sums) total = _mm512_add_ps(total, s);
  sink = _mm512_cvtss_f32(total);
  return 2.0 * 16 * chains * fma_rounds;
}

__attribute__((target("avx2,fma"))) double fma_avx2() {
  const __m256 factor = _mm256_set1_ps(seed), start = _mm256_set1_ps(seed);
  __m256 sums[chains];
  for (__m256& s : sums) s = start;
  for (int i = 0; i < fma_rounds; ++i)
#pragma GCC unroll 12
    for (__m256& s : sums) s = _mm256_fmadd_ps(s, factor, start);
  __m256 total = _mm256_setzero_ps();
  for (const __m256& s : sums) total = _mm256_add_ps(total, s);
  sink = _mm256_cvtss_f32(total);
  return 2.0 * 8 * chains * fma_rounds;
}

double fma_sse() {
  const __m128 factor = _mm_set1_ps(seed), start = _mm_set1_ps(seed);
  __m128 sums[chains];
  for (__m128& s : sums) s = start;
  for (int i = 0; i < fma_rounds; ++i)
#pragma GCC unroll 12
    for (__m128& s : sums) s = _mm_add_ps(_mm_mul_ps(s, factor), start);
  __m128 total = _mm_setzero_ps();
  for (const __m128& s : sums) total = _mm_add_ps(total, s);
  sink = _mm_cvtss_f32(total);
  return 2.0 * 4 * chains * fma_rounds;
}

double fma_here() {
  if (__builtin_cpu_supports("avx512f")) return fma_avx512();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return fma_avx2();
  return fma_sse();
}

// a = b + s * c over n elements, a multiple of 64; the bytes are those of three tensors.
__attribute__((target("avx2"))) void triad_avx2(float* a, const float* b, const float* c, std::size_t n, float s) {
  const __m256 factor = _mm256_set1_ps(s);
  for (std::size_t i = 0; i < n; i += 8) _mm256_storeu_ps(a + i, _mm256_add_ps(_mm256_loadu_ps(b + i), _mm256_mul_ps(factor, _mm256_loadu_ps(c + i))));
}

void triad(float* a, const float* b, const float* c, std::size_t n, float s) {
  if (__builtin_cpu_supports("avx2")) return triad_avx2(a, b, c, n, s);
  for (std::size_t i = 0; i < n; ++i) a[i] = b[i] + s * c[i];
}

double seconds_of(const auto& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Of the cache that the cores share; it matters to measurements alone.
std::size_t shared_cache() {
  const long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return bytes > 0 ? static_cast<std::size_t>(bytes) : 32 << 20;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.find(':') + 2, line.size()));
  return "unknown processor";
}

Machine measure(int workers) {
  Machine m;
  m.processor = processor_name();
  m.threads = workers;
  const auto all_parts = static_cast<std::size_t>(workers * parts);
  const auto on_all = [&](std::size_t chunks, auto&& body) {
    parallel::run_chunks(static_cast<std::int64_t>(chunks),
                         [&](std::int64_t chunk, int worker) { body(static_cast<std::size_t>(chunk), static_cast<std::size_t>(worker)); });
  };
  // The best rate, in 10^9 a second, at which a worker did `amount` while the others did as well.
  const auto best_of_a_core = [&](const auto& work) {
    std::vector<double> rates(all_parts);
    on_all(all_parts, [&](std::size_t chunk, std::size_t worker) {
      double amount = 0;
      const double seconds = seconds_of([&] { amount = work(worker); });
      rates[chunk] = amount / seconds / 1e9;
    });
    return *std::max_element(rates.begin(), rates.end());
  };
  m.gflops = workers * best_of_a_core([](std::size_t) { return fma_here(); });

  const std::size_t own = static_cast<std::size_t>(this_machine().second_cache), shared = shared_cache();
  m.cache_bytes = static_cast<double>(own) * workers;
  const float s = seed;
  {
    // A third of the cache of each worker for the three of them, over and over.
    const std::size_t n = own / 9 / sizeof(float) / 64 * 64;
    const int repeats = 8;
    std::vector<StorageRef> memory(static_cast<std::size_t>(workers));
    for (StorageRef& block : memory) {
      block = allocate(3 * n * sizeof(float));
      std::fill_n(static_cast<float*>(block->data()), 3 * n, 1.0F);
    }
    m.cache_gbs = workers * best_of_a_core([&](std::size_t worker) {
                    float* const a = static_cast<float*>(memory[worker]->data());
                    for (int r = 0; r < repeats; ++r) triad(a, a + n, a + 2 * n, n, s);
                    return 3.0 * static_cast<double>(n * sizeof(float)) * repeats;
                  });
  }
  // Twice the shared cache, but no more than 192 MB: what first touches the memory takes longer than the measurement.
  const std::size_t bytes = std::clamp<std::size_t>(2 * shared, std::size_t{48} << 20, std::size_t{192} << 20);
  const std::size_t n = bytes / 3 / sizeof(float) / all_parts / 64 * 64, total = n * all_parts;
  const StorageRef memory = allocate(3 * total * sizeof(float));
  float* const a = static_cast<float*>(memory->data());
  const auto stream = [&] { on_all(all_parts, [&](std::size_t k, std::size_t) { triad(a + k * n, a + total + k * n, a + 2 * total + k * n, n, s); }); };
  on_all(all_parts, [&](std::size_t k, std::size_t) {
    for (std::size_t t = 0; t < 3; ++t) std::fill_n(a + t * total + k * n, n, 1.0F);
  });
  double least = seconds_of(stream);
  for (int round = 1; round < 3; ++round) least = std::min(least, seconds_of(stream));
  m.memory_gbs = 3.0 * static_cast<double>(total * sizeof(float)) / least / 1e9;
  return m;
}

}  // namespace

const Machine& measured_machine() {
  static std::mutex mutex;
  static auto& measured = *new std::map<int, Machine>;
  const int workers = parallel::worker_count();
  std::lock_guard lock(mutex);
  auto found = measured.find(workers);
  if (found == measured.end()) found = measured.emplace(workers, measure(workers)).first;
  return found->second;
}

}  // namespace cotan
