// Products of matrices: roles, arrangements over strides, and sums that are nearly products.
#include "tests/recognise/helpers.h"

namespace cotan::testing {
namespace {

// c[i0, i1] = sum over i2 of a[i0, i2] * b[i2, i1], with sizes 4, 6, 8.
RawSum product() {
  RawSum s;
  s.spec.domain = {4, 6, 8};
  s.spec.output = {i0, i1};
  s.spec.factors = {{i0, i2}, {i2, i1}};
  s.shapes = {{4, 6}, {4, 8}, {8, 6}};
  return s;
}

std::array<Shape, 3> dense_of(const RawSum& s) { return {dense_strides(s.shapes[0]), dense_strides(s.shapes[1]), dense_strides(s.shapes[2])}; }

TEST(Matmul, Roles) {
  const RawSum s = product();
  ASSERT_EQ(s.recognised(), "matmul");
  const auto form = as_matmul(s.spec, s.shapes);
  EXPECT_EQ(*form, (MatmulForm{.batch = {}, .m = {0}, .n = {1}, .k = {2}, .a = 1, .b = 2}));
}

TEST(Matmul, BatchesAndBroadcastOperands) {
  RawSum s;
  s.spec.domain = {2, 3, 4, 5, 6};
  s.spec.output = {i0, i1, i2, i3};
  s.spec.factors = {{i0, i1, i2, i4}, {i1, i4, i3}};
  s.shapes = {{2, 3, 4, 5}, {2, 3, 4, 6}, {3, 6, 5}};
  const auto form = as_matmul(s.spec, s.shapes);
  ASSERT_TRUE(form);
  EXPECT_EQ(*form, (MatmulForm{.batch = {1}, .m = {0, 2}, .n = {3}, .k = {4}}));
  const auto at = arrange(*form, s.spec, dense_of(s));
  ASSERT_TRUE(at);
  EXPECT_FALSE(at->whole);  // i0 and i2 do not lie on one stride: i0 becomes a batch that b does not have
  EXPECT_EQ(at->m, (IndexRun{4, {5, 6, 0}}));
  EXPECT_EQ(at->n, (IndexRun{5, {1, 0, 1}}));
  EXPECT_EQ(at->k, (IndexRun{6, {0, 1, 5}}));
  EXPECT_EQ(at->batch, (std::vector<IndexRun>{{3, {20, 24, 30}}, {2, {60, 72, 0}}}));
}

TEST(Matmul, GroupsJoinWhereTheirStepsNest) {
  // out[b, s, o] = sum over h, d of x[b, s, h, d] * w[h, d, o]: one product of (b s) x (h d) x o.
  RawSum s;
  s.spec.domain = {2, 3, 4, 5, 6};
  s.spec.output = {i0, i1, i2};
  s.spec.factors = {{i0, i1, i3, i4}, {i3, i4, i2}};
  s.shapes = {{2, 3, 4}, {2, 3, 5, 6}, {5, 6, 4}};
  const auto at = arrange(*as_matmul(s.spec, s.shapes), s.spec, dense_of(s));
  ASSERT_TRUE(at);
  EXPECT_TRUE(at->whole);
  EXPECT_EQ(at->m, (IndexRun{6, {4, 30, 0}}));
  EXPECT_EQ(at->k, (IndexRun{30, {0, 1, 4}}));
  EXPECT_TRUE(at->batch.empty() && at->k_loop.empty());
}

TEST(Matmul, AGroupOfKThatDoesNotJoinIsALoop) {
  // The same with x[b, h, s, d].
  RawSum s;
  s.spec.domain = {2, 3, 4, 5, 6};
  s.spec.output = {i0, i1, i2};
  s.spec.factors = {{i0, i3, i1, i4}, {i3, i4, i2}};
  s.shapes = {{2, 3, 4}, {2, 5, 3, 6}, {5, 6, 4}};
  const auto at = arrange(*as_matmul(s.spec, s.shapes), s.spec, dense_of(s));
  ASSERT_TRUE(at);
  EXPECT_FALSE(at->whole);
  EXPECT_EQ(at->k, (IndexRun{6, {0, 1, 4}}));
  EXPECT_EQ(at->k_loop, (std::vector<IndexRun>{{5, {0, 18, 24}}}));
  EXPECT_EQ(at->batch, (std::vector<IndexRun>{{2, {12, 90, 0}}}));
}

TEST(Matmul, TheContiguousIndexOfTheResultIsN) {
  RawSum s = product();
  s.spec.output = {i1, i0};
  s.shapes[0] = {6, 4};
  const auto at = arrange(*as_matmul(s.spec, s.shapes), s.spec, dense_of(s));
  ASSERT_TRUE(at);
  EXPECT_EQ(at->a, 2);
  EXPECT_EQ(at->b, 1);
  EXPECT_EQ(at->n, (IndexRun{4, {1, 0, 8}}));
  EXPECT_EQ(at->m, (IndexRun{6, {4, 1, 0}}));
  EXPECT_EQ(at->k, (IndexRun{8, {0, 6, 1}}));
}

TEST(Matmul, OffsetsAndDigits) {
  // a is rows 3.. of a larger tensor whose columns are two digits; c's rows are two indices in one dimension.
  RawSum s;
  s.spec.domain = {2, 3, 4, 5};
  s.spec.output = {3 * i0 + i1, i3};
  s.spec.factors = {{3 * i0 + i1 + 3, i2 + 1}, {i2, i3}};
  s.shapes = {{6, 5}, {9, 6}, {4, 5}};
  ASSERT_EQ(s.recognised(), "matmul");
  const auto at = arrange(*as_matmul(s.spec, s.shapes), s.spec, dense_of(s));
  ASSERT_TRUE(at);
  EXPECT_EQ(at->base, (std::array<std::int64_t, 3>{0, 19, 0}));
  EXPECT_EQ(at->m, (IndexRun{6, {5, 6, 0}}));
}

TEST(Matmul, NoArrangementWithoutAContiguousRowOrColumn) {
  const RawSum s = product();
  const auto form = as_matmul(s.spec, s.shapes);
  EXPECT_FALSE(arrange(*form, s.spec, {Shape{6, 1}, Shape{16, 2}, Shape{6, 1}}));
  EXPECT_FALSE(arrange(*form, s.spec, {Shape{6, 1}, Shape{0, 1}, Shape{6, 1}}));   // repeated rows
  EXPECT_FALSE(arrange(*form, s.spec, {Shape{6, 1}, Shape{-8, 1}, Shape{6, 1}}));  // reversed rows
  EXPECT_TRUE(arrange(*form, s.spec, {Shape{6, 1}, Shape{1, 4}, Shape{6, 1}}));
}

// Each change makes the product something else.
TEST(NearMiss, Products) {
  {
    RawSum s = product();
    s.spec.guards = {{i0 - i1, 4}};
    EXPECT_EQ(s.recognised(), "generic") << "a guard";
  }
  {
    RawSum s = product();
    s.spec.factors[0] = {i0, i2 + 1};
    EXPECT_EQ(class_of(graph::parameter("x", f32, {1})), "leaf");
    EXPECT_FALSE(as_matmul(s.spec, s.shapes)) << "a clipped k";
  }
  {
    RawSum s = product();
    s.shapes[1] = {4, 8, 8};
    s.spec.factors[0] = {i0, i2, i2};
    EXPECT_EQ(s.recognised(), "generic") << "a diagonal operand";
  }
  {
    RawSum s = product();
    s.shapes[1] = {4, 4, 8};
    s.spec.factors[0] = {i0, i0, i2};
    EXPECT_EQ(s.recognised(), "generic") << "a repeated row index";
  }
  {
    RawSum s = product();
    s.spec.factors.push_back({i0});
    s.shapes.push_back({4});
    EXPECT_EQ(s.recognised(), "generic") << "three factors";
  }
  {
    RawSum s = product();
    s.spec.factors[0] = {i0, 7 - i2};
    EXPECT_EQ(s.recognised(), "generic") << "a negative coefficient";
  }
  {
    RawSum s = product();
    s.spec.output = {i0};
    s.shapes[0] = {4};
    EXPECT_EQ(s.recognised(), "generic") << "n in one tensor only";
  }
  {
    RawSum s = product();
    s.shapes[0] = {5, 6};
    EXPECT_FALSE(as_matmul(s.spec, s.shapes)) << "a row of the output is not covered";
  }
  {
    RawSum s = product();
    s.spec.output = {i0, i1, i2};
    s.shapes[0] = {4, 6, 8};
    EXPECT_EQ(s.recognised(), "product") << "nothing summed over";
  }
  {
    RawSum s = product();
    s.spec.factors[0] = {i0, entry_of(0, {i2})};
    EXPECT_EQ(s.recognised(), "gather") << "a table";
  }
  {
    RawSum s = product();
    s.spec.domain[2] = 0;
    s.shapes[1] = {4, 0};
    s.shapes[2] = {0, 6};
    EXPECT_EQ(s.recognised(), "generic") << "no point";
  }
}

}  // namespace
}  // namespace cotan::testing
