// Indexed sums as loops against the reference.
#include <gtest/gtest.h>

#include <numeric>

#include "backends/loops/loops.h"
#include "backends/reference/kinds.h"
#include "tests/loops/buffers.h"

namespace cotan::loops_test {
namespace {

constexpr DType all_dtypes[] = {f32, f64, i32, i64, u8, u32, boolean};

// A sum and its operands; values are small whole numbers, so that every order of summation is exact.
struct Case {
  SumSpec spec;
  DType dtype = f32;
  Shape output;
  std::vector<Buffer> factors, tables;
};

void fill_small(Random& random, Buffer& b, std::int64_t low, std::int64_t high) {
  Array a = Array::zeros(b.view().dtype, b.view().shape);
  for (double& v : a.values) v = static_cast<double>(random.integer(low, high));
  reference::to_buffer(a, b.first(), b.view());
}

Array expected_of(Case& c) {
  std::vector<Array> values;
  for (Buffer& b : c.factors) values.push_back(b.array());
  for (Buffer& b : c.tables) values.push_back(b.array());
  std::vector<const Array*> pointers;
  for (const Array& a : values) pointers.push_back(&a);
  const std::span<const Array* const> all(pointers);
  return reference::run_sum(c.spec, {c.dtype, c.output}, all.first(c.factors.size()), all.subspan(c.factors.size()));
}

// Runs it into a view of random strides and compares; returns the kernel.
KernelRef check_sum(Random& random, Case& c) {
  Buffer out = random_buffer(random, c.dtype, c.output);
  std::vector<View> factors, tables;
  std::vector<void*> addresses;
  for (Buffer& b : c.factors) {
    factors.push_back(b.view());
    addresses.push_back(b.first());
  }
  for (Buffer& b : c.tables) {
    tables.push_back(b.view());
    addresses.push_back(b.first());
  }
  addresses.push_back(out.first());
  out.watch();
  const KernelRef kernel = loops::compile_sum(c.spec, factors, tables, out.view());
  run_kernel(*kernel, addresses);
  const Array want = expected_of(c), got = out.array();
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    EXPECT_TRUE(got.values[i] == want.values[i] || same_bits(got.values[i], want.values[i]))
        << kernel->name() << ", element " << i << " of " << c.output.text() << ": " << got.values[i] << " for " << want.values[i];
    if (::testing::Test::HasFailure()) return kernel;
  }
  EXPECT_TRUE(out.untouched_elsewhere()) << kernel->name();
  return kernel;
}

IndexExpr random_index(Random& random, const Domain& domain) {
  return index_of(static_cast<int>(random.integer(0, static_cast<std::int64_t>(domain.size()) - 1)));
}

IndexExpr random_expression(Random& random, const Domain& domain, double tables) {
  if (random.chance(tables)) {
    IndexExpr e = entry_of(static_cast<int>(random.integer(0, 1)), {random_index(random, domain)});
    if (random.chance(0.2)) e = entry_of(1, {entry_of(0, {random_index(random, domain)}) + IndexExpr(random.integer(-1, 1))});
    if (random.chance(0.3)) e = random.pick({-1, 2}) * e;
    if (random.chance(0.3)) e = e + random_index(random, domain);
    if (random.chance(0.3)) e = e + IndexExpr(random.integer(-1, 1));
    return e;
  }
  if (random.chance(0.5)) return random_index(random, domain);
  IndexExpr e(random.integer(-2, 2));
  for (std::int64_t terms = random.integer(0, 3); terms > 0; --terms) e = e + random.pick({-2, -1, 1, 1, 2, 3}) * random_index(random, domain);
  return e;
}

Case random_case(Random& random, std::int64_t most) {
  Case c;
  c.dtype = random.chance(0.5) ? f32 : random.any_of(all_dtypes);
  for (std::int64_t n = random.integer(1, 4); n > 0; --n) c.spec.domain.push_back(random.integer(1, most));
  if (random.chance(0.03)) c.spec.domain[0] = 0;
  const double tables = random.chance(0.5) ? 0 : 0.2;
  for (std::int64_t k = random.integer(0, 3); k > 0; --k) {
    if (!c.factors.empty() && random.chance(0.2)) {
      c.factors.push_back(c.factors.back());
    } else {
      c.factors.push_back(random_buffer(random, c.dtype, random_shape(random, static_cast<int>(random.integer(0, 3)), most), true));
      fill_small(random, c.factors.back(), is_signed(c.dtype) ? -3 : 0, kind_of(c.dtype) == DTypeKind::boolean ? 1 : 3);
    }
    Access access;
    for (std::size_t d = 0; d < c.factors.back().view().shape.rank(); ++d) access.push_back(random_expression(random, c.spec.domain, tables));
    c.spec.factors.push_back(access);
  }
  c.output = random_shape(random, static_cast<int>(random.integer(0, 3)), most + 2);
  for (std::size_t d = 0; d < c.output.rank(); ++d) c.spec.output.push_back(random_expression(random, c.spec.domain, tables / 2));
  // Often every index of the output is a plain one of the domain, as in most rows.
  if (random.chance(0.5))
    for (std::size_t d = 0; d < c.output.rank(); ++d) {
      c.spec.output[d] = index_of(static_cast<int>(d % c.spec.domain.size()));
      if (random.chance(0.7)) c.output[d] = c.spec.domain[d % c.spec.domain.size()];
    }
  while (random.chance(0.25)) c.spec.guards.push_back({random_expression(random, c.spec.domain, tables), random.integer(1, 4)});
  c.spec.coefficient = static_cast<double>(random.pick({1, 1, 1, 2, -1, -3}));
  for (int t = 0; t < 2; ++t) {
    c.tables.push_back(random_buffer(random, random.pick({i32, i32, i64, u8, u32}), {most}, true));
    fill_small(random, c.tables.back(), is_signed(c.tables.back().view().dtype) ? -1 : 0, most);
  }
  return c;
}

TEST(SumLoops, RandomSumsOfAllTypes) {
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Case c = random_case(random, random.chance(0.1) ? 9 : 5);
    check_sum(random, c);
    if (HasFailure()) return;
  }
}

