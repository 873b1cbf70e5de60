// Claims of convolutions: every row case with its gradients of first and second order, one to three dimensions, layouts, tiles.
#include "autograd/differentiate.h"
#include "ops/sum_rows.h"
#include "tests/onednn/claim_helpers.h"

namespace cotan::onednn::testing {
namespace {

Ref gradient(const Ref& y, const Ref& x, const std::string& name = "g") {
  const Ref outputs[] = {y}, seeds[] = {input(name, y.shape())}, wrt[] = {x};
  return vjp(outputs, seeds, wrt)[0];
}

// The forward sum, the gradients by both operands, and the gradients of those.
std::vector<std::pair<std::string, Ref>> nodes_of(const Ref& y, const Ref& x, const Ref& w) {
  const Ref dx = gradient(y, x), dw = gradient(y, w), g = input("g", y.shape());
  return {{"y", y},
          {"dx", dx},
          {"dw", dw},
          {"dx by g", gradient(dx, g, "h")},
          {"dx by w", gradient(dx, w, "h")},
          {"dw by x", gradient(dw, x, "h")},
          {"dw by g", gradient(dw, g, "h")}};
}

// Every stride, padding, dilation and number of groups of the cases, in one to three dimensions: there is none that the library cannot do.
TEST(ClaimConvolution, EveryRowCaseAndItsGradients) {
  std::size_t rows = 0;
  for (const SumRow& row : sum_rows()) {
    if (row.name.find("convolution") == std::string_view::npos) continue;
    ++rows;
    const auto cases = row.cases();
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const Ref x = input("x", cases[i].operands[0].shape), w = input("w", cases[i].operands[1].shape), operands[] = {x, w};
      const Ref y = graph::from_definition(cases[i].define(graph::types_of(operands)), operands);
      for (const auto& [name, node] : nodes_of(y, x, w)) {
        SCOPED_TRACE(fmt::format("{} {}: {}", row.name, i, name));
        EXPECT_FALSE(as_convolution(node->as<SumSpec>(), tensor_shapes(*node.node())).empty());
        for (int threads : {1, 2, 4}) expect_sum(node, threads);
      }
    }
  }
  EXPECT_EQ(rows, 6u);
}

struct Case {
  Shape x, w;
  Convolution2dOptions options;
};

TEST(ClaimConvolution, TilesInAllDirections) {
  for (const Case& c : {Case{{5, 3, 12, 11}, {20, 3, 3, 3}, {.padding = 1}},
                        {{3, 20, 9, 9}, {36, 20, 3, 3}, {.stride = 2, .padding = 1}},
                        {{2, 32, 8, 8}, {32, 1, 3, 3}, {.padding = 1, .groups = 32}},
                        {{1, 48, 6, 6}, {40, 48, 1, 3}, {.padding = {0, 1}}},
                        {{4, 8, 9, 9}, {12, 4, 5, 5}, {.padding = 2, .dilation = 2, .groups = 2}},
                        {{7, 1, 12, 12}, {6, 1, 5, 5}, {}},
                        {{4, 6, 9, 9}, {10, 6, 1, 1}, {.stride = 2}}}) {
    const Ref x = input("x", c.x), w = input("w", c.w), y = graph::convolution2d(x, w, c.options);
    for (const Ref& node : {y, gradient(y, x), gradient(y, w)}) {
      SCOPED_TRACE(fmt::format("{} * {}", c.x.text(), c.w.text()));
      for (int threads : {1, 2, 4}) {
        const KernelRef kernel = expect_sum(node, threads);
        ASSERT_NE(kernel, nullptr);
        EXPECT_LE(kernel->chunks(), 2 * threads);
        EXPECT_NE(kernel->name().find("convolution"), std::string::npos) << kernel->name();
      }
    }
  }
}

TEST(ClaimConvolution, LargeWorkHasATileForEachWorker) {
  const Ref x = input("x", {4, 16, 6, 6}), w = input("w", {64, 16, 3, 3}), y = graph::convolution2d(x, w, {.padding = 1});
  for (const Ref& node : {y, gradient(y, x), gradient(y, w)})
    for (int threads : {2, 4}) EXPECT_EQ(expect_sum(node, threads)->chunks(), threads);
  const KernelRef kernel = expect_sum(y, 2);
  EXPECT_DOUBLE_EQ(kernel->flops(), 2.0 * 4 * 64 * 36 * 16 * 9);
  EXPECT_DOUBLE_EQ(kernel->bytes(), 4.0 * (4 * 16 * 36 + 64 * 16 * 9 + 4 * 64 * 36));
}

TEST(ClaimConvolution, MemoryInOtherOrders) {
  const Shape sx{3, 4, 7, 6}, sw{5, 4, 3, 3};
  const Ref x = input("x", sx), w = input("w", sw), y = graph::convolution2d(x, w, {.padding = 1});
  const bool x_first = y->operand(0).shape() == sx;
  for (const View& vx : {permuted(sx, {0, 2, 3, 1}), permuted(sx, {1, 0, 2, 3}), View{f32, sx, {400, 90, 10, 1}, 0}, View{f32, sx, {800, 180, 20, 2}, 0}}) {
    for (const View& vw : {dense(sw), permuted(sw, {1, 0, 2, 3}), permuted(sw, {2, 3, 1, 0})})
      for (int threads : {1, 2}) expect_sum(y, x_first ? std::vector{vx, vw} : std::vector{vw, vx}, threads);
  }
}

// x of rank 3 or 5, w likewise; stride, dilation and padding the same in every dimension.
Ref convolution(const Shape& x, const Shape& w, std::int64_t stride, std::int64_t dilation, std::int64_t padding) {
  const std::size_t spatial = x.rank() - 2;
  SumSpec s;
  const auto index = [&](std::int64_t size) {
    s.domain.push_back(size);
    return index_of(static_cast<int>(s.domain.size()) - 1);
  };
  const IndexExpr n = index(x[0]), o = index(w[0]), c = index(x[1]);
  Shape out{x[0], w[0]};
  Access at_x{n, c}, at_w{o, c};
  s.output = {n, o};
  for (std::size_t d = 0; d < spatial; ++d) {
    const std::int64_t size = (x[d + 2] + 2 * padding - dilation * (w[d + 2] - 1) - 1) / stride + 1;
    const IndexExpr i = index(size), p = index(w[d + 2]);
    out.push_back(size);
    s.output.push_back(i);
    at_x.push_back(stride * i + dilation * p - padding);
    at_w.push_back(p);
  }
  s.factors = {at_x, at_w};
  const Ref factors[] = {input("x", x), input("w", w)};
  return graph::sum(s, out, factors);
}

TEST(ClaimConvolution, TransposedOnesOfUsualSizesAreClaimed) {
  struct Transposed {
    Shape x, w;
    TransposedConvolution2dOptions options;
  };
  for (const Transposed& c : {Transposed{{4, 16, 7, 7}, {16, 8, 4, 4}, {.stride = 2, .padding = 1}},
                              {{3, 20, 6, 5}, {20, 6, 3, 3}, {.stride = 2, .padding = 1, .output_padding = 1}},
                              {{2, 32, 6, 6}, {32, 1, 3, 3}, {.padding = 1, .groups = 32}},
                              {{1, 8, 9, 9}, {8, 4, 3, 3}, {.groups = 2, .dilation = 2}},
                              {{24, 8, 8}, {24, 12, 2, 2}, {.stride = 2}}}) {
    SCOPED_TRACE(fmt::format("{} * {}", c.x.text(), c.w.text()));
    const Ref x = input("x", c.x), w = input("w", c.w), y = graph::transposed_convolution2d(x, w, c.options);
    for (const auto& [name, node] : nodes_of(y, x, w)) {
      SCOPED_TRACE(name);
      EXPECT_TRUE(std::holds_alternative<Claim>(onednn_backend().match(node, {})));
      for (int threads : {1, 4}) expect_sum(node, threads);
    }
  }
}

TEST(ClaimConvolution, OneAndThreeDimensions) {
  for (const auto& [stride, dilation, padding] : {std::tuple(1, 1, 0), {1, 1, 1}, {2, 1, 1}, {1, 2, 2}}) {
    for (const auto& [x, w] : {std::pair(Shape{3, 5, 17}, Shape{6, 5, 3}), {Shape{2, 3, 8, 7, 6}, Shape{4, 3, 3, 2, 3}}}) {
      SCOPED_TRACE(fmt::format("{} stride {} dilation {} padding {}", x.text(), stride, dilation, padding));
      const Ref y = convolution(x, w, stride, dilation, padding);
      expect_sum(y, 2);
      for (const Edge& e : y->operands()) expect_sum(gradient(y, Ref(e)), 2);
    }
  }
}

TEST(ClaimConvolution, FirstEntriesThatNoWindowMeets) {
  // x[n, c, i + p + 2]: a slice of x, folded.
  SumSpec s;
  s.domain = {2, 4, 7, 3, 3};
  s.output = {index_of(0), index_of(1), index_of(2)};
  s.factors = {{index_of(0), index_of(3), index_of(2) + index_of(4) + 2}, {index_of(1), index_of(3), index_of(4)}};
  const Ref x = input("x", {2, 3, 12}), w = input("w", {4, 3, 3}), factors[] = {x, w};
  const Ref y = graph::sum(s, {2, 4, 7}, factors);
  expect_sum(y, 2);
  expect_sum(gradient(y, w), 2);
  const Ref dx = gradient(y, x);
  const Attempt made = attempt(dx, {dense(dx->operand(0).shape()), dense(dx->operand(1).shape())}, 1);
  EXPECT_EQ(made.kernel, nullptr);
  EXPECT_EQ(made.reason.code, ReasonCode::layout);
}

TEST(ClaimConvolution, TwoKindsOfBatch) {
  // x[m, n, c, i+p] in memory as [n, c, m, i]: m is a dimension with a kernel of one.
  const Shape sx{3, 2, 4, 9}, sw{5, 4, 3};
  SumSpec s;
  s.domain = {3, 2, 5, 9, 4, 3};
  s.output = {index_of(0), index_of(1), index_of(2), index_of(3)};
  s.factors = {{index_of(0), index_of(1), index_of(4), index_of(3) + index_of(5) - 1}, {index_of(2), index_of(4), index_of(5)}};
  const Ref factors[] = {input("x", sx), input("w", sw)};
  const Ref y = graph::sum(s, {3, 2, 5, 9}, factors);
  const View vx = permuted(sx, {1, 2, 0, 3});
  expect_sum(y, y->operand(0).shape() == sx ? std::vector{vx, dense(sw)} : std::vector{dense(sw), vx}, 2);
}

TEST(ClaimConvolution, RepeatedInputsAreCopied) {
  const Shape sx{2, 8, 9, 9}, sw{8, 8, 3, 3};
  const Ref y = graph::convolution2d(input("x", sx), input("w", sw));
  const Match match = onednn_backend().match(y, {});
  ASSERT_TRUE(std::holds_alternative<Claim>(match));
  const bool x_first = y->operand(0).shape() == sx;
  const View repeated{f32, sx, {648, 0, 9, 1}, 0};
  const std::vector<View> in = x_first ? std::vector{repeated, dense(sw)} : std::vector{dense(sw), repeated}, out{dense(y->shape)};
  const cotan::Made made = std::get<Claim>(match).compile(in, out, 2);
  EXPECT_EQ(made.kernel, nullptr);
  EXPECT_EQ(made.copy_operand, x_first ? 0 : 1);
  EXPECT_EQ(made.reason.code, ReasonCode::layout);
}

TEST(ClaimConvolution, ReasonsAgainst) {
  EXPECT_EQ(expect_no_claim(graph::convolution2d(input("x", {1, 1, 5, 5}), input("w", {1, 1, 3, 3}))).code, ReasonCode::not_profitable);
  const Ref doubles = graph::convolution2d(graph::parameter("x", f64, {4, 8, 9, 9}), graph::parameter("w", f64, {8, 8, 3, 3}));
  EXPECT_EQ(expect_no_claim(doubles).code, ReasonCode::dtype);
}

}  // namespace
}  // namespace cotan::onednn::testing
