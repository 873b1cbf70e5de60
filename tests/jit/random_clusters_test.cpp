// Random clusters: generated code has the bits of the tile evaluator.
#include "backends/loops/jit/code_cache.h"
#include "backends/loops/jit/recording.h"
#include "tests/jit/clusters.h"

namespace cotan::jit_test {
namespace {

Cluster random_cluster(Random& random) {
  ClusterMaker make(random);
  // Now and then more operands than there are registers for their addresses.
  for (std::int64_t k = random.chance(0.2) ? random.integer(6, 14) : random.integer(1, 5); k > 0; --k)
    make.load(random.pick({f32, f32, f32, i32, u8, bf16, boolean}));
  int last = 0;
  for (std::int64_t k = random.integer(1, 25); k > 0; --k) last = make.grow();
  make.store(last);
  while (random.chance(0.4)) make.store(static_cast<int>(random.integer(0, make.size() - 1)));
  return make.finish(2);
}

// More values alive at once than there are registers: all are made before any is read. With masks among them, so that those run out too.
Cluster wide_cluster(Random& random, int width) {
  ClusterMaker make(random);
  const int x = make.load(f32), y = make.load(f32), b = make.load(boolean);
  std::vector<int> values, masks;
  int chain = x;
  for (int k = 0; k < width; ++k) {
    chain = make.node(k % 3 == 0 ? Atom::mul : Atom::add, f32, chain, k % 2 == 0 ? y : make.constant(f32));
    values.push_back(chain);
    if (k % 4 == 0) masks.push_back(make.node(Atom::lt, boolean, chain, y));
  }
  int sum = y, mask = b;
  for (int k = 0; k < width; ++k) {
    sum = make.node(k % 5 == 0 ? Atom::max : Atom::add, f32, sum, values[static_cast<std::size_t>(k)]);
    if (k % 4 == 0) {
      mask = make.node(Atom::xor_, boolean, mask, masks[static_cast<std::size_t>(k / 4)]);
      sum = make.node(Atom::where, f32, mask, sum, make.node(Atom::tanh, f32, sum));
    }
  }
  make.store(sum);
  make.store(mask);
  make.store(chain);
  return make.finish(2);
}

std::pair<std::int64_t, std::int64_t> random_extents(Random& random) {
  if (random.chance(0.1)) return {random.integer(1, 3), random.integer(500, 1500)};
  return {random.integer(1, 12), random.integer(1, 70)};
}

TEST(RandomClusters, HaveTheBitsOfTheTileEvaluator) {
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Cluster cluster = random_cluster(random);
    for (int sizes = 0; sizes < 2; ++sizes) {
      const auto [rows, columns] = random_extents(random);
      const Memory memory = random_memory(random, cluster, rows, columns);
      for (const InstructionSet m : instruction_sets()) ASSERT_NO_FATAL_FAILURE(expect_same(cluster, memory, m));
    }
  }
}

TEST(RandomClusters, SpillWhereTheyAreWideAndKeepTheirBits) {
  Random random(77);
  for (const int width : {10, 45, 70, 160}) {
    const Cluster cluster = wide_cluster(random, width);
    for (const std::int64_t columns : {1, 15, 33, 70}) {
      const Memory memory = random_memory(random, cluster, 3, columns);
      for (const InstructionSet m : instruction_sets()) ASSERT_NO_FATAL_FAILURE(expect_same(cluster, memory, m));
    }
    const std::vector<loops::jit::Level> levels(cluster.loads.size(), loops::jit::Level::column);
    for (const InstructionSet m : instruction_sets())
      EXPECT_EQ(loops::jit::code_for(cluster, levels, m)->spills() > 0, width > 40 || m == InstructionSet::avx2) << width;
  }
}

TEST(RandomClusters, EveryNumberOfColumnsAndEveryTypeOfTail) {
  Random random(5);
  for (const DType dtype : {f32, i32, u8, bf16, boolean}) {
    ClusterMaker make(random);
    const int a = make.load(dtype), b = make.load(dtype), c = make.load(boolean);
    make.store(make.node(Atom::where, dtype, c, a, b));
    make.store(a);
    make.store(c);
    const Cluster cluster = make.finish(2);
    for (std::int64_t columns = 1; columns <= 70; ++columns) {
      const Memory memory = random_memory(random, cluster, 3, columns);
      for (const InstructionSet m : instruction_sets()) ASSERT_NO_FATAL_FAILURE(expect_same(cluster, memory, m));
    }
  }
}

TEST(RandomClusters, LargeDomainsInChunks) {
  Random random(6);
  for (const auto& [rows, columns] : {std::pair{1, 100003}, {300, 1111}, {5003, 17}, {64, 1500}, {20000, 3}}) {
    ClusterMaker make(random);
    const int a = make.load(f32), b = make.load(f32), c = make.load(boolean);
    make.store(make.node(Atom::where, f32, c, make.node(Atom::mul, f32, a, b), b));
    const Cluster cluster = make.finish(2);
    const Memory memory = random_memory(random, cluster, rows, columns);
    for (const InstructionSet m : instruction_sets()) ASSERT_NO_FATAL_FAILURE(expect_same(cluster, memory, m));
  }
}

TEST(RandomClusters, AnyStridesOfSeveralDimensions) {
  Random random(8);
  for (int k = 0; k < 300; ++k) {
    ClusterMaker make(random);
    const int a = make.load(f32), b = make.load(u8);
    make.store(make.node(Atom::mul, f32, a, make.node(Atom::cast, f32, b)));
    const Cluster cluster = make.finish(4);
    Memory memory;
    Shape shape = loops_test::random_shape(random, 4, 6);
    if (k % 4 == 0) shape[3] = random.integer(30, 60);
    for (const DType dtype : {f32, u8}) {
      memory.in.push_back(loops_test::random_buffer(random, dtype, shape, true));
      loops_test::fill_random(random, memory.in.back());
    }
    memory.out.push_back(loops_test::random_buffer(random, f32, shape));
    for (const InstructionSet m : instruction_sets()) ASSERT_NO_FATAL_FAILURE(expect_same(cluster, memory, m));
  }
}

}  // namespace
}  // namespace cotan::jit_test