TEST(SumLoops, LargerRandomSumsInChunks) {
  int cut = 0;
  for (std::uint64_t seed = 100000; seed < 103000; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Case c = random_case(random, 26);
    cut += check_sum(random, c)->chunks() > 1 ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GT(cut, 40);
}

// A named case on dense factors; `chunks` says whether it must be cut into several.
struct Named {
  const char* name;
  Domain domain;
  Shape output;
  Access to;
  std::vector<Shape> shapes;
  std::vector<Access> from;
  std::vector<Shape> tables = {};
  std::vector<Guard> guards = {};
  const char* kernel = "";
  bool chunks = false;
};

const IndexExpr i = index_of(0), j = index_of(1), k = index_of(2), l = index_of(3);
IndexExpr t_of(const IndexExpr& e) { return entry_of(0, {e}); }

std::vector<Named> named_cases() {
  return {
      {"matmul", {70, 33, 90}, {70, 33}, {i, j}, {{70, 90}, {90, 33}}, {{i, k}, {k, j}}, {}, {}, "loops sum block of rows", true},
      {"matmul, transposed", {40, 33, 90}, {40, 33}, {i, j}, {{40, 90}, {33, 90}}, {{i, k}, {j, k}}, {}, {}, "loops sum block of dots", true},
      {"three factors", {7, 5, 9}, {7, 5}, {i, j}, {{7, 9}, {9, 5}, {9}}, {{i, k}, {k, j}, {k}}},
      {"column sums", {128, 1000}, {128}, {i}, {{1000, 128}}, {{j, i}}, {}, {}, "loops sum block of rows", true},
      {"wide column sums", {3000, 30}, {3000}, {i}, {{30, 3000}}, {{j, i}}, {}, {}, "loops sum block of rows", true},
      {"row sums", {1000, 129}, {1000}, {i}, {{1000, 129}}, {{i, j}}, {}, {}, "loops sum block of dots", true},
      {"total", {50, 60}, {}, {}, {{50, 60}}, {{i, j}}},
      {"dot", {1003}, {}, {}, {{1003}, {1003}}, {{i}, {i}}},
      {"broadcast", {300, 500}, {300, 500}, {i, j}, {{500}}, {{j}}, {}, {}, "loops sum assign", true},
      {"broadcast of rows", {300, 500}, {300, 500}, {i, j}, {{300}}, {{i}}, {}, {}, "loops sum assign", true},
      {"transpose", {250, 300}, {250, 300}, {i, j}, {{300, 250}}, {{j, i}}, {}, {}, "loops sum assign", true},
      {"flip and slice", {50, 30}, {50, 30}, {i, j}, {{60, 70}}, {{IndexExpr(55) - i, 2 * j + IndexExpr(3)}}},
      {"pad", {300, 400}, {310, 403}, {i + IndexExpr(4), j + IndexExpr(1)}, {{300, 400}}, {{i, j}}, {}, {}, "loops sum assign", true},
      {"pad and flip", {300, 400}, {310, 403}, {IndexExpr(305) - i, j + IndexExpr(1)}, {{300, 400}}, {{i, j}}, {}, {}, "loops sum assign", true},
      {"crop", {310, 203}, {300, 200}, {i - IndexExpr(4), j - IndexExpr(1)}, {{310, 203}}, {{i, j}}},
      {"dilated", {100, 100}, {200, 320}, {2 * i, 3 * j + IndexExpr(1)}, {{100, 100}}, {{i, j}}},
      {"reshape", {40, 25, 90}, {1000, 90}, {25 * i + j, k}, {{40, 2250}}, {{i, 90 * j + k}}, {}, {}, "loops sum assign", true},
      {"diagonal", {30}, {30}, {i}, {{30, 30}}, {{i, i}}},
      {"to the diagonal", {30}, {30, 30}, {i, i}, {{30}}, {{i}}},
      {"pooling", {6, 20, 20, 3}, {6, 20, 20}, {i, j, k}, {{6, 20, 40}}, {{i, j, 2 * k + l - IndexExpr(1)}}},
      {"pooling's gradient", {20, 40, 40, 3}, {20, 40, 80}, {i, j, 2 * k + l - IndexExpr(1)}, {{20, 40, 40}}, {{i, j, k}}, {}, {}, "loops sum scatter", true},
      {"windows without overlap, gradient", {6, 40, 40, 2}, {6, 40, 80}, {i, j, 2 * k + l}, {{6, 40, 40}}, {{i, j, k}}, {}, {}, "loops sum assign"},
      {"convolution", {8, 30, 16, 5}, {8, 30}, {i, j}, {{16, 34}, {8, 16, 5}}, {{k, j + l - IndexExpr(1)}, {i, k, l}}},
      {"embedding", {200, 400}, {200, 400}, {i, j}, {{50, 400}}, {{t_of(i), j}}, {{200}}, {}, "loops sum assign", true},
      {"embedding's gradient", {200, 400}, {50, 400}, {t_of(i), j}, {{200, 400}}, {{i, j}}, {{200}}, {}, "loops sum scatter", true},
      {"scatter into a large tensor", {100, 300}, {1000, 300}, {t_of(i), j}, {{100, 300}}, {{i, j}}, {{100}}, {}, "loops sum direct scatter"},
      {"pick", {500}, {500}, {i}, {{500, 60}}, {{i, t_of(i)}}, {{500}}, {}, "loops sum assign"},
      {"pick's gradient", {500}, {500, 60}, {i, t_of(i)}, {{500}}, {{i}}, {{500}}, {}, "loops sum assign"},
      {"gather along the last dimension", {100, 80}, {100, 80}, {i, j}, {{100, 60}}, {{i, t_of(j)}}, {{80}}},
      {"causal mask", {90, 90}, {90, 90}, {i, j}, {}, {}, {}, {{i - j, 90}}},
      {"one-hot", {90, 60}, {90, 60}, {i, j}, {}, {}, {{90}}, {{j - t_of(i), 1}}},
      {"masked sum", {90, 90, 40}, {90, 40}, {i, k}, {{90, 90}, {90, 40}}, {{i, j}, {j, k}}, {}, {{i - j, 90}}},
  };
}

Case case_of(const Named& n, DType dtype, Random& random) {
  Case c;
  c.spec.domain = n.domain;
  c.spec.output = n.to;
  c.spec.factors = n.from;
  c.spec.guards = n.guards;
  c.dtype = dtype;
  c.output = n.output;
  for (const Shape& s : n.shapes) {
    c.factors.emplace_back(View::dense(dtype, s), s.elements());
    fill_small(random, c.factors.back(), is_signed(dtype) ? -3 : 0, dtype == boolean ? 1 : 3);
  }
  for (const Shape& s : n.tables) {
    c.tables.emplace_back(View::dense(i32, s), s.elements());
    fill_small(random, c.tables.back(), 0, 49);
  }
  return c;
}

TEST(SumLoops, CommonForms) {
  for (const Named& n : named_cases())
    for (const DType dtype : all_dtypes) {
      SCOPED_TRACE(n.name);
      Random random(17);
      Case c = case_of(n, dtype, random);
      const KernelRef kernel = check_sum(random, c);
      if (HasFailure()) return;
      const bool direct_only_for_floats = std::string_view(n.kernel) == "loops sum direct scatter" && !is_floating(dtype);
      if (*n.kernel != 0 && dtype == f32) {
        // The form does not depend on the output's strides but for the direction of a block.
        std::vector<View> factors, tables;
        for (Buffer& b : c.factors) factors.push_back(b.view());
        for (Buffer& b : c.tables) tables.push_back(b.view());
        EXPECT_EQ(loops::compile_sum(c.spec, factors, tables, View::dense(dtype, c.output))->name(), n.kernel);
      }
      EXPECT_FALSE(direct_only_for_floats && kernel->name() == n.kernel);
      EXPECT_TRUE(!n.chunks || kernel->chunks() > 1);
    }
}

TEST(SumLoops, LongSumsOfFloatsAreFormedInDouble) {
  const std::int64_t n = 1 << 20;
  std::vector<float> x(static_cast<std::size_t>(n), 0.1F);
  float out = 0;
  SumSpec s;
  s.domain = {n};
  s.factors = {{i}};
  s.coefficient = 1.0 / static_cast<double>(n);
  const View in = View::dense(f32, {n});
  run_kernel(*loops::compile_sum(s, std::vector{in}, {}, View::dense(f32, {})), std::vector<void*>{x.data(), &out});
  EXPECT_EQ(out, 0.1F);
}

TEST(SumLoops, ViewsKeepTheSignOfZero) {
  SumSpec s;
  s.domain = {3};
  s.output = {i};
  s.factors = {{IndexExpr(2) - i}};
  std::vector<float> x{-0.0F, 0.0F, 1.0F}, out(3, 7.0F);
  const View v = View::dense(f32, {3});
  run_kernel(*loops::compile_sum(s, std::vector{v}, {}, v), std::vector<void*>{x.data(), out.data()});
  EXPECT_TRUE(std::signbit(out[2]));
  EXPECT_FALSE(std::signbit(out[1]));
  // And so does a sum of nothing but such zeros.
  SumSpec total;
  total.domain = {2};
  total.factors = {{i}};
  std::vector<float> zeros{-0.0F, -0.0F};
  run_kernel(*loops::compile_sum(total, std::vector{View::dense(f32, {2})}, {}, View::dense(f32, {})), std::vector<void*>{zeros.data(), out.data()});
  EXPECT_TRUE(std::signbit(out[0]));
}

TEST(SumLoops, NanAndInfinityPassThrough) {
  SumSpec s;
  s.domain = {2, 3};
  s.output = {i};
  s.factors = {{i, j}};
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> x{inf, 1, 2, inf, -inf, 0}, out(2);
  run_kernel(*loops::compile_sum(s, std::vector{View::dense(f32, {2, 3})}, {}, View::dense(f32, {2})), std::vector<void*>{x.data(), out.data()});
  EXPECT_EQ(out[0], inf);
  EXPECT_TRUE(std::isnan(out[1]));
}

TEST(SumLoops, MeasuresItself) {
  SumSpec s;
  s.domain = {10, 20, 30};
  s.output = {i, j};
  s.factors = {{i, k}, {k, j}};
  const KernelRef kernel = loops::compile_sum(s, std::vector{View::dense(f32, {10, 30}), View::dense(f32, {30, 20})}, {}, View::dense(f32, {10, 20}));
  EXPECT_EQ(kernel->flops(), 2.0 * 10 * 20 * 30);
  EXPECT_EQ(kernel->bytes(), 4.0 * (10 * 30 + 30 * 20 + 10 * 20));
}

TEST(SumLoops, ViewsThatDoNotFitAreAFault) {
  SumSpec s;
  s.domain = {3};
  s.output = {i};
  s.factors = {{i}};
  const View v = View::dense(f32, {3});
  EXPECT_THROW((void)loops::compile_sum(s, {}, {}, v), InternalError);
  EXPECT_THROW((void)loops::compile_sum(s, std::vector{View::dense(f64, {3})}, {}, v), InternalError);
  EXPECT_THROW((void)loops::compile_sum(s, std::vector{v}, std::vector{v}, v), InternalError);
}

}  // namespace
}  // namespace cotan::loops_test
