// Reductions, scans, orders, checks, iotas and random numbers as loops, against the reference.
#include <gtest/gtest.h>

#include "backends/loops/loops.h"
#include "backends/reference/kinds.h"
#include "ops/philox.h"
#include "tests/loops/buffers.h"

namespace cotan::loops_test {
namespace {

constexpr DType numbers[] = {f32, f64, i32, i64, u8, u32};
constexpr std::initializer_list<Reduction> all_reductions{Reduction::max,    Reduction::min,  Reduction::argmax,
                                                          Reduction::argmin, Reduction::amax, Reduction::amin};

void expect_same(const Array& got, const Array& want, const std::string& what) {
  for (std::size_t i = 0; i < want.values.size(); ++i)
    ASSERT_TRUE(same_bits(got.values[i], want.values[i])) << what << ", element " << i << ": " << got.values[i] << " for " << want.values[i];
}

void check_reduce(Random& random, const ReduceSpec& spec, Buffer x) {
  const bool positions = gives_positions(spec.reduction);
  ResultType type{positions ? i32 : x.view().dtype, Shape(std::span<const std::int64_t>(spec.domain).first(static_cast<std::size_t>(spec.outputs)))};
  if (positions) type.shape.push_back(static_cast<std::int64_t>(spec.domain.size()) - spec.outputs);
  Buffer out = random_buffer(random, type.dtype, type.shape);
  out.watch();
  const KernelRef kernel = loops::compile_reduce(spec, x.view(), out.view());
  run_kernel(*kernel, std::vector<void*>{x.first(), out.first()});
  ASSERT_NO_FATAL_FAILURE(expect_same(out.array(), reference::run_reduce(spec, type, x.array()), kernel->name()));
  ASSERT_TRUE(out.untouched_elsewhere());
}

TEST(ReduceLoops, RandomWindowsWithNanAndTies) {
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    ReduceSpec spec;
    spec.reduction = random.pick(all_reductions);
    for (std::int64_t n = random.integer(1, 4); n > 0; --n) spec.domain.push_back(random.integer(1, 6));
    if (random.chance(0.03)) spec.domain.back() = 0;
    spec.outputs = static_cast<int>(random.integer(0, static_cast<std::int64_t>(spec.domain.size())));
    const Shape shape = random_shape(random, static_cast<int>(random.integer(0, 3)), 6);
    auto any = [&] { return index_of(static_cast<int>(random.integer(0, static_cast<std::int64_t>(spec.domain.size()) - 1))); };
    for (std::size_t d = 0; d < shape.rank(); ++d) {
      IndexExpr e = any();
      if (random.chance(0.5)) e = random.pick({-1, 1, 2}) * any() + any() + IndexExpr(random.integer(-2, 2));
      spec.access.push_back(e);
    }
    Buffer x = random_buffer(random, random.chance(0.1) ? boolean : random.any_of(numbers), shape, true);
    fill_random(random, x);
    ASSERT_NO_FATAL_FAILURE(check_reduce(random, spec, x));
  }
}

// Rows long enough for whole vectors, of whose lanes any may hold the extreme, the NaN or the zero of either sign that comes first.
TEST(ReduceLoops, LongRowsOfNanTiesAndZeros) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const std::int64_t n = random.integer(14, 150);
    ReduceSpec spec{random.pick(all_reductions), {2, n}, 1, {index_of(0), index_of(1)}};
    const DType types[] = {f32, f64, u8, boolean};
    const DType dtype = types[seed % 4];
    Buffer x(View::dense(dtype, {2, n}), 2 * n);
    fill_random(random, x, random.chance(0.5));
    if (is_floating(dtype) && random.chance(0.3)) {  // zeros alone
      for (std::int64_t i = 0; i < 2 * n; ++i) {
        const double zero = random.chance(0.5) ? 0.0 : -0.0;
        if (dtype == f32)
          static_cast<float*>(x.first())[i] = static_cast<float>(zero);
        else
          static_cast<double*>(x.first())[i] = zero;
      }
    }
    ASSERT_NO_FATAL_FAILURE(check_reduce(random, spec, x));
  }
}

