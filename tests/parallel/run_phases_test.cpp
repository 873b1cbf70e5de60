#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "backends/parallel/parallel.h"
#include "graph/threads.h"
#include "ops/error.h"

namespace cotan::parallel {
namespace {

// Sets the number of threads for a test; the default comes back after it.
struct Threads {
  explicit Threads(int n) { set_threads(n); }
  ~Threads() { set_threads(0); }
};

// How often each chunk ran, and what a body may find wrong, for any shape.
struct Record {
  explicit Record(std::vector<std::int64_t> shape) : chunks(std::move(shape)), first(chunks.size()) {
    std::int64_t total = 0;
    for (std::size_t p = 0; p < chunks.size(); ++p) {
      first[p] = total;
      total += chunks[p];
    }
    count = std::make_unique<std::atomic<int>[]>(static_cast<std::size_t>(total));
    left = std::make_unique<std::atomic<std::int64_t>[]>(chunks.size());
    for (std::size_t p = 0; p < chunks.size(); ++p) left[p] = chunks[p];
    busy = std::make_unique<std::atomic<int>[]>(kMost);
    this->total = total;
  }

  // What a body does: checks that all earlier phases are over, that the worker's number is its own, and counts.
  void operator()(std::int64_t phase, std::int64_t chunk, int worker) {
    if (worker < 0 || worker >= worker_count()) ++faults;
    if (busy[static_cast<std::size_t>(worker)].fetch_add(1) != 0) ++faults;
    if (phase > 0 && left[static_cast<std::size_t>(phase - 1)].load() != 0) ++faults;
    if (phase > 1 && left[static_cast<std::size_t>(phase - 2)].load() != 0) ++faults;
    if (chunk < 0 || chunk >= chunks[static_cast<std::size_t>(phase)]) ++faults;
    ++count[static_cast<std::size_t>(first[static_cast<std::size_t>(phase)] + chunk)];
    if (!inside_body()) ++faults;
    left[static_cast<std::size_t>(phase)].fetch_sub(1);
    busy[static_cast<std::size_t>(worker)].fetch_sub(1);
  }

  void expect_each_once() const {
    EXPECT_EQ(faults.load(), 0);
    for (std::int64_t i = 0; i < total; ++i) ASSERT_EQ(count[static_cast<std::size_t>(i)].load(), 1) << "chunk " << i << " in the order of phases";
  }

