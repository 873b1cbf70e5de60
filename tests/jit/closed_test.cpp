// Loops that end in sums: generated code and tiles have the bits of the loop and of the sums apart.
#include <fmt/ranges.h>

#include "graph/closed_loop.h"
#include "graph/text/text.h"
#include "tests/jit/clusters.h"

namespace cotan::jit_test {
namespace {

// A sum of a tensor of that shape, as text, and its result's shape.
struct SumOf {
  SumSpecRef spec;
  Shape result;
};

SumOf sum_of(std::int64_t rows, std::int64_t columns, std::string_view type, std::string_view sum, DType dtype = f32) {
  const Function f = parse_function(fmt::format("func f(x: {0}[{1},{2}]) {{ %0: {0}{3} = {4} return %0 }}", name_of(dtype), rows, columns, type, sum));
  return {f.results[0]->shared<SumSpec>(), f.results[0].shape()};
}

// The sums that loops may end in, of such a tensor: of rows, of columns, of all, and of blocks of rows.
std::vector<SumOf> sums_of(std::int64_t rows, std::int64_t columns, DType dtype = f32) {
  const auto type = [](std::initializer_list<std::int64_t> shape, std::string_view indices) { return fmt::format("[{}][{}]", fmt::join(shape, ","), indices); };
  std::vector<SumOf> all{sum_of(rows, columns, type({rows}, "i"), is_floating(dtype) ? "0.3 * x[i,p]" : "x[i,p]", dtype),
                         sum_of(rows, columns, type({columns}, "j"), "x[p,j]", dtype),
                         sum_of(rows, columns, "[][]", is_floating(dtype) ? "3 * x[p,q]" : "x[p,q]", dtype)};
  for (const std::int64_t block : {2, 3, 8, 16}) {
    if (rows % block != 0 || rows == block) continue;
    all.push_back(sum_of(rows, columns, type({rows / block, columns}, "i,j"), fmt::format("x[{}*i+p,j]; p<{}", block, block), dtype));
    all.push_back(sum_of(rows, columns, type({rows / block}, "i"), fmt::format("x[{}*i+p,q]; p<{}", block, block), dtype));
  }
  std::erase_if(all, [&](const SumOf& s) { return !std::holds_alternative<BlockSum>(block_sum(*s.spec, dtype, {rows, columns}, s.result)); });
  return all;
}

struct Results {
  std::vector<Buffer> own, sums;
};

// The outputs of a kernel of the cluster and, behind them, of sums.
Results run_closed(const Kernel& kernel, const Memory& memory, const std::vector<SumOf>& sums, DType dtype = f32) {
  Memory m = memory;
  Results r;
  std::vector<void*> addresses = m.addresses();
  for (const SumOf& s : sums) r.sums.emplace_back(View::dense(dtype, s.result), s.result.elements());
  for (Buffer& b : m.out) b.watch();
  for (Buffer& b : r.sums) b.watch();
  for (Buffer& b : r.sums) addresses.push_back(b.first());
  loops_test::run_kernel(kernel, addresses);
  for (const Buffer& b : m.out) EXPECT_TRUE(b.untouched_elsewhere());
  for (const Buffer& b : r.sums) EXPECT_TRUE(b.untouched_elsewhere());
  r.own = m.out;
  return r;
}

// By the tile evaluator, everything stored, and then sum by sum.
Results run_apart(const Cluster& cluster, const Memory& memory, const std::vector<LoopSum>& values, const std::vector<SumOf>& sums, DType dtype = f32) {
  Cluster all = cluster;
  Memory m = memory;
  for (const LoopSum& v : values) {
    all.stores.push_back({v.value, all.outputs(), dtype});
    const Shape& shape = m.in[0].view().shape;
    m.out.emplace_back(View::dense(dtype, shape), shape.elements());
  }
  loops_test::run_kernel(*loops::compile_cluster_on_tiles(all, m.inputs(), m.outputs()), m.addresses());
  Results r;
  for (std::size_t k = 0; k < sums.size(); ++k) {
    Buffer& x = m.out[memory.out.size() + k];
    r.sums.emplace_back(View::dense(dtype, sums[k].result), sums[k].result.elements());
    const View factors[] = {x.view()};
    void* const addresses[] = {x.first(), r.sums.back().first()};
    loops_test::run_kernel(*loops::compile_sum(*sums[k].spec, factors, {}, r.sums.back().view()), addresses);
  }
  m.out.erase(m.out.begin() + static_cast<std::ptrdiff_t>(memory.out.size()), m.out.end());
  r.own = std::move(m.out);
  return r;
}

void expect_equal(std::vector<Buffer>& got, std::vector<Buffer>& want, const std::string& what) {
  for (std::size_t o = 0; o < want.size(); ++o) {
    const loops_test::Array a = got[o].array(), b = want[o].array();
    for (std::size_t i = 0; i < b.values.size(); ++i)
      ASSERT_TRUE(loops_test::same_bits(a.values[i], b.values[i]))
          << what << ", output " << o << " " << b.shape.text() << ", element " << i << ": " << a.values[i] << " for " << b.values[i];
  }
}

// All the ways to compute the loop with its sums; how many of them are generated code that adds up itself.
int expect_same_closed(const Cluster& cluster, const Memory& memory, const std::vector<LoopSum>& values, const std::vector<SumOf>& sums, DType dtype = f32) {
  Results want = run_apart(cluster, memory, values, sums, dtype);
  std::vector<View> outputs = memory.outputs();
  for (const SumOf& s : sums) outputs.push_back(View::dense(dtype, s.result));
  int generated = 0;
  auto compare = [&](const KernelRef& kernel) {
    Results got = run_closed(*kernel, memory, sums, dtype);
    expect_equal(got.own, want.own, kernel->name());
    expect_equal(got.sums, want.sums, kernel->name());
  };
  compare(loops::compile_closed_on_tiles(cluster, values, memory.inputs(), outputs, InstructionSet::none));
  for (const InstructionSet m : instruction_sets()) {
    compare(loops::compile_closed_on_tiles(cluster, values, memory.inputs(), outputs, m));
    if (const KernelRef kernel = loops::jit::compile_closed(cluster, values, memory.inputs(), outputs, m)) {
      compare(kernel);
      ++generated;
    }
  }
  return generated;
}

// Stores of x*b and exp(x) if asked for; sums of these and of x.
struct Simple {
  Cluster cluster;
  std::vector<int> values;
};

Simple simple_cluster(Random& random, bool stores) {
  ClusterMaker make(random);
  const int x = make.load(f32), b = make.load(f32);
  const int product = make.node(Atom::mul, f32, x, b), e = make.node(Atom::exp, f32, product);
  if (stores) make.store(e);
  return {make.finish(2), {product, e, x}};
}

// Large numbers that cancel along rows and along columns, and small ones, of which so many are lost as the order of additions says. In the first buffer of
// floats; what others hold may be 1 everywhere, so that products cancel as well. Now and then infinities and NaN instead.
void fill(Random& random, std::vector<Buffer>& buffers) {
  const bool special = random.chance(0.1);
  bool first = true;
  for (Buffer& b : buffers) {
    loops_test::fill_random(random, b, special);
    if (special || !is_floating(b.view().dtype)) continue;
    loops_test::Array a = b.array();
    if (!first && random.chance(0.5)) std::fill(a.values.begin(), a.values.end(), 1.0);
    const auto columns = static_cast<std::size_t>(a.shape.back());
    const double large = 0x1p50;
    for (std::size_t i = 0; first && i + 1 < a.values.size() / columns; i += 2)
      for (std::size_t j = 0; j + 1 < columns; j += 2) {
        if (random.chance(0.6)) continue;
        const double sign = random.chance(0.5) ? large : -large;
        for (std::size_t k = 0; k < 4; ++k) a.values[(i + k / 2) * columns + j + k % 2] = k == 0 || k == 3 ? sign : -sign;
      }
    first = false;
    reference::to_buffer(a, b.first(), b.view());
  }
}

Memory summable_memory(Random& random, const Cluster& cluster, std::int64_t rows, std::int64_t columns) {
  Memory m = random_memory(random, cluster, rows, columns);
  fill(random, m.in);
  return m;
}

TEST(ClosedLoops, EverySumAloneInEveryShape) {
  Random random(11);
  int generated = 0;
  for (const std::int64_t rows : {1, 2, 3, 7, 16, 48, 130})
    for (const std::int64_t columns : {1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 100, 127, 160, 512, 2047, 2100, 4100}) {
      if (rows * columns > 70000) continue;
      for (const bool stores : {false, true}) {
        const Simple s = simple_cluster(random, stores);
        const Memory memory = summable_memory(random, s.cluster, rows, columns);
        for (const SumOf& sum : sums_of(rows, columns)) {
          const int value = s.values[static_cast<std::size_t>(random.integer(0, 2))];
          generated += expect_same_closed(s.cluster, memory, {{value, sum.spec}}, {sum});
        }
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  EXPECT_GT(generated, instruction_sets().empty() ? -1 : 300);
}

TEST(ClosedLoops, SeveralSumsInOneLoopOfARandomFormula) {
  int generated = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    ClusterMaker make(random);
    for (std::int64_t k = random.chance(0.2) ? random.integer(6, 14) : random.integer(1, 5); k > 0; --k)
      make.load(random.pick({f32, f32, f32, i32, u8, bf16, boolean}));
    for (std::int64_t k = random.integer(1, 25); k > 0; --k) make.grow();
    std::vector<int> floats;
    for (int n = 0; n < make.size(); ++n)
      if (make.dtype_of(n) == f32) floats.push_back(n);
    if (floats.empty()) continue;
    while (random.chance(0.4)) make.store(static_cast<int>(random.integer(0, make.size() - 1)));
    const Cluster cluster = make.finish(2);
    const auto [rows, columns] =
        random.chance(0.4) ? std::pair(4 * random.integer(1, 12), 32 * random.integer(1, 6)) : std::pair(random.integer(1, 40), random.integer(1, 200));
    const std::vector<SumOf> all = sums_of(rows, columns);
    if (all.empty()) continue;
    std::vector<SumOf> sums;
    std::vector<LoopSum> values;
    for (std::int64_t k = random.integer(1, 4); k > 0; --k) {
      sums.push_back(all[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(all.size()) - 1))]);
      values.push_back({floats[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(floats.size()) - 1))], sums.back().spec});
    }
    generated += expect_same_closed(cluster, summable_memory(random, cluster, rows, columns), values, sums);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(generated, instruction_sets().empty() ? -1 : 150);
}

