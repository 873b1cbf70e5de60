// Whether the thread sanitizer sees through the executor: the edges that libtbb hides are stated by backends/parallel/tsan_edges.h, and must be neither too
// few (a clean program would be reported) nor too many (a race would be hidden). Compiled into the tests of every build; it says something only in one with
// -fsanitize=thread, which ./check --sanitize makes. There, every other test of this folder is a clean program too.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "backends/parallel/parallel.h"
#include "graph/threads.h"

#if defined(__SANITIZE_THREAD__)
#define COTAN_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COTAN_TEST_TSAN 1
#endif
#endif

namespace cotan::parallel {
namespace {

// Each phase reads what other chunks of the phase before wrote, and the caller reads the last one's: clean.
TEST(ThreadSanitizer, FindsNothingWherePhasesOrderTheWork) {
  set_threads(4);
  std::vector<double> a(4000, 1.0), b(4000);
  double sum = 0;
  for (int turn = 0; turn < 50; ++turn) {
    run_phases(std::vector<std::int64_t>{8, 0, 5, 1, 8}, [&](std::int64_t phase, std::int64_t chunk, int) {
      const std::size_t n = phase == 2 ? 800 : phase == 3 ? 4000 : 500;
      // Every other phase in the opposite order, so that a chunk reads what another worker's wrote.
      const auto begin = static_cast<std::size_t>(phase == 2 ? 4 - chunk : chunk) * n;
      auto& from = phase == 2 ? b : a;
      auto& to = phase == 2 ? a : b;
      for (std::size_t i = begin; i < begin + n; ++i) to[i] = phase == 3 ? a[3999 - i] : from[i];
    });
    for (const double x : b) sum += x;
    a.assign(a.size(), 1.0);  // on the caller again: ordered after the helpers' reads
  }
  EXPECT_EQ(sum, 50 * 4000.0);
  set_threads(0);
}

#ifdef COTAN_TEST_TSAN

// Runs phases of two chunks until two threads had one each in every phase, some times over, then ends the process well (1: they never did): a race that was
// seen ends it otherwise. Whoever has a chunk waits for the helper to come to that phase. All of it relaxed, so that the waiting orders nothing.
template <class Body>
[[noreturn]] void run_until_shared(std::int64_t phases, Body body) {
  set_threads(2);
  const std::vector<std::int64_t> shape(static_cast<std::size_t>(phases), 2);
  int shared = 0;
  for (int turn = 0; turn < 500 && shared < 20; ++turn) {
    std::atomic<std::int64_t> helped{0};  // phases up to here had the helper
    run_phases(shape, [&](std::int64_t phase, std::int64_t chunk, int worker) {
      body(phase, chunk);
      if (worker != 0 && helped.load(std::memory_order_relaxed) == phase) helped.store(phase + 1, std::memory_order_relaxed);
      for (int k = 0; k < 1000 && helped.load(std::memory_order_relaxed) == phase; ++k) std::this_thread::yield();
    });
    shared += helped.load(std::memory_order_relaxed) == phases;
  }
  std::exit(shared > 0 ? 0 : 1);
}

class ThreadSanitizerDeathTest : public testing::Test {
 protected:
  // The child is this program run anew: a forked one would have the parent's threads missing.
  ThreadSanitizerDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

int racy = 0;
int ordered[2];

TEST_F(ThreadSanitizerDeathTest, SeesARaceBetweenChunksOfAPhase) {
  EXPECT_EXIT(
      run_until_shared(1, [](std::int64_t, std::int64_t) { ++racy; }), [](int status) { return status != 0; }, "data race");
}

// The race is between chunks of a later phase: the edges of the phases before it must not hide it.
TEST_F(ThreadSanitizerDeathTest, SeesARaceInALaterPhase) {
  const auto body = [](std::int64_t phase, std::int64_t chunk) {
    if (phase == 3) {
      ++racy;
    } else {
      ++ordered[chunk];
    }
  };
  EXPECT_EXIT(
      run_until_shared(5, body), [](int status) { return status != 0; }, "data race");
}

TEST_F(ThreadSanitizerDeathTest, LetsAChunkTakeUpWhatAnEarlierPhaseLeft) {
  const auto body = [](std::int64_t phase, std::int64_t chunk) { ++ordered[(chunk + phase) % 2]; };
  EXPECT_EXIT(run_until_shared(6, body), testing::ExitedWithCode(0), "");
}

#endif

}  // namespace
}  // namespace cotan::parallel
