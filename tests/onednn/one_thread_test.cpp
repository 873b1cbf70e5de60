// oneDNN stays on the calling thread: no OpenMP region, the caller's OpenMP setting restored, no task of the arena picked up inside a primitive.
#include "backends/onednn/one_thread.h"

#include <dlfcn.h>

#include <array>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "backends/parallel/parallel.h"
#include "tests/onednn/helpers.h"
#include "tests/onednn/openmp_teams.h"

// A plain function of the library, the same in all its versions: it runs without anything of ours around it.
extern "C" int dnnl_sgemm(char transa, char transb, std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const float* a, std::int64_t lda,
                          const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc);

namespace cotan::onednn::testing {
namespace {

bool library_uses_openmp() { return std::string(thread_runtime()) == "OpenMP"; }

int openmp_threads() { return reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"))(); }
void set_openmp_threads(int count) { reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))(count); }

void unheld_product() {
  constexpr std::int64_t size = 256;
  const std::vector<float> a(size * size, 1.0f), b(size * size, 2.0f);
  std::vector<float> c(size * size);
  ASSERT_EQ(dnnl_sgemm('N', 'N', size, size, size, 1.0f, a.data(), size, b.data(), size, 0.0f, c.data(), size), 0);
  ASSERT_EQ(c[5], 2.0f * size);
}

MatmulProblem matmul(std::int64_t m, std::int64_t k, std::int64_t n) {
  MatmulProblem problem;
  problem.m = m;
  problem.k = k;
  problem.n = n;
  problem.a_strides = {k, 1};
  problem.b_strides = {n, 1};
  problem.c_strides = {n, 1};
  return problem;
}

ConvolutionProblem convolution(ConvolutionDirection direction) {
  ConvolutionProblem problem;
  problem.direction = direction;
  problem.batch = 4;
  problem.in_channels = 16;
  problem.out_channels = 32;
  problem.input = problem.output = {14, 14};
  problem.kernel = {3, 3};
  problem.stride = problem.dilation = problem.padding = {1, 1};
  problem.source_strides = dense_strides({4, 16, 14, 14});
  problem.weights_strides = dense_strides({1, 32, 16, 3, 3});
  problem.result_strides = dense_strides({4, 32, 14, 14});
  return problem;
}

SoftmaxProblem softmax() {
  SoftmaxProblem problem;
  problem.shape = {64, 100};
  problem.axis = 1;
  problem.x_strides = problem.y_strides = {100, 1};
  return problem;
}

// Makes and runs one of each kind, large enough that the library would share the work among its threads.
void run_one_of_each() {
  Tensor source({4, 16, 14, 14}), weights({32, 16, 3, 3}), result({4, 32, 14, 14}), rows({64, 100}), probabilities({64, 100});
  source.fill(1);
  weights.fill(2);
  result.fill(3);
  rows.fill(4);
  for (ConvolutionDirection direction : {ConvolutionDirection::forward, ConvolutionDirection::backward_data, ConvolutionDirection::backward_weights}) {
    for (ConvolutionLayout layout : {ConvolutionLayout::plain, ConvolutionLayout::blocked}) {
      ConvolutionProblem problem = convolution(direction);
      problem.layout = layout;
      const Made made = Primitive::make(problem);
      ASSERT_TRUE(made) << made.reason;
      if (direction == ConvolutionDirection::forward) run(*made.primitive, {&source, &weights}, result);
      if (direction == ConvolutionDirection::backward_data) run(*made.primitive, {&result, &weights}, source);
      if (direction == ConvolutionDirection::backward_weights) run(*made.primitive, {&source, &result}, weights);
    }
  }
  Tensor a({256, 256}), b({256, 256}), c({256, 256});
  const Made product = Primitive::make(matmul(256, 256, 256));
  ASSERT_TRUE(product) << product.reason;
  run(*product.primitive, {&a.fill(5), &b.fill(6)}, c);
  const Made made = Primitive::make(softmax());
  ASSERT_TRUE(made) << made.reason;
  run(*made.primitive, {&rows}, probabilities);
}

TEST(OneThread, TheLibraryCanBeHeld) { EXPECT_EQ(unheld_reason(), ""); }

TEST(OneThread, TheCounterSeesTheLibrarysTeams) {
  if (!library_uses_openmp()) {
    EXPECT_EQ(std::string(thread_runtime()), "TBB");
    EXPECT_EQ(openmp_teams(), 0);
    return;
  }
  const int before = openmp_teams(), threads = openmp_threads();
  set_openmp_threads(2);
  unheld_product();
  set_openmp_threads(threads);
  const int started = openmp_teams() - before;
  EXPECT_GT(started, 0) << "unheld, the library starts a team: otherwise the counter sees nothing and the other tests prove nothing";
  forgive(started);
}

TEST(OneThread, NoTeamWhateverTheCallersSetting) {
  for (int threads : {1, 2, 8}) {
    if (library_uses_openmp()) set_openmp_threads(threads);
    const int before = openmp_teams();
    run_one_of_each();
    EXPECT_EQ(openmp_teams(), before);
    if (library_uses_openmp()) {
      EXPECT_EQ(openmp_threads(), threads) << "the caller's setting is restored";
    }
  }
}

TEST(OneThread, NoTeamFromThreadsOfTheArena) {
  const int before = openmp_teams();
  parallel::run_chunks(8, [](std::int64_t, int) { run_one_of_each(); });
  EXPECT_EQ(openmp_teams(), before);
}

TEST(OneThread, NoTeamFromThreadsOfTheUsers) {
  const int before = openmp_teams();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(run_one_of_each);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(openmp_teams(), before);
}

TEST(OneThread, AHeldCallHoldsThePlainFunctionsToo) {
  const int before = openmp_teams();
  if (library_uses_openmp()) set_openmp_threads(2);
  on_one_thread([] { on_one_thread([] { unheld_product(); }); });
  EXPECT_EQ(openmp_teams(), before);
  if (library_uses_openmp()) {
    EXPECT_EQ(openmp_threads(), 2);
  }
}

TEST(OneThread, AnExceptionPassesAndRestores) {
  if (library_uses_openmp()) set_openmp_threads(3);
  EXPECT_THROW(on_one_thread([] { throw std::runtime_error("through"); }), std::runtime_error);
  if (library_uses_openmp()) {
    EXPECT_EQ(openmp_threads(), 3);
  }
  bool ran = false;
  on_one_thread([&] { ran = true; });
  EXPECT_TRUE(ran);
}

// 10,000 tiles of one product, in many calls of the executor from three user threads at once. foreign_tasks_test.cpp does the same with tiles that are TBB's
// own tasks.
TEST(OneThread, TenThousandTilesNeverReenter) {
  constexpr std::int64_t tiles = 16, m = 64, k = 96, n = 64, different = 25;
  constexpr int callers = 3, calls = 210;
  const Made made = Primitive::make(matmul(m, k, n));
  const Made shared = Primitive::make(convolution(ConvolutionDirection::forward));
  ASSERT_TRUE(made && shared) << made.reason << shared.reason;
  std::vector<Tensor> a(different, Tensor({m, k})), want(different, Tensor({m, n}));
  Tensor b({k, n}), source({4, 16, 14, 14}), weights({32, 16, 3, 3}), wanted({4, 32, 14, 14});
  b.fill(7);
  source.fill(8);
  weights.fill(9);
  for (std::size_t i = 0; i < different; ++i) run(*made.primitive, {&a[i].fill(static_cast<std::uint32_t>(i) + 100), &b}, want[i]);
  run(*shared.primitive, {&source, &weights}, wanted);

  std::atomic<int> reentered{0}, wrong{0}, ran{0};
  const int before = openmp_teams();
  const auto tile = [&](std::int64_t at) {
    thread_local int depth = 0;
    thread_local std::vector<float> c(m * n), image(4 * 32 * 14 * 14);
    // The scratch belongs to the thread, as the executor's does.
    thread_local Scratch scratch(std::max(made.primitive->scratch_bytes(), shared.primitive->scratch_bytes()));
    if (++depth != 1) ++reentered;
    ++ran;
    const std::size_t which = static_cast<std::size_t>(at % different);
    const std::array<const void*, 2> inputs{a[which].data(), b.data()};
    made.primitive->run(inputs, std::array<void*, 1>{c.data()}, scratch.data());
    if (std::memcmp(c.data(), want[which].data(), c.size() * sizeof(float)) != 0) ++wrong;
    if (at % tiles == 0) {
      const std::array<const void*, 2> images{source.data(), weights.data()};
      shared.primitive->run(images, std::array<void*, 1>{image.data()}, scratch.data());
      if (std::memcmp(image.data(), wanted.data(), image.size() * sizeof(float)) != 0) ++wrong;
    }
    --depth;
  };
  std::vector<std::thread> threads;
  for (int caller = 0; caller < callers; ++caller) {
    threads.emplace_back([&, caller] {
      for (int call = 0; call < calls; ++call) parallel::run_chunks(tiles, [&](std::int64_t chunk, int) { tile(chunk + call + caller); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ran.load(), callers * calls * tiles);
  EXPECT_EQ(reentered.load(), 0);
  EXPECT_EQ(wrong.load(), 0) << "a tile's result differs from the same product computed alone";
  EXPECT_EQ(openmp_teams(), before);
}

TEST(OneThread, APrimitiveOutlivesTheThreadThatMadeIt) {
  Made made;
  std::thread([&] { made = Primitive::make(matmul(24, 24, 24)); }).join();
  ASSERT_TRUE(made) << made.reason;
  Tensor a({24, 24}), b({24, 24}), here({24, 24}), there({24, 24});
  a.fill(1);
  b.fill(2);
  run(*made.primitive, {&a, &b}, here);
  std::thread([&] { run(*made.primitive, {&a, &b}, there); }).join();
  EXPECT_EQ(std::memcmp(here.data(), there.data(), here.extent() * sizeof(float)), 0);
}

}  // namespace
}  // namespace cotan::onednn::testing