// More accumulators than there are registers for.
TEST(ClosedLoops, ManySumsOfRows) {
  Random random(3);
  for (int sums = 1; sums <= 10; ++sums) {
    const Simple s = simple_cluster(random, true);
    const SumOf sum = sums_of(5, 160)[0];
    std::vector<LoopSum> values;
    for (int k = 0; k < sums; ++k) values.push_back({s.values[static_cast<std::size_t>(k % 3)], sum.spec});
    const int generated = expect_same_closed(s.cluster, summable_memory(random, s.cluster, 5, 160), values, std::vector<SumOf>(values.size(), sum));
    EXPECT_EQ(generated, static_cast<int>(instruction_sets().size()));
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(ClosedLoops, OtherTypesAreAddedUpTileByTile) {
  Random random(4);
  for (const DType dtype : {f64, i32, i64})
    for (const std::int64_t rows : {1, 6, 48})
      for (const std::int64_t columns : {1, 9, 33, 100, 700}) {
        ClusterMaker make(random);
        const int x = make.load(dtype), y = make.load(dtype);
        const int product = make.node(Atom::mul, dtype, x, y);
        make.store(make.node(Atom::add, dtype, product, x));
        const Cluster cluster = make.finish(2);
        const Memory memory = summable_memory(random, cluster, rows, columns);
        for (const SumOf& sum : sums_of(rows, columns, dtype)) EXPECT_EQ(expect_same_closed(cluster, memory, {{product, sum.spec}}, {sum}, dtype), 0);
        if (::testing::Test::HasFatalFailure()) return;
      }
}

TEST(ClosedLoops, AnyStridesOfSeveralDimensions) {
  Random random(8);
  int generated = 0;
  for (int k = 0; k < 300; ++k) {
    ClusterMaker make(random);
    const int a = make.load(f32), b = make.load(u8);
    const int product = make.node(Atom::mul, f32, a, make.node(Atom::cast, f32, b));
    if (k % 2 == 0) make.store(product);
    const Cluster cluster = make.finish(4);
    Shape shape = loops_test::random_shape(random, 4, 6);
    if (k % 3 == 0) shape[3] = random.integer(30, 70);
    Memory memory;
    for (const DType dtype : {f32, u8}) memory.in.push_back(loops_test::random_buffer(random, dtype, shape, true));
    fill(random, memory.in);
    if (k % 2 == 0) memory.out.emplace_back(View::dense(f32, shape), shape.elements());
    for (const char* sum : {"[{0},{1},{2}][i,j,k] = x[i,j,k,p]", "[{0},{1}][i,j] = 0.5 * x[i,j,p,q]", "[{2},{3}][k,l] = x[p,q,k,l]",
                            "[{1},{2},{3}][j,k,l] = x[p,j,k,l]", "[{0},{2},{3}][i,k,l] = x[i,p,k,l]", "[][] = x[p,q,r,s]"}) {
      const std::string result = fmt::format(fmt::runtime(sum), shape[0], shape[1], shape[2], shape[3]);
      const Function f = parse_function(fmt::format("func f(x: f32[{}]) {{ %0: f32{} return %0 }}", fmt::join(shape, ","), result));
      if (f.results[0]->kind != Kind::sum) continue;  // of nothing but dimensions of size one
      const SumOf of{f.results[0]->shared<SumSpec>(), f.results[0].shape()};
      if (!std::holds_alternative<BlockSum>(block_sum(*of.spec, f32, shape, of.result))) continue;
      generated += expect_same_closed(cluster, memory, {{product, of.spec}}, {of});
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(generated, instruction_sets().empty() ? -1 : 100);
}

// An output may be the memory of an input: what is added up was read before it is written over.
TEST(ClosedLoops, InPlace) {
  Random random(9);
  for (const std::int64_t columns : {7, 64, 160, 3000}) {
    const Simple s = simple_cluster(random, true);
    const SumOf sum = sums_of(6, columns)[0];
    const std::vector<LoopSum> values{{s.values[0], sum.spec}, {s.values[2], sum.spec}};
    Memory memory;
    for (int k = 0; k < 2; ++k) memory.in.push_back(spread_buffer(f32, 6, columns, Spread::full));
    fill(random, memory.in);
    memory.out.push_back(spread_buffer(f32, 6, columns, Spread::full));
    Results want = run_apart(s.cluster, memory, values, {sum, sum});
    std::vector<View> outputs = memory.outputs();
    outputs.insert(outputs.end(), 2, View::dense(f32, sum.result));
    std::vector<KernelRef> kernels{loops::compile_closed_on_tiles(s.cluster, values, memory.inputs(), outputs, InstructionSet::none)};
    for (const InstructionSet m : instruction_sets())
      if (KernelRef kernel = loops::jit::compile_closed(s.cluster, values, memory.inputs(), outputs, m)) kernels.push_back(std::move(kernel));
    for (const KernelRef& kernel : kernels) {
      Memory m = memory;
      std::vector<Buffer> sums(2, Buffer(View::dense(f32, sum.result), 6)), own{m.in[0]};
      void* const addresses[] = {own[0].first(), m.in[1].first(), own[0].first(), sums[0].first(), sums[1].first()};
      loops_test::run_kernel(*kernel, addresses);
      expect_equal(own, want.own, kernel->name());
      expect_equal(sums, want.sums, kernel->name());
    }
  }
}

}  // namespace
}  // namespace cotan::jit_test