  static constexpr std::size_t kMost = 1024;
  std::vector<std::int64_t> chunks, first;
  std::int64_t total = 0;
  std::unique_ptr<std::atomic<int>[]> count, busy;
  std::unique_ptr<std::atomic<std::int64_t>[]> left;
  std::atomic<int> faults{0};
};

TEST(RunPhases, RunsEachChunkOnceWhateverTheShape) {
  const std::vector<std::vector<std::int64_t>> shapes = {
      {}, {0}, {1}, {2}, {0, 0, 0}, {0, 5, 0}, {1, 1, 1, 1}, {1, 16, 1, 16, 0, 3}, {7}, {1000}, {3, 0, 1000, 2, 1, 17, 64, 0}, {64, 64, 64, 64},
  };
  for (const int n : {1, 2, 3, 8, 17}) {
    const Threads threads(n);
    for (const auto& shape : shapes) {
      for (const bool serial : {false, true}) {
        SCOPED_TRACE(testing::Message() << n << " threads, " << shape.size() << " phases, serial " << serial);
        Record record(shape);
        run_phases(shape, record, serial);
        record.expect_each_once();
      }
    }
  }
}

TEST(RunPhases, WritesOfAPhaseAreSeenInTheNextOne) {
  const Threads threads(4);
  constexpr int kChunks = 24, kPhases = 400;
  // Each phase adds up neighbours of the phase before: plain memory, so a chunk that ran early would spoil every later number.
  std::vector<std::uint64_t> now(kChunks, 1), next(kChunks), expected(kChunks, 1);
  const std::vector<std::int64_t> shape(kPhases, kChunks);
  for (int p = 0; p < kPhases; ++p) {
    auto before = expected;
    for (std::size_t i = 0; i < kChunks; ++i) expected[i] = before[i] + 3 * before[(i + 1) % kChunks] + before[(i + 7) % kChunks];
  }
  run_phases(shape, [&](std::int64_t phase, std::int64_t chunk, int) {
    auto& from = phase % 2 == 0 ? now : next;
    auto& to = phase % 2 == 0 ? next : now;
    const auto i = static_cast<std::size_t>(chunk);
    to[i] = from[i] + 3 * from[(i + 1) % kChunks] + from[(i + 7) % kChunks];
  });
  EXPECT_EQ(now, expected);
}

TEST(RunPhases, WalksAHundredThousandPhases) {
  const Threads threads(2);
  std::vector<std::int64_t> shape(100000);
  for (std::size_t p = 0; p < shape.size(); ++p) shape[p] = static_cast<std::int64_t>(p % 4);
  Record record(shape);
  run_phases(shape, record);
  record.expect_each_once();
}

TEST(RunPhases, WalksAMillionEmptyPhases) {
  const Threads threads(2);
  std::vector<std::int64_t> shape(1000000);
  shape.back() = 3;
  std::atomic<int> ran{0};
  run_phases(shape, [&](std::int64_t phase, std::int64_t, int) { ran += phase == 999999; });
  EXPECT_EQ(ran.load(), 3);
}

// Most of these calls are over before a helper wakes, so helpers come late to almost every one.
TEST(RunPhases, HelpersThatComeLateFindNothingToDoAndDoNoHarm) {
  for (const int n : {2, 8}) {
    const Threads threads(n);
    std::int64_t wrong = 0;
    for (int i = 0; i < 100000; ++i) {
      // Memory of this turn alone: a body that ran after its call would write into the next turn's.
      const auto sums = std::make_unique<std::atomic<int>[]>(2);
      const std::vector<std::int64_t> shape = {1 + i % 3, i % 2};
      run_phases(shape, [&](std::int64_t phase, std::int64_t, int) { sums[static_cast<std::size_t>(phase)].fetch_add(1); });
      wrong += sums[0] != 1 + i % 3 || sums[1] != i % 2;
    }
    EXPECT_EQ(wrong, 0);
  }
}

TEST(RunPhases, HelpersDoCome) {
  const Threads threads(2);
  // The caller waits in its chunk until somebody else has begun the other one. No helper is owed to a call, so there is a bound and another try.
  bool helped = false;
  for (int i = 0; i < 200 && !helped; ++i) {
    std::atomic<bool> other{false};
    run_chunks(2, [&](std::int64_t, int worker) {
      if (worker != 0) other = true;
      for (int k = 0; k < 100000 && !other; ++k) std::this_thread::yield();
    });
    helped = other;
  }
  EXPECT_TRUE(helped);
}

TEST(RunPhases, AWorkerTakesItsOwnShareFirst) {
  const Threads threads(4);
  // The caller's first chunk of each phase is the first chunk: whoever comes takes from its own share before it looks elsewhere.
  const std::vector<std::int64_t> shape = {8, 8, 4, 16, 1, 8};
  for (int i = 0; i < 200; ++i) {
    std::vector<std::int64_t> first_of_caller(shape.size(), -1);
    std::vector<std::atomic<int>> taken_first_by(shape.size());
    for (auto& worker : taken_first_by) worker = -1;
    run_phases(shape, [&](std::int64_t phase, std::int64_t chunk, int worker) {
      const auto p = static_cast<std::size_t>(phase);
      if (chunk == 0) taken_first_by[p] = worker;
      if (worker == 0 && first_of_caller[p] < 0) first_of_caller[p] = chunk;
    });
    for (std::size_t p = 0; p < shape.size(); ++p) {
      if (taken_first_by[p] == 0) {
        EXPECT_EQ(first_of_caller[p], 0);
      }
    }
  }
}

TEST(RunPhases, TheCallerDoesItAllWhenNobodyComes) {
  // More threads than this machine has, each chunk tiny: whoever is there takes every share, not only its own.
  const Threads threads(64);
  Record record({64, 1, 64, 63, 65});
  run_phases(record.chunks, record);
  record.expect_each_once();
}

TEST(RunPhases, SerialRunsStayOnTheCallingThreadInOrder) {
  const Threads threads(8);
  std::vector<std::pair<std::int64_t, std::int64_t>> order;
  const auto here = std::this_thread::get_id();
  run_phases(
      std::vector<std::int64_t>{2, 0, 3},
      [&](std::int64_t phase, std::int64_t chunk, int worker) {
        EXPECT_EQ(worker, 0);
        EXPECT_EQ(std::this_thread::get_id(), here);
        order.emplace_back(phase, chunk);
      },
      true);
  EXPECT_EQ(order, (std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 0}, {0, 1}, {2, 0}, {2, 1}, {2, 2}}));
  EXPECT_FALSE(inside_body());
}

