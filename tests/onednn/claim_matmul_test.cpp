// Claims of products of matrices: every row case and its gradients, views of many strides, tiles for several numbers of workers.
#include "autograd/differentiate.h"
#include "ops/sum_rows.h"
#include "tests/onednn/claim_helpers.h"

namespace cotan::onednn::testing {
namespace {

Ref gradient(const Ref& y, const Ref& x) {
  const Ref outputs[] = {y}, seeds[] = {input("g", y.shape())}, wrt[] = {x};
  return vjp(outputs, seeds, wrt)[0];
}

bool is_product(const Ref& node) { return as_matmul(node->as<SumSpec>(), tensor_shapes(*node.node())).has_value(); }

TEST(ClaimMatmul, EveryRowCaseAndItsGradients) {
  int products = 0;
  for (const SumRow& row : sum_rows()) {
    if (row.name != "matmul") continue;
    for (const auto& c : row.cases()) {
      const std::vector<Ref> operands{input("a", c.operands[0].shape), input("b", c.operands[1].shape)};
      const Ref y = graph::from_definition(c.define(graph::types_of(operands)), operands);
      for (const Ref& node : {y, gradient(y, operands[0]), gradient(y, operands[1])}) {
        if (!is_product(node)) continue;
        ++products;
        for (int threads : {1, 2, 4}) expect_sum(node, threads);
      }
    }
  }
  EXPECT_GE(products, 12);
}

TEST(ClaimMatmul, RaggedSizesInTiles) {
  for (const auto& [m, k, n] : {std::tuple<int, int, int>{100, 37, 53}, {61, 64, 131}, {1000, 20, 17}, {9, 400, 301}, {257, 129, 3}}) {
    for (int threads : {1, 2, 4, 7}) {
      SCOPED_TRACE(fmt::format("{}x{}x{} for {}", m, k, n, threads));
      const Ref x = input("x", {m, k}), w = input("w", {k, n}), y = graph::matmul(x, w);
      for (const Ref& node : {y, gradient(y, x), gradient(y, w)}) {
        const KernelRef kernel = expect_sum(node, threads);
        ASSERT_NE(kernel, nullptr);
        EXPECT_LE(kernel->chunks(), threads == 1 ? 1 : 2 * threads);
        EXPECT_DOUBLE_EQ(kernel->flops(), 2.0 * m * n * k);
        EXPECT_DOUBLE_EQ(kernel->bytes(), 4.0 * (m * k + k * n + m * n));
        EXPECT_NE(kernel->name().find("oneDNN matmul"), std::string::npos);
        EXPECT_EQ(kernel->name().ends_with(fmt::format(", {} tiles", kernel->chunks())), kernel->chunks() > 1) << kernel->name();
      }
    }
  }
}

TEST(ClaimMatmul, Vectors) {
  for (int threads : {1, 2, 4}) {
    expect_sum(graph::matmul(input("m", {401, 300}), input("v", {300})), threads);
    expect_sum(graph::matmul(input("v", {300}), input("m", {300, 402})), threads);
  }
}

TEST(ClaimMatmul, LargeWorkHasATileForEachWorker) {
  const Ref x = input("x", {256, 128}), w = input("w", {128, 256});
  for (int threads : {2, 4, 8}) EXPECT_GE(expect_sum(graph::matmul(x, w), threads)->chunks(), threads);
  const Ref small = graph::matmul(input("s", {16, 16}), input("t", {16, 16}));
  EXPECT_EQ(expect_sum(small, 8)->chunks(), 1);
}

TEST(ClaimMatmul, ViewsOfOperands) {
  const Shape a{24, 40}, b{40, 30};
  const Ref y = graph::matmul(input("a", a), input("b", b));
  const std::vector<View> of_a{dense(a), permuted(a, {1, 0}), {f32, a, {64, 1}, 0}, {f32, a, {1, 37}, 0}};
  const std::vector<View> of_b{dense(b), permuted(b, {1, 0}), {f32, b, {33, 1}, 0}, {f32, b, {1, 50}, 0}};
  const bool a_first = y->operand(0).shape() == a;
  for (const View& va : of_a)
    for (const View& vb : of_b)
      for (int threads : {1, 2}) expect_sum(y, a_first ? std::vector{va, vb} : std::vector{vb, va}, threads);
}

TEST(ClaimMatmul, BatchesWithHeadStrides) {
  // Attention's scores: q and k are [batch, position, head, channel] in memory.
  const Shape s{2, 3, 16, 8};
  const Ref q = input("q", s), k = input("k", s);
  SumSpec spec;
  const IndexExpr b = index_of(0), h = index_of(1), i = index_of(2), j = index_of(3), d = index_of(4);
  spec.domain = {2, 3, 16, 16, 8};
  spec.output = {b, h, i, j};
  spec.factors = {{b, h, i, d}, {b, h, j, d}};
  const Ref factors[] = {q, k};
  const Ref y = graph::sum(spec, {2, 3, 16, 16}, factors);
  const View heads = permuted(s, {0, 2, 1, 3});
  for (int threads : {1, 2, 4}) {
    expect_sum(y, threads);
    expect_sum(y, {heads, heads}, threads);
    expect_sum(y, {heads, permuted(s, {0, 1, 3, 2})}, threads);
  }
}

// out[b, s, o] = sum over h, d of x[b, h, s, d] * w[h, d, o], with b and h as batches of x that do not join.
Ref heads_into_outputs(std::int64_t b, std::int64_t h, std::int64_t s, std::int64_t d, std::int64_t o) {
  SumSpec spec;
  spec.domain = {b, s, o, h, d};
  spec.output = {index_of(0), index_of(1), index_of(2)};
  spec.factors = {{index_of(0), index_of(3), index_of(1), index_of(4)}, {index_of(3), index_of(4), index_of(2)}};
  const Ref factors[] = {input("x", {b, h, s, d}), input("w", {h, d, o})};
  return graph::sum(spec, {b, s, o}, factors);
}

TEST(ClaimMatmul, KThatLiesOnSeveralStridesIsAccumulated) {
  for (int threads : {1, 2, 4}) {
    expect_sum(heads_into_outputs(2, 3, 16, 8, 24), threads);
    expect_sum(heads_into_outputs(3, 4, 30, 16, 40), threads);
  }
  const Ref y = heads_into_outputs(2, 3, 16, 8, 24);
  for (const Edge& e : y->operands())
    for (int threads : {1, 4}) expect_sum(gradient(y, Ref(e)), threads);
}

TEST(ClaimMatmul, PointwiseConvolutionIsAProduct) {
  const Ref x = input("x", {3, 8, 6, 5}), w = input("w", {7, 8, 1, 1}), y = graph::convolution2d(x, w);
  for (const Ref& node : {y, gradient(y, x), gradient(y, w)})
    for (int threads : {1, 2, 4}) EXPECT_NE(expect_sum(node, threads)->name().find("oneDNN matmul"), std::string::npos);
}

TEST(ClaimMatmul, OneTensorTwice) {
  const Ref x = input("x", {40, 50});
  SumSpec spec;
  spec.domain = {40, 40, 50};
  spec.output = {index_of(0), index_of(1)};
  spec.factors = {{index_of(0), index_of(2)}, {index_of(1), index_of(2)}};
  const Ref factors[] = {x, x};
  const Ref y = graph::sum(spec, {40, 40}, factors);
  const Attempt made = attempt(y, {dense({40, 50}), dense({40, 50})}, 2);
  ASSERT_NE(made.kernel, nullptr);
  Tensor values(Shape{40, 50});
  values.fill(9);
  const reference::Array array = reference::from_buffer(values.data(), dense({40, 50}));
  expect_computes(*made.kernel, y, {0, 1}, {dense({40, 50}), dense({40, 50})}, 2, {array, array});
}

// What the compiler asks: the claim's kernel for these views.
cotan::Made compiled(const Ref& node, const std::vector<View>& views, int threads) {
  const Match match = onednn_backend().match(node, {});
  const auto* claim = std::get_if<Claim>(&match);
  EXPECT_NE(claim, nullptr) << std::get<Reason>(match).detail;
  const std::vector<View> out{dense(node->shape)};
  return claim == nullptr ? cotan::Made{} : claim->compile(views, out, threads);
}

TEST(ClaimMatmul, AsksForCopiesOfWhatNoPrimitiveReads) {
  const Shape s{32, 32};
  const Ref y = graph::matmul(input("a", s), input("b", s));
  const View repeated{f32, s, {0, 1}, 0}, spread{f32, s, {128, 2}, 0}, reversed{f32, s, {-32, 1}, 31 * 32};
  for (const View& bad : {repeated, spread, reversed}) {
    const cotan::Made first = compiled(y, {bad, dense(s)}, 2), second = compiled(y, {dense(s), bad}, 2);
    EXPECT_EQ(first.kernel, nullptr);
    EXPECT_EQ(first.copy_operand, 0);
    EXPECT_EQ(first.reason.code, ReasonCode::layout) << first.reason.detail;
    EXPECT_EQ(second.copy_operand, 1);
    const cotan::Made both = compiled(y, {bad, bad}, 2);
    EXPECT_EQ(both.kernel, nullptr);
    EXPECT_EQ(both.copy_operand, 0);
  }
  const cotan::Made good = compiled(y, {dense(s), dense(s)}, 2);
  EXPECT_NE(good.kernel, nullptr);
  EXPECT_EQ(good.copy_operand, -1);
}

TEST(ClaimMatmul, AnAccessThatNoCopyHelps) {
  // c[i, j] = sum over k of a[2*i, 3*k] * b[k, j]: neither rows nor columns of a are contiguous, in any memory.
  SumSpec spec;
  spec.domain = {32, 16, 16};
  spec.output = {index_of(0), index_of(1)};
  spec.factors = {{2 * index_of(0), 3 * index_of(2)}, {index_of(2), index_of(1)}};
  const Ref factors[] = {input("a", {63, 46}), input("b", {16, 16})};
  const Ref y = graph::sum(spec, {32, 16}, factors);
  const Match match = onednn_backend().match(y, {});
  ASSERT_TRUE(std::holds_alternative<Claim>(match));
  const auto& claim = std::get<Claim>(match);
  const std::vector<View> in{dense(claim.inputs[0].shape()), dense(claim.inputs[1].shape())}, out{dense(y->shape)};
  const cotan::Made made = claim.compile(in, out, 1);
  // Two skipping dimensions may run as a convolution instead; then the numbers are right.
  if (made.kernel) {
    expect_computes(*made.kernel, y, {0, 1}, in, 1);
  } else {
    EXPECT_EQ(made.copy_operand, -1);
    EXPECT_FALSE(made.reason.detail.empty());
  }
}

TEST(ClaimMatmul, ReasonsAgainst) {
  const Ref x = input("x", {32, 32}), w = input("w", {32, 32});
  const Ref small = graph::matmul(input("a", {8, 8}), input("b", {8, 8}));
  EXPECT_EQ(expect_no_claim(small).code, ReasonCode::not_profitable);
  const Ref doubles = graph::matmul(graph::parameter("x", f64, {32, 32}), graph::parameter("w", f64, {32, 32}));
  EXPECT_EQ(expect_no_claim(doubles).code, ReasonCode::dtype);

  SumSpec scaled;
  scaled.coefficient = -1;
  scaled.domain = {32, 32, 32};
  scaled.output = {index_of(0), index_of(1)};
  scaled.factors = {{index_of(0), index_of(2)}, {index_of(2), index_of(1)}};
  const Ref factors[] = {x, w};
  const Reason reason = expect_no_claim(graph::sum(scaled, {32, 32}, factors));
  EXPECT_EQ(reason.code, ReasonCode::not_recognised);
  EXPECT_NE(reason.detail.find("scaled by -1"), std::string::npos);

  SumSpec masked = scaled;
  masked.coefficient = 1;
  masked.guards = {{index_of(0) - index_of(1), 32}};
  EXPECT_EQ(expect_no_claim(graph::sum(masked, {32, 32}, factors)).code, ReasonCode::not_recognised);
  EXPECT_EQ(expect_no_claim(graph::add(x, w)).code, ReasonCode::not_recognised);
  EXPECT_EQ(expect_no_claim(graph::sum(x, {.dim = 0})).code, ReasonCode::not_recognised);
  EXPECT_EQ(expect_no_claim(graph::matmul(input("u", {5000}), input("v", {5000}))).code, ReasonCode::not_profitable);
  EXPECT_EQ(expect_no_claim(graph::matmul(x, input("v", {32}))).code, ReasonCode::not_profitable);
  EXPECT_TRUE(std::holds_alternative<Claim>(onednn_backend().match(graph::matmul(input("m", {200, 300}), input("v", {300})), {})));
}

}  // namespace
}  // namespace cotan::onednn::testing