TEST(ReduceLoops, RowsColumnsAndPoolingInChunks) {
  Random random(4);
  const IndexExpr i = index_of(0), j = index_of(1), k = index_of(2), l = index_of(3), m = index_of(4), n = index_of(5);
  for (const Reduction r : {Reduction::max, Reduction::argmax}) {
    Buffer x = random_buffer(random, f32, {700, 130});
    fill_random(random, x, false);
    ASSERT_NO_FATAL_FAILURE(check_reduce(random, {r, {700, 130}, 1, {i, j}}, x));
    ASSERT_NO_FATAL_FAILURE(check_reduce(random, {r, {130, 700}, 1, {j, i}}, x));
    ASSERT_NO_FATAL_FAILURE(check_reduce(random, {r, {700, 130}, 0, {i, j}}, x));
    Buffer image(View::dense(f32, {2, 5, 40, 60}), 2 * 5 * 40 * 60);
    fill_random(random, image);
    const ReduceSpec pool{r, {2, 5, 20, 30, 3, 3}, 4, {i, j, 2 * k + m - IndexExpr(1), 2 * l + n - IndexExpr(1)}};
    ASSERT_NO_FATAL_FAILURE(check_reduce(random, pool, image));
  }
  const View in = View::dense(f32, {1000, 1000});
  EXPECT_GT(loops::compile_reduce({Reduction::max, {1000, 1000}, 1, {i, j}}, in, View::dense(f32, {1000}))->chunks(), 8);
  EXPECT_THROW((void)loops::compile_reduce({Reduction::max, {1000, 1000}, 1, {i, j}}, in, View::dense(f32, {999})), InternalError);
}

TEST(LineLoops, ScansBothWaysOfAllTypes) {
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const DType dtype = random.any_of(numbers);
    const Shape shape = random_shape(random, static_cast<int>(random.integer(1, 4)), seed % 100 == 0 ? 60 : 7);
    Buffer a = random_buffer(random, dtype, shape, true), b = random_buffer(random, dtype, shape, true), out = random_buffer(random, dtype, shape);
    fill_random(random, a);
    fill_random(random, b);
    const ScanSpec spec{static_cast<int>(random.integer(0, static_cast<std::int64_t>(shape.rank()) - 1)), random.chance(0.5)};
    if (dtype == i64) {  // the reference holds what doubles hold
      Array small = Array::zeros(dtype, shape);
      for (double& v : small.values) v = static_cast<double>(random.integer(-1, 1));
      reference::to_buffer(small, a.first(), a.view());
    }
    Array want = reference::run_scan(spec, a.array(), b.array());
    for (double& v : want.values) v = round_to(dtype, v);
    const bool repeats = std::any_of(b.view().strides.begin(), b.view().strides.end(), [](std::int64_t s) { return s == 0; });
    Buffer& to = !repeats && random.chance(0.3) ? b : out;  // in place
    to.watch();
    run_kernel(*loops::compile_scan(spec, a.view(), b.view(), to.view()), std::vector<void*>{a.first(), b.first(), to.first()});
    ASSERT_NO_FATAL_FAILURE(expect_same(to.array(), want, "scan"));
    ASSERT_TRUE(to.untouched_elsewhere());
  }
  EXPECT_THROW((void)loops::compile_scan({1, false}, View::dense(f32, {3}), View::dense(f32, {3}), View::dense(f32, {3})), InternalError);
}

TEST(LineLoops, OrdersAreStable) {
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const DType dtype = random.any_of(numbers);
    const Shape shape = random_shape(random, static_cast<int>(random.integer(1, 3)), seed % 50 == 0 ? 90 : 9);
    Buffer x = random_buffer(random, dtype, shape, true), out = random_buffer(random, i32, shape);
    fill_random(random, x);
    Array ties = x.array();
    for (double& v : ties.values) v = std::isfinite(v) ? std::floor(v / 3) : v;
    reference::to_buffer(ties, x.first(), x.view());
    const OrderSpec spec{static_cast<int>(random.integer(0, static_cast<std::int64_t>(shape.rank()) - 1)), random.chance(0.5)};
    out.watch();
    run_kernel(*loops::compile_order(spec, x.view(), out.view()), std::vector<void*>{x.first(), out.first()});
    ASSERT_NO_FATAL_FAILURE(expect_same(out.array(), reference::run_order(spec, x.array()), "order"));
    ASSERT_TRUE(out.untouched_elsewhere());
  }
}

