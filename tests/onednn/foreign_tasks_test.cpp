// The hardest case for a library that waits in the same scheduler as its caller: every tile is a TBB task of its own, so that a thread waiting inside a
// primitive would find plenty of others to pick up. It would enter the body again and overwrite the scratch of the tile it interrupted.
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "backends/onednn/one_thread.h"
#include "tests/onednn/helpers.h"

namespace cotan::onednn::testing {
namespace {

TEST(ForeignTasks, ArePickedUpByNoPrimitive) {
  constexpr std::int64_t tiles = 10000, m = 256, k = 32, n = 64, different = 5;
  MatmulProblem problem;
  problem.m = m;
  problem.k = k;
  problem.n = n;
  problem.a_strides = {k, 1};
  problem.b_strides = problem.c_strides = {n, 1};
  // More threads than cores: then one that waits does so for long.
  const tbb::global_control allowed(tbb::global_control::max_allowed_parallelism, 8);
  tbb::task_arena arena(8);
  Made made;
  arena.execute([&] { made = Primitive::make(problem); });  // where an unheld library would count on eight threads
  ASSERT_TRUE(made) << made.reason;
  std::vector<Tensor> a(different, Tensor({m, k})), want(different, Tensor({m, n}));
  Tensor b({k, n});
  b.fill(7);
  for (std::size_t i = 0; i < different; ++i) run(*made.primitive, {&a[i].fill(static_cast<std::uint32_t>(i)), &b}, want[i]);

  std::atomic<int> reentered{0}, wrong{0}, ran{0};
  arena.execute([&] {
    tbb::parallel_for(
        std::int64_t{0}, tiles,
        [&](std::int64_t tile) {
          thread_local int depth = 0;
          thread_local std::vector<float> c(m * n);
          thread_local Scratch scratch(made.primitive->scratch_bytes());
          if (++depth != 1) ++reentered;
          ++ran;
          const std::size_t which = static_cast<std::size_t>(tile % different);
          const std::array<const void*, 2> inputs{a[which].data(), b.data()};
          made.primitive->run(inputs, std::array<void*, 1>{c.data()}, scratch.data());
          if (std::memcmp(c.data(), want[which].data(), c.size() * sizeof(float)) != 0) ++wrong;
          --depth;
        },
        tbb::simple_partitioner{});
  });
  EXPECT_EQ(ran.load(), tiles);
  EXPECT_EQ(reentered.load(), 0);
  EXPECT_EQ(wrong.load(), 0) << "a tile's result differs from the same product computed alone";
}

// The same with a stand-in for the library that splits its work and waits far more often than a primitive does.
TEST(ForeignTasks, StayOutsideAHeldCall) {
  if (std::string(thread_runtime()) != "TBB") {
    EXPECT_EQ(std::string(thread_runtime()), "OpenMP") << "this build is held by the number of OpenMP threads";
    return;
  }
  const tbb::global_control allowed(tbb::global_control::max_allowed_parallelism, 8);
  tbb::task_arena arena(8);
  std::atomic<int> reentered{0}, elsewhere{0}, wide{0}, pieces{0};
  arena.execute([&] {
    tbb::parallel_for(
        0, 500,
        [&](int) {
          thread_local int depth = 0;
          if (++depth != 1) ++reentered;
          on_one_thread([&] {
            if (tbb::this_task_arena::max_concurrency() != 1) ++wide;
            const std::thread::id here = std::this_thread::get_id();
            tbb::parallel_for(
                0, 16,
                [&](int) {
                  if (std::this_thread::get_id() != here) ++elsewhere;
                  ++pieces;
                  std::this_thread::yield();
                },
                tbb::simple_partitioner{});
          });
          --depth;
        },
        tbb::simple_partitioner{});
  });
  EXPECT_EQ(pieces.load(), 500 * 16);
  EXPECT_EQ(wide.load(), 0) << "the library would count on more threads than one";
  EXPECT_EQ(elsewhere.load(), 0) << "another thread took part in a held call";
  EXPECT_EQ(reentered.load(), 0);
}

}  // namespace
}  // namespace cotan::onednn::testing
