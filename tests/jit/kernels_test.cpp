// What holds of generated kernels beside their values: what is taken, memory that outputs share with inputs, the cache, and pages.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "backends/loops/jit/code_cache.h"
#include "tests/jit/clusters.h"

namespace cotan::jit_test {
namespace {


// x * number + y.
Cluster scaled_sum(double number, DType dtype = f32) {
  Random random(0);
  ClusterMaker make(random);
  const int x = make.load(dtype), y = make.load(dtype);
  make.store(make.node(Atom::add, dtype, make.node(Atom::mul, dtype, x, make.node(Atom::constant, dtype, -1, -1, -1, number)), y));
  return make.finish(1);
}

KernelRef compile(const Cluster& cluster, std::vector<View> inputs, std::vector<View> outputs) {
  return loops::jit::compile_cluster(cluster, inputs, outputs, best_instructions());
}

TEST(JitKernel, TakesTheTypesItKnows) {
  const InstructionSet best = best_instructions();
  const bool any = best != InstructionSet::none;
  for (const DType dtype : {f32, f64, i32, i64, u8, u32}) {
    const View view = View::dense(dtype, {100});
    const bool taken = compile(scaled_sum(3, dtype), {view, view}, {view}) != nullptr;
    EXPECT_EQ(taken, any && (dtype == f32 || dtype == i32)) << name_of(dtype);
  }
  const View view = View::dense(f32, {100});
  EXPECT_EQ(loops::jit::compile_cluster(scaled_sum(3), std::vector{view, view}, std::vector{view}, InstructionSet::none), nullptr);
  for (const InstructionSet set : {InstructionSet::none, InstructionSet::avx2, InstructionSet::avx512})
    EXPECT_EQ(loops::compile_cluster(scaled_sum(3), std::vector{view, view}, std::vector{view}, set)->name(),
              set != InstructionSet::none ? "jit random" : "loops random");
  const View doubles = View::dense(f64, {100});
  EXPECT_EQ(loops::compile_cluster(scaled_sum(3, f64), std::vector{doubles, doubles}, std::vector{doubles}, InstructionSet::avx512)->name(), "loops random");
}

TEST(JitKernel, OutputsMayBeTheMemoryOfInputs) {
  for (const InstructionSet m : instruction_sets())
    for (const View& floats : {View::dense(f32, {1}), View::dense(f32, {7}), View::dense(f32, {40}), View::dense(f32, {2500}), View::dense(f32, {70001}),
                               View{f32, {64, 1500}, {1503, 1}, 0}}) {
      // Every output takes the place of another input, and one of them is copied as it was.
      Random random(3);
      ClusterMaker make(random);
      const int a = make.load(f32), b = make.load(f32), c = make.load(i32);
      make.store(make.node(Atom::exp, f32, make.node(Atom::tanh, f32, b)));
      make.store(a);
      make.store(make.node(Atom::add, i32, c, c));
      Cluster cluster = make.finish(floats.shape.rank());
      for (ClusterStore& s : cluster.stores) s.read_elsewhere = true;
      const View integers{i32, floats.shape, floats.strides, 0};
      std::vector<float> x, y;
      std::vector<std::int32_t> z;
      for (std::int64_t i = 0; i < floats.shape[0] * floats.strides[0]; ++i) {
        x.push_back(static_cast<float>(random.unit()));
        y.push_back(static_cast<float>(random.unit()));
        z.push_back(static_cast<std::int32_t>(random.integer(-100, 100)));
      }
      std::vector<float> p = x, q = y;
      std::vector<std::int32_t> r = z;
      const std::vector<View> in{floats, floats, integers}, out{floats, floats, integers};
      const KernelRef tiles = loops::compile_cluster_on_tiles(cluster, in, out), jit = loops::jit::compile_cluster(cluster, in, out, m);
      ASSERT_NE(jit, nullptr);
      loops_test::run_kernel(*tiles, std::vector<void*>{x.data(), y.data(), z.data(), p.data(), q.data(), r.data()});
      loops_test::run_kernel(*jit, std::vector<void*>{x.data(), y.data(), z.data(), x.data(), y.data(), z.data()});
      EXPECT_EQ(x, p);
      EXPECT_EQ(y, q);
      EXPECT_EQ(z, r);
    }
}

TEST(CodeCache, OneStructureHasOnePieceOfCodeWhateverItsExtents) {
  if (instruction_sets().empty()) {
    EXPECT_EQ(compile(scaled_sum(1.5), {View::dense(f32, {5}), View::dense(f32, {5})}, {View::dense(f32, {5})}), nullptr);
    return;
  }
  auto compiled = [](const Shape& shape, const Shape& strides, double number) {
    const View dense = View::dense(f32, shape);
    Cluster cluster = scaled_sum(number);
    cluster.rank = shape.rank();
    cluster.name = fmt::format("of {}", shape.text());
    return compile(cluster, {dense, View{f32, shape, strides, 0}}, {dense});
  };
  const auto before = loops::jit::code_counts();
  const KernelRef first = compiled({100}, {1}, 1.5);
  const auto made = loops::jit::code_counts();
  EXPECT_EQ(made.made, before.made + 1);
  const KernelRef same[] = {compiled({3000}, {1}, 1.5),       compiled({3, 48}, {48, 1}, 1.5),  compiled({30, 48}, {0, 1}, 1.5),
                            compiled({30, 48}, {64, 1}, 1.5), compiled({30, 40}, {1, 30}, 1.5), compiled({30, 3}, {0, 1}, 1.5)};
  EXPECT_EQ(loops::jit::code_counts().made, made.made);
  EXPECT_EQ(loops::jit::code_counts().found, made.found + std::size(same));
  // Another number, a row's element, one element: other code.
  const KernelRef others[] = {compiled({100}, {1}, 2.5), compiled({30, 48}, {1, 0}, 1.5), compiled({30, 48}, {0, 0}, 1.5)};
  EXPECT_EQ(loops::jit::code_counts().made, made.made + std::size(others));
}

TEST(CodeCache, ThreadsShareWhatTheyMakeAtTheSameTime) {
  constexpr int structures = 20;
  const View view = View::dense(f32, {20});
  const auto before = loops::jit::code_counts();
  std::vector<std::vector<float>> results(4, std::vector<float>(structures));
  std::vector<std::thread> threads;
  for (std::vector<float>& mine : results)
    threads.emplace_back([&] {
      std::vector<float> x(20, 2), y(20, 1), z(20);
      for (int k = 0; k < structures; ++k) {
        KernelRef kernel = compile(scaled_sum(5000 + k), {view, view}, {view});
        if (kernel == nullptr) kernel = loops::compile_cluster_on_tiles(scaled_sum(5000 + k), std::vector{view, view}, std::vector{view});
        loops_test::run_kernel(*kernel, std::vector<void*>{x.data(), y.data(), z.data()});
        mine[static_cast<std::size_t>(k)] = z[19];
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(loops::jit::code_counts().made - before.made, instruction_sets().empty() ? 0 : structures);
  for (const std::vector<float>& mine : results)
    for (int k = 0; k < structures; ++k) EXPECT_EQ(mine[static_cast<std::size_t>(k)], 10001.0F + static_cast<float>(2 * k));
}

TEST(CodeCache, IsBoundedAndKernelsKeepTheirCode) {
  const View view = View::dense(f32, {20});
  const KernelRef first = compile(scaled_sum(0.125), {view, view}, {view});
  ASSERT_EQ(first == nullptr, instruction_sets().empty());
  if (first == nullptr) return;
  for (std::size_t k = 0; k <= loops::jit::cached_codes; ++k) ASSERT_NE(compile(scaled_sum(100 + static_cast<double>(k)), {view, view}, {view}), nullptr);
  const auto before = loops::jit::code_counts();
  const KernelRef again = compile(scaled_sum(0.125), {view, view}, {view});
  EXPECT_EQ(loops::jit::code_counts().made, before.made + 1) << "it should have left the cache";
  std::vector<float> x(20, 8), y(20, 1), z(20), w(20);
  loops_test::run_kernel(*first, std::vector<void*>{x.data(), y.data(), z.data()});
  loops_test::run_kernel(*again, std::vector<void*>{x.data(), y.data(), w.data()});
  EXPECT_EQ(z, std::vector<float>(20, 2));
  EXPECT_EQ(w, z);
}

// The kernels of the tests above may have gone; this one lives while the pages are looked at.
TEST(CodeMemory, NoPageIsWritableAndExecutable) {
  const View view = View::dense(f32, {20});
  const KernelRef kernel = compile(scaled_sum(7), {view, view}, {view});
  std::ifstream maps("/proc/self/maps");
  int private_code = 0, lines = 0;
  for (std::string line; std::getline(maps, line); ++lines) {
    std::istringstream words(line);
    std::string range, rights, offset, device, inode, path;
    words >> range >> rights >> offset >> device >> inode >> path;
    EXPECT_FALSE(rights.find('w') != std::string::npos && rights.find('x') != std::string::npos) << line;
    if (rights == "r-xp" && path.empty()) ++private_code;
  }
  EXPECT_GT(lines, 5);
  EXPECT_EQ(private_code > 0, kernel != nullptr);
}

}  // namespace
}  // namespace cotan::jit_test