TEST(RunPhases, ACallInsideABodyRunsSerially) {
  const Threads threads(4);
  std::atomic<int> inner{0}, faults{0};
  run_chunks(16, [&](std::int64_t, int) {
    const auto here = std::this_thread::get_id();
    run_chunks(32, [&](std::int64_t, int worker) {
      if (worker != 0 || std::this_thread::get_id() != here) ++faults;
      run_chunks(2, [&](std::int64_t, int) { ++inner; });
    });
    if (!inside_body()) ++faults;
  });
  EXPECT_EQ(inner.load(), 16 * 32 * 2);
  EXPECT_EQ(faults.load(), 0);
  EXPECT_FALSE(inside_body());
}

TEST(RunPhases, RethrowsAndSkipsThePhasesAfter) {
  for (const int n : {1, 2, 8}) {
    const Threads threads(n);
    for (int i = 0; i < 500; ++i) {
      std::atomic<int> running{0}, later{0};
      std::string caught;
      try {
        run_phases(std::vector<std::int64_t>{16, 16, 16}, [&](std::int64_t phase, std::int64_t chunk, int) {
          ++running;
          if (phase == 2) ++later;
          if (phase == 1 && chunk == i % 16) {
            --running;
            throw std::runtime_error("chunk " + std::to_string(chunk));
          }
          --running;
        });
      } catch (const std::runtime_error& error) {
        caught = error.what();
      }
      ASSERT_EQ(running.load(), 0) << "a body still ran when the call had thrown";
      ASSERT_EQ(caught, "chunk " + std::to_string(i % 16));
      ASSERT_EQ(later.load(), 0);
    }
  }
}

TEST(RunPhases, OfManyExceptionsOneArrives) {
  const Threads threads(4);
  for (int i = 0; i < 200; ++i) {
    EXPECT_THROW(run_chunks(64, [&](std::int64_t, int) { fail("every chunk fails", "Nothing helps"); }), Error);
  }
  // And the next call is none the worse.
  Record record({64, 64});
  run_phases(record.chunks, record);
  record.expect_each_once();
}

TEST(RunPhases, ASerialExceptionLeavesTheThreadOutsideOfBodies) {
  EXPECT_THROW(run_phases(
                   std::vector<std::int64_t>{3}, [](std::int64_t, std::int64_t, int) { throw 7; }, true),
               int);
  EXPECT_FALSE(inside_body());
}

TEST(RunPhases, AnyNumberOfThreadsMayCall) {
  const Threads threads(3);
  // More callers than the board has slots, so that some find none.
  constexpr int kCallers = 80;
  std::atomic<int> ready{0}, faults{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < kCallers; ++c) {
    callers.emplace_back([&, c] {
      ++ready;
      while (ready != kCallers) std::this_thread::yield();
      for (int i = 0; i < 20; ++i) {
        const std::int64_t own = c * 1000 + i;
        std::vector<std::int64_t> sums(8, 0);
        run_phases(std::vector<std::int64_t>{8, 8, 8, 8, 8}, [&](std::int64_t, std::int64_t chunk, int worker) {
          if (worker < 0 || worker >= 3) ++faults;
          sums[static_cast<std::size_t>(chunk)] += own;
        });
        for (const std::int64_t sum : sums) faults += sum != own * 5;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(faults.load(), 0);
}

TEST(RunPhases, TheNumberOfThreadsMayChangeMeanwhile) {
  const Threads threads(2);
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    for (int i = 0; !stop; ++i) {
      set_threads(1 + i % 6);
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::atomic<int>> busy(6);
    std::atomic<int> faults{0}, ran{0};
    run_phases(std::vector<std::int64_t>{6, 12, 3}, [&](std::int64_t, std::int64_t, int worker) {
      if (worker < 0 || worker >= 6 || busy[static_cast<std::size_t>(worker)].fetch_add(1) != 0) ++faults;
      ++ran;
      busy[static_cast<std::size_t>(worker)].fetch_sub(1);
    });
    ASSERT_EQ(faults.load(), 0);
    ASSERT_EQ(ran.load(), 21);
  }
  stop = true;
  changer.join();
}

TEST(RunPhases, RefusesCountsThatNoPlanHas) {
  const auto nothing = [](std::int64_t, std::int64_t, int) {};
  EXPECT_THROW(run_phases(std::vector<std::int64_t>{4, -1}, nothing), InternalError);
  EXPECT_THROW(run_phases(std::vector<std::int64_t>{std::int64_t{1} << 32}, nothing), InternalError);
}

TEST(RunPhases, WorkerCountIsTheNumberOfThreads) {
  const Threads threads(5);
  EXPECT_EQ(worker_count(), 5);
}

}  // namespace
}  // namespace cotan::parallel
