// The board with helpers of the test's own making, so that who comes, and when, is decided here and not by TBB.
#include "backends/parallel/board.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "ops/float_mode.h"

namespace cotan::parallel {
namespace {

void nobody(int) {}

TEST(Board, AWalkEndsWhenNobodyHelps) {
  const auto board = std::make_unique<Board>();
  std::vector<std::int64_t> order;
  const auto note = [&](std::int64_t phase, std::int64_t chunk, int worker) {
    EXPECT_EQ(worker, 0);
    order.push_back(phase * 100 + chunk);
  };
  // The caller's own share of 6 chunks among a team of 3 is the first two; then the shares after it. A phase of one chunk is the caller's.
  EXPECT_TRUE(board->run(std::vector<std::int64_t>{6, 0, 1}, PhaseBody(note), 3, nobody));
  EXPECT_EQ(order, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 200}));
}

TEST(Board, HelpWithoutAWalkReturns) {
  const auto board = std::make_unique<Board>();
  board->help(0);
  board->help(1000);
}

Board* shared_board = nullptr;
std::vector<std::thread>* helpers = nullptr;

// Starts as many helpers as are asked for.
void start_helpers(int count) {
  for (int i = 0; i < count; ++i) helpers->emplace_back([i] { shared_board->help(i); });
}

TEST(Board, EveryWorkerBeginsWithItsOwnShare) {
  const auto board = std::make_unique<Board>();
  std::vector<std::thread> threads;
  shared_board = board.get();
  helpers = &threads;
  // Nobody goes on before all four have come, so each runs exactly one chunk of the first phase: the one of its share.
  for (int turn = 0; turn < 20; ++turn) {
    std::atomic<int> come{0};
    std::mutex mutex;
    std::vector<std::pair<std::int64_t, int>> who;
    const auto body = [&](std::int64_t, std::int64_t chunk, int worker) {
      ++come;
      while (come < 4) std::this_thread::yield();
      const std::lock_guard lock(mutex);
      who.emplace_back(chunk, worker);
    };
    EXPECT_TRUE(board->run(std::vector<std::int64_t>{4}, PhaseBody(body), 4, start_helpers));
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    ASSERT_EQ(who.size(), 4U);
    for (const auto& [chunk, worker] : who) EXPECT_EQ(chunk, worker);
  }
}

// Helpers compute in the caller's mode and have their own one back behind the walk, also where a body throws.
TEST(Board, HelpersTakeOverTheCallersFloatMode) {
  const auto board = std::make_unique<Board>();
  std::vector<std::thread> threads;
  shared_board = board.get();
  helpers = &threads;
  static std::atomic<int> lost{0};
  const auto summon = [](int count) {
    for (int i = 0; i < count; ++i)
      helpers->emplace_back([i] {
        const FloatScope own(FloatMode::of_programs(i % 2 == 0));
        const FloatMode before = FloatMode::current();
        shared_board->help(i);
        if (FloatMode::current() != before) ++lost;
      });
  };
  for (const bool flushes : {true, false})
    for (const bool throws : {true, false}) {
      const FloatScope caller(FloatMode::of_programs(flushes));
      std::atomic<int> come{0}, others{0};
      const auto body = [&](std::int64_t, std::int64_t, int) {
        ++come;
        while (come < 4) std::this_thread::yield();
        if (FloatMode::current().flushes() != flushes) ++others;
        if (throws) throw std::runtime_error("a body's");
      };
      const auto run = [&] { EXPECT_TRUE(board->run(std::vector<std::int64_t>{4}, PhaseBody(body), 4, summon)); };
      if (throws)
        EXPECT_THROW(run(), std::runtime_error);
      else
        run();
      for (std::thread& thread : threads) thread.join();
      threads.clear();
      EXPECT_EQ(others.load(), 0);
      EXPECT_EQ(lost.load(), 0);
      EXPECT_EQ(FloatMode::current().flushes(), flushes);
    }
}

TEST(Board, NoMoreHelpersThanSeats) {
  const auto board = std::make_unique<Board>();
  std::vector<std::thread> threads;
  shared_board = board.get();
  helpers = &threads;
  for (int turn = 0; turn < 50; ++turn) {
    std::mutex mutex;
    std::set<int> workers;
    std::set<std::thread::id> ids;
    std::atomic<int> ran{0};
    const auto body = [&](std::int64_t, std::int64_t, int worker) {
      ++ran;
      const std::lock_guard lock(mutex);
      workers.insert(worker);
      ids.insert(std::this_thread::get_id());
    };
    // Twice as many come as were asked for.
    const auto crowd = [](int count) { start_helpers(2 * count); };
    EXPECT_TRUE(board->run(std::vector<std::int64_t>{50, 3, 50}, PhaseBody(body), 3, crowd));
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    EXPECT_EQ(ran.load(), 103);
    EXPECT_LE(ids.size(), 3U);
    EXPECT_EQ(ids.size(), workers.size());
    EXPECT_LT(*workers.rbegin(), 3);
  }
}

TEST(Board, HelpersLookOnForWalksUntilThereAreNone) {
  const auto board = std::make_unique<Board>();
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> helped{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      while (!stop) {
        board->help(i);
        std::this_thread::yield();
      }
    });
  }
  std::int64_t ran = 0;
  for (int turn = 0; turn < 20000; ++turn) {
    std::vector<int> chunks(8, 0);
    std::atomic<int> by_helpers{0};
    const auto body = [&](std::int64_t, std::int64_t chunk, int worker) {
      ++chunks[static_cast<std::size_t>(chunk)];
      if (worker != 0) ++by_helpers;
      if (turn % 100 == 0) std::this_thread::yield();  // on one CPU, a helper's only chance
    };
    ASSERT_TRUE(board->run(std::vector<std::int64_t>{8, 8}, PhaseBody(body), 4, nobody));
    for (const int count : chunks) ran += count;
    helped += by_helpers;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ran, 20000 * 16);
  EXPECT_GT(helped.load(), 0);
}

TEST(Board, RefusesAWalkWhenAllSlotsAreTaken) {
  const auto board = std::make_unique<Board>();
  int depth = 0, refused = 0;
  // Walks within walks on one thread, which run_phases() never makes, take slot after slot.
  const auto nest = [&](auto& self) -> void {
    const auto body = [&](std::int64_t, std::int64_t chunk, int) {
      if (chunk == 0) {
        ++depth;
        self(self);
      }
    };
    if (!board->run(std::vector<std::int64_t>{2}, PhaseBody(body), 2, nobody)) ++refused;
  };
  nest(nest);
  EXPECT_EQ(depth, 64);
  EXPECT_EQ(refused, 1);
  nest(nest);
  EXPECT_EQ(depth, 128) << "all slots were free again";
}

}  // namespace
}  // namespace cotan::parallel
