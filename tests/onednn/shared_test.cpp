// Primitives shared by the whole process, and how work is cut into tiles.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "backends/onednn/primitive_cache.h"
#include "backends/onednn/tiles.h"

namespace cotan::onednn {
namespace {

MatmulProblem product(std::int64_t m, std::int64_t n, std::int64_t k) {
  MatmulProblem p;
  p.m = m;
  p.n = n;
  p.k = k;
  p.a_strides = {k, 1};
  p.b_strides = {n, 1};
  p.c_strides = {n, 1};
  return p;
}

TEST(SharedPrimitives, EqualProblemsShareOne) {
  const Made first = shared_primitive(product(5, 6, 7)), again = shared_primitive(product(5, 6, 7));
  ASSERT_TRUE(first);
  EXPECT_EQ(first.primitive, again.primitive);
  MatmulProblem adds = product(5, 6, 7), transposed = product(5, 6, 7);
  adds.after = {{PostOpKind::accumulate}};
  transposed.a_strides = {1, 5};
  EXPECT_NE(shared_primitive(adds).primitive, first.primitive);
  EXPECT_NE(shared_primitive(transposed).primitive, first.primitive);
  EXPECT_NE(shared_primitive(product(5, 7, 6)).primitive, first.primitive);
}

TEST(SharedPrimitives, RefusalsAreRemembered) {
  MatmulProblem spread = product(8, 8, 8);
  spread.a_strides = {16, 2};
  const Made first = shared_primitive(spread), again = shared_primitive(spread);
  EXPECT_FALSE(first);
  EXPECT_EQ(first.refusal, Refusal::layout);
  EXPECT_EQ(again.reason, first.reason);
}

TEST(SharedPrimitives, StayBoundedAndUsableWhileOthersPushThemOut) {
  const Made kept = shared_primitive(product(3, 3, 3));
  for (std::int64_t i = 0; i < 1100; ++i) {
    MatmulProblem refused = product(4, 4, 4);
    refused.a_strides = {2 * i + 100, 2};  // refusals cost nothing to make
    EXPECT_FALSE(shared_primitive(refused));
  }
  const Made anew = shared_primitive(product(3, 3, 3));
  ASSERT_TRUE(anew);
  EXPECT_NE(anew.primitive, kept.primitive);  // the first one was forgotten, and lives as long as it is held
  std::vector<float> a(9, 1), b(9, 2), c(9, 0);
  std::vector<std::byte> scratch(kept.primitive->scratch_bytes() + 64);
  const void* in[] = {a.data(), b.data()};
  kept.primitive->run(in, std::array<void*, 1>{c.data()}, scratch.data());
  EXPECT_EQ(c, std::vector<float>(9, 6));
}

TEST(SharedPrimitives, ManyThreadsAtOnce) {
  std::vector<std::thread> team;
  std::vector<int> made(4, 0);
  for (std::size_t t = 0; t < 4; ++t) {
    team.emplace_back([&, t] {
      for (std::int64_t i = 1; i < 30; ++i) made[t] += shared_primitive(product(i, 9, 9)) ? 1 : 0;
    });
  }
  for (std::thread& t : team) t.join();
  EXPECT_EQ(made, std::vector<int>(4, 29));
}

TEST(Tiles, PartsCoverTheRangeOnce) {
  for (std::int64_t total : {1, 2, 7, 16, 100, 1000}) {
    for (std::int64_t parts : {1, 2, 3, 4, 16, 2000}) {
      for (std::int64_t grain : {1, 8, 16}) {
        const Cut c = cut(total, parts, grain);
        EXPECT_LE(c.parts(), parts);
        std::int64_t next = 0;
        for (std::int64_t i = 0; i < c.parts(); ++i) {
          const Part p = c.part(i);
          EXPECT_EQ(p.first, next);
          EXPECT_GT(p.size, 0);
          EXPECT_TRUE(i + 1 == c.parts() || p.size % grain == 0);
          next += p.size;
        }
        EXPECT_EQ(next, total);
      }
    }
  }
}

TEST(Tiles, ProductsHaveFewShapesAndFewTiles) {
  for (const auto& [batch, m, n, k] :
       {std::tuple<int, int, int, int>{1, 1000, 128, 784}, {1, 784, 128, 1000}, {1, 64, 10, 128}, {12, 100, 100, 64}, {3, 37, 2000, 50}}) {
    for (int threads : {1, 2, 4, 16, 64}) {
      const MatmulCuts cuts = cut_matmul(batch, m, n, k, threads);
      EXPECT_LE(cuts.batch.parts() * cuts.m.parts() * cuts.n.parts(), threads == 1 ? 1 : 2 * threads);
      std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>> shapes;
      for (std::int64_t b = 0; b < cuts.batch.parts(); ++b)
        for (std::int64_t i = 0; i < cuts.m.parts(); ++i)
          for (std::int64_t j = 0; j < cuts.n.parts(); ++j) shapes.emplace(cuts.batch.part(b).size, cuts.m.part(i).size, cuts.n.part(j).size);
      EXPECT_LE(shapes.size(), 4u);
    }
  }
  // By rows, so that tiles are contiguous; by columns where b is too large for every worker to read it.
  EXPECT_EQ(cut_matmul(1, 64, 128, 784, 2).m.parts(), 2);
  EXPECT_EQ(cut_matmul(1, 784, 128, 64, 2).m.parts(), 2);
  EXPECT_EQ(cut_matmul(1, 128, 1024, 784, 2).n.parts(), 2);
  EXPECT_EQ(cut_matmul(1, 32, 32, 32, 16).m.parts(), 1);  // less than a tile's worth of work
  EXPECT_GE(cut_matmul(1, 1024, 1024, 1024, 16).m.parts() * cut_matmul(1, 1024, 1024, 1024, 16).n.parts(), 16);
}

}  // namespace
}  // namespace cotan::onednn
