// The classes of sums of no factor and of one.
#include "tests/recognise/helpers.h"

namespace cotan::testing {
namespace {

TEST(OtherForms, NoFactor) {
  RawSum s{{.coefficient = 2, .domain = {3, 4}, .output = {i0, i1}, .factors = {}, .guards = {}}, {{3, 4}}};
  EXPECT_EQ(s.recognised(), "fill");
  s.spec.guards = {{i0 - i1, 3}};
  EXPECT_EQ(s.recognised(), "mask");
}

TEST(OtherForms, Views) {
  const Ref x = input("x", {4, 6});
  EXPECT_EQ(class_of(graph::transpose(x)), "strided view");
  EXPECT_EQ(class_of(graph::slice(x, {.dim = 1, .start = 1, .step = 2})), "strided view");
  EXPECT_EQ(class_of(graph::broadcast_to(x, {.size = {3, 4, 6}})), "broadcast");
  RawSum flipped{{.coefficient = 1, .domain = {4}, .output = {i0}, .factors = {{3 - i0}}, .guards = {}}, {{4}, {4}}};
  EXPECT_EQ(flipped.recognised(), "strided view");
  RawSum diagonal{{.coefficient = 1, .domain = {4}, .output = {i0}, .factors = {{i0, i0}}, .guards = {}}, {{4}, {4, 4}}};
  EXPECT_EQ(diagonal.recognised(), "strided view");
  EXPECT_EQ(class_of(graph::pad_zeros(x, {.pad = {1, 2}})), "placed copy");
}

TEST(OtherForms, ReductionsNameWhatTheySumOver) {
  const Ref x = input("x", {4, 6});
  const Ref s = graph::sum(x, {.dim = 1});
  const SumForm form = recognise(*s.node());
  ASSERT_TRUE(std::holds_alternative<ReductionForm>(form));
  EXPECT_EQ(std::get<ReductionForm>(form).over, std::vector<int>{1});
  EXPECT_EQ(class_of(gradient(s, x)), "broadcast");
}

TEST(OtherForms, PoolingInBothDirections) {
  // Average pooling, windows of 3 by 2 with padding: out[i] = sum over p of x[2*i + p - 1].
  RawSum s{{.coefficient = 1.0 / 3, .domain = {5, 3}, .output = {i0}, .factors = {{2 * i0 + i1 - 1}}, .guards = {}}, {{5}, {10}}};
  EXPECT_EQ(s.recognised(), "pooling");
  RawSum back{adjoint(s.spec, 0), {{10}, {5}}};
  EXPECT_EQ(back.recognised(), "pooling gradient");
}

TEST(OtherForms, TablesAndGuards) {
  RawSum gather{{.coefficient = 1, .domain = {5, 3}, .output = {i0, i1}, .factors = {{entry_of(0, {i0}), i1}}, .guards = {}}, {{5, 3}, {7, 3}}};
  EXPECT_EQ(gather.recognised(), "gather");
  RawSum scatter{adjoint(gather.spec, 0), {{7, 3}, {5, 3}}};
  EXPECT_EQ(scatter.recognised(), "scatter");
  gather.spec.guards = {{i0 - i1, 4}};
  EXPECT_EQ(gather.recognised(), "generic");
  RawSum guarded{{.coefficient = 1, .domain = {4, 4}, .output = {i0}, .factors = {{i1}}, .guards = {{i0 - i1, 4}}}, {{4}, {4}}};
  EXPECT_EQ(guarded.recognised(), "generic");  // a running sum
}

}  // namespace
}  // namespace cotan::testing