TEST(ElementLoops, ChecksFindTheFirstBadEntry) {
  Random random(2);
  for (const DType dtype : {i32, i64, u8, u32})
    for (int turn = 0; turn < 50; ++turn) {
      const Shape shape = random_shape(random, static_cast<int>(random.integer(0, 3)), 9);
      Buffer x = random_buffer(random, dtype, shape), out = random_buffer(random, dtype, shape);
      Array values = Array::zeros(dtype, shape);
      for (double& v : values.values) v = static_cast<double>(random.integer(0, 9));
      reference::to_buffer(values, x.first(), x.view());
      const CheckSpec spec{10, "index"};
      run_kernel(*loops::compile_check(spec, x.view()), std::vector<void*>{x.first()});
      run_kernel(*loops::compile_check(spec, x.view(), out.view()), std::vector<void*>{x.first(), out.first()});
      EXPECT_EQ(out.array(), values);
      const std::int64_t bad = random.integer(0, shape.elements() - 1);
      values.values[static_cast<std::size_t>(bad)] = is_signed(dtype) && random.chance(0.5) ? -7 : 10;
      values.values.back() = 10;
      reference::to_buffer(values, x.first(), x.view());
      try {
        run_kernel(*loops::compile_check(spec, x.view()), std::vector<void*>{x.first()});
        FAIL() << "no failure";
      } catch (const CheckFailure& f) {
        EXPECT_EQ(f.position, bad);
        EXPECT_EQ(static_cast<double>(f.value), values.values[static_cast<std::size_t>(bad)]);
      }
    }
  EXPECT_THROW((void)loops::compile_check({3, "x"}, View::dense(f32, {2})), InternalError);
}

TEST(ElementLoops, ChecksOfManyEntriesAreCut) {
  std::vector<std::int32_t> x(100000, 3);
  x[70000] = 9;
  const KernelRef kernel = loops::compile_check({5, "index"}, View::dense(i32, {100000}));
  ASSERT_EQ(kernel->chunks(), 4);
  void* buffers[] = {x.data()};
  EXPECT_NO_THROW(kernel->run(1, buffers, nullptr));
  try {
    kernel->run(2, buffers, nullptr);
    FAIL() << "no failure";
  } catch (const CheckFailure& f) {
    EXPECT_EQ(f.position, 70000);
  }
}

TEST(ElementLoops, IotasAlongEachAxis) {
  Random random(8);
  for (const DType dtype : numbers)
    for (int axis = 0; axis < 3; ++axis) {
      const Shape shape{4, axis == 1 ? 400 : 5, 70};
      Buffer out = random_buffer(random, dtype, shape);
      out.watch();
      run_kernel(*loops::compile_iota(axis, out.view()), std::vector<void*>{out.first()});
      const Array got = out.array();
      const Shape strides = dense_strides(shape);
      for (std::size_t i = 0; i < got.values.size(); ++i) {
        const std::int64_t along = static_cast<std::int64_t>(i) / strides[static_cast<std::size_t>(axis)] % shape[static_cast<std::size_t>(axis)];
        ASSERT_EQ(got.values[i], round_to(dtype, static_cast<double>(along)));
      }
      EXPECT_TRUE(out.untouched_elsewhere());
    }
}

TEST(ElementLoops, RandomNumbersArePhiloxs) {
  Random random(6);
  for (const DType dtype : {f32, f64})
    for (const Shape& shape : {Shape{}, Shape{1000}, Shape{3, 7, 5}, Shape{130, 301}}) {
      RandomState state{0x123456789abcdef0ull, 0xfffffffffffffff0ull};
      Buffer out = random_buffer(random, dtype, shape);
      out.watch();
      run_kernel(*loops::compile_random(out.view()), std::vector<void*>{&state, out.first()});
      const Array got = out.array();
      for (std::size_t i = 0; i < got.values.size(); ++i)
        ASSERT_EQ(got.values[i], philox::uniform(state.key, state.counter, static_cast<std::int64_t>(i), dtype));
      EXPECT_TRUE(out.untouched_elsewhere());
    }
}

TEST(ElementLoops, EmptyTensorsAreNoWork) {
  const View empty = View::dense(f32, {3, 0}), positions = View::dense(i32, {3, 0});
  RandomState state;
  float nothing = 0;
  void* one[] = {&nothing};
  void* two[] = {&nothing, &nothing};
  void* three[] = {&nothing, &nothing, &nothing};
  void* drawn[] = {&state, &nothing};
  run_kernel(*loops::compile_fill(1, empty, this_machine().instructions), one);
  run_kernel(*loops::compile_iota(1, empty), one);
  run_kernel(*loops::compile_copy(empty, empty, this_machine().instructions), two);
  run_kernel(*loops::compile_order({1, false}, empty, positions), two);
  run_kernel(*loops::compile_scan({0, true}, empty, empty, empty), three);
  run_kernel(*loops::compile_scan({1, true}, empty, empty, empty), three);
  run_kernel(*loops::compile_random(empty), drawn);
  run_kernel(*loops::compile_check({3, "x"}, positions), one);
  EXPECT_EQ(nothing, 0);
}

}  // namespace
}  // namespace cotan::loops_test
