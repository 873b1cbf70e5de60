// Small products of matrices against float64 sums, element by element.
#include "backends/loops/small_product.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "backends/loops/product_tiles.h"
#include "backends/reference/kinds.h"
#include "graph/text/text.h"
#include "tests/loops/buffers.h"

namespace cotan::loops_test {
namespace {

// c[i, j] = coefficient * sum over p of a[i, p] * b[p, j], either factor and the result perhaps transposed. Index 0 is i, 1 is j, 2 is p.
SumSpec product_spec(std::int64_t m, std::int64_t n, std::int64_t k, int transposed, double coefficient = 1) {
  const auto access = [](int first, int second, bool turned) {
    return turned ? Access{index_of(second), index_of(first)} : Access{index_of(first), index_of(second)};
  };
  SumSpec spec;
  spec.domain = {m, n, k};
  spec.output = access(0, 1, (transposed & 1) != 0);
  spec.factors = {access(0, 2, (transposed & 2) != 0), access(2, 1, (transposed & 4) != 0)};
  spec.coefficient = coefficient;
  return spec;
}

const MatmulForm plain_form{.batch = {}, .m = {0}, .n = {1}, .k = {2}, .a = 1, .b = 2};

Shape turned(std::int64_t a, std::int64_t b, bool turn) { return turn ? Shape{b, a} : Shape{a, b}; }

struct Product {
  SumSpec spec;
  Buffer a, b, out;
};

Product make(Random& random, std::int64_t m, std::int64_t n, std::int64_t k, int transposed, double coefficient = 1, bool special = false) {
  Product p{product_spec(m, n, k, transposed, coefficient), random_buffer(random, f32, turned(m, k, (transposed & 2) != 0)),
            random_buffer(random, f32, turned(k, n, (transposed & 4) != 0)), random_buffer(random, f32, turned(m, n, (transposed & 1) != 0))};
  for (Buffer* buffer : {&p.a, &p.b}) {
    Array values = Array::zeros(f32, buffer->view().shape);
    for (double& v : values.values) v = static_cast<float>(static_cast<double>(random.integer(-1000, 1000)) / 1000.0);
    if (special) values.values[values.values.size() / 2] = random.pick<double>({NAN, INFINITY, -INFINITY});
    reference::to_buffer(values, buffer->first(), buffer->view());
  }
  return p;
}

// Runs the kernel and holds each entry to the float64 sum, within the stated bound.
void check(Product& p) {
  p.out.watch();
  const View factors[] = {p.a.view(), p.b.view()};
  const KernelRef kernel = loops::compile_small_product(plain_form, p.spec, factors, p.out.view());
  EXPECT_EQ(kernel->chunks(), 1);
  run_kernel(*kernel, std::vector<void*>{p.a.first(), p.b.first(), p.out.first()});
  Array a = p.a.array(), b = p.b.array(), magnitude_a = a, magnitude_b = b;
  for (Array* values : {&magnitude_a, &magnitude_b})
    for (double& v : values->values) v = std::fabs(v);
  a.dtype = b.dtype = magnitude_a.dtype = magnitude_b.dtype = f64;
  const Array* const factors64[] = {&a, &b};
  const Array* const magnitudes[] = {&magnitude_a, &magnitude_b};
  SumSpec positive = p.spec;
  positive.coefficient = std::fabs(p.spec.coefficient);
  const Array want = reference::run_sum(p.spec, {f64, p.out.view().shape}, factors64, {});
  const Array most = reference::run_sum(positive, {f64, p.out.view().shape}, magnitudes, {});
  const Array got = p.out.array();
  const double bound = (64 + static_cast<double>(p.spec.domain[2]) / 64 + 4) * 0x1p-24;
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    if (!std::isfinite(want.values[i]))
      ASSERT_TRUE(std::isnan(want.values[i]) ? std::isnan(got.values[i]) : got.values[i] == want.values[i]) << kernel->name() << ", element " << i;
    else
      ASSERT_NEAR(got.values[i], want.values[i], bound * most.values[i]) << kernel->name() << ", element " << i;
  }
  EXPECT_TRUE(p.out.untouched_elsewhere()) << kernel->name();
}

TEST(SmallProduct, EverySizeOfRowsAndColumns) {
  Random random(1);
  for (std::int64_t size = 1; size <= 70; ++size) {
    for (auto [m, n, k] :
         {std::array{size, std::int64_t{5}, std::int64_t{7}}, {std::int64_t{6}, size, std::int64_t{3}}, {std::int64_t{3}, std::int64_t{17}, size}}) {
      Product p = make(random, m, n, k, static_cast<int>(size % 8));
      check(p);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(SmallProduct, EveryTransposeWithAnyStrides) {
  Random random(2);
  for (int transposed = 0; transposed < 8; ++transposed) {
    for (int i = 0; i < 12; ++i) {
      Product p = make(random, random.integer(1, 70), random.integer(1, 70), random.integer(1, 150), transposed, i % 3 == 0 ? -0.37 : 1);
      check(p);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(SmallProduct, NonFiniteNumbersReachWhatTheyReachInTheReference) {
  Random random(3);
  for (int i = 0; i < 40; ++i) {
    Product p = make(random, random.integer(1, 40), random.integer(1, 40), random.integer(1, 80), i % 8, 1, true);
    check(p);
    if (HasFatalFailure()) return;
  }
}

TEST(SmallProduct, AProductThatIsAZeroKeepsItsSign) {
  const float a[] = {-0.0F, 0.0F}, b[] = {1, 2, 3};
  float c[6];
  loops::product_tile()({.a = a, .a_row = 1, .a_step = 1, .b = b, .b_step = 3, .c = c, .c_row = 3, .m = 2, .n = 3, .k = 1});
  for (int j = 0; j < 3; ++j) {
    EXPECT_TRUE(std::signbit(c[j]));
    EXPECT_FALSE(std::signbit(c[3 + j]));
  }
}

// The bits of an entry depend on its own row and column alone.
TEST(SmallProduct, ATileHasTheBitsOfTheWhole) {
  Random random(4);
  constexpr std::int64_t m = 37, n = 90, k = 130;
  std::vector<float> a(m * k), b(k * n), whole(m * n), part(m * n);
  for (auto* v : {&a, &b})
    for (float& x : *v) x = static_cast<float>(random.integer(-999, 999)) / 997;
  loops::ProductTile t{.a = a.data(), .a_row = k, .a_step = 1, .b = b.data(), .b_step = n, .c = whole.data(), .c_row = n, .m = m, .n = n, .k = k};
  loops::product_tile()(t);
  t.c = part.data();
  for (std::int64_t row = 0; row < m; row += 5) {
    for (std::int64_t column = 0; column < n; column += 23) {
      loops::ProductTile one = t;
      one.a += row * k, one.b += column, one.c += row * n + column;
      one.m = std::min<std::int64_t>(5, m - row);
      one.n = std::min<std::int64_t>(23, n - column);
      loops::product_tile()(one);
    }
  }
  EXPECT_EQ(whole, part);
}

// The whole product is there before anything is stored, so the result may lie over the old value, or over a factor.
TEST(SmallProduct, WhatFollowsMayBeWrittenOverAnInput) {
  constexpr std::int64_t size = 20;
  const View square = View::dense(f32, Shape{size, size});
  const FormulaRef formula = make_formula({f32, f32}, [](auto x) {
    using namespace formula_language;
    return x[1] - 0.5 * x[0];
  });
  std::vector<float> a(size * size), old(size * size), product(size * size);
  std::iota(a.begin(), a.end(), -7.0F);
  std::iota(old.begin(), old.end(), 3.0F);
  const SumSpec spec = product_spec(size, size, size, 4);  // a times its transpose
  const View factors[] = {square, square};
  run_kernel(*loops::compile_small_product(plain_form, spec, factors, square), std::vector<void*>{a.data(), a.data(), product.data()});
  const View inputs[] = {square, square, square};
  const KernelRef kernel = loops::compile_small_product(plain_form, spec, inputs, square, *formula, this_machine().instructions);
  std::vector<float> over_old = old, over_a = a;
  run_kernel(*kernel, std::vector<void*>{a.data(), a.data(), over_old.data(), over_old.data()});
  run_kernel(*kernel, std::vector<void*>{over_a.data(), over_a.data(), old.data(), over_a.data()});
  for (std::size_t i = 0; i < old.size(); ++i) {
    ASSERT_EQ(over_old[i], old[i] - 0.5F * product[i]);
    ASSERT_EQ(over_a[i], over_old[i]);
  }
}

std::string answer(std::string_view sum) {
  const Function f = parse_function(fmt::format("func f({}", sum));
  const Match match = loops::small_products().match(f.results[0], {});
  const auto* reason = std::get_if<Reason>(&match);
  return reason == nullptr ? "taken" : reason->detail;
}

TEST(SmallProduct, WhichSumsAreTaken) {
  EXPECT_EQ(answer("x: f32[24,16], w: f32[16,32]) { %0: f32[24,32][i,j] = x[i,p] * w[p,j] return %0 }"), "taken");
  EXPECT_EQ(answer("x: f32[4,24,16], w: f32[4,32,16]) { %0: f32[4,24,32][n,i,j] = 0.25 * x[n,i,p] * w[n,j,p] return %0 }"), "taken");
  EXPECT_EQ(answer("x: f32[4,3], w: f32[3,5]) { %0: f32[4,5][i,j] = x[i,p] * w[p,j] return %0 }").substr(0, 5), "1 of ");
  EXPECT_EQ(answer("x: f32[64,784], w: f32[784,128]) { %0: f32[64,128][i,j] = x[i,p] * w[p,j] return %0 }").substr(0, 5), "1 of ");
  EXPECT_EQ(answer("x: f64[24,16], w: f64[16,32]) { %0: f64[24,32][i,j] = x[i,p] * w[p,j] return %0 }"), "f64");
  EXPECT_EQ(answer("x: f32[24,16], w: f32[16]) { %0: f32[24][i] = x[i,p] * w[p] return %0 }").substr(0, 5), "1 of ");
  EXPECT_EQ(answer("x: f32[24,16]) { %0: f32[24][i] = x[i,p] return %0 }"), "no product of matrices");
  // Columns that fill a small part of their vectors.
  EXPECT_EQ(answer("x: f32[17,256], w: f32[256,17]) { %0: f32[17,17][i,j] = x[i,p] * w[p,j] return %0 }"), "9858 cycles as loops, 9406 by a primitive");
}

}  // namespace
}  // namespace cotan::loops_test
