// Post-operations of products and convolutions: values against formulas in double, each form of tensor, NaN and infinity.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tests/onednn/helpers.h"
#include "tests/onednn/wide_kernels.h"

namespace cotan::onednn::testing {
namespace {

using K = PostOpKind;
constexpr float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

double after(const PostOp& op, double v, double t, double before) {
  switch (op.kind) {
    case K::linear: return op.alpha * v + op.beta;
    case K::leaky_relu: return v > 0 ? v : op.alpha * v;
    case K::elu: return v > 0 ? v : op.alpha * std::expm1(v);
    case K::tanh: return std::tanh(v);
    case K::sigmoid: return 1 / (1 + std::exp(-v));
    case K::sqrt: return std::sqrt(v);
    case K::square: return v * v;
    case K::abs: return std::abs(v);
    case K::silu: return v / (1 + std::exp(-v));
    case K::add: return v + t;
    case K::sub: return v - t;
    case K::mul: return v * t;
    case K::div: return v / t;
    case K::accumulate: return v + before;
  }
  return 0;
}

MatmulProblem product(std::int64_t m, std::int64_t k, std::int64_t n) {
  MatmulProblem p;
  p.m = m;
  p.k = k;
  p.n = n;
  p.a_strides = {k, 1};
  p.b_strides = {n, 1};
  p.c_strides = {n, 1};
  return p;
}

Shape sizes_of(const MatmulProblem& p) {
  Shape sizes = p.batch;
  for (std::int64_t size : {p.m, p.n}) sizes.push_back(size);
  return sizes;
}

// Makes and runs the product; each element against the same in double. The tensors of post-operations hold numbers around 1.
void check(const MatmulProblem& p) {
  const Made made = Primitive::make(p);
  if (!was_made(made)) return;
  Shape a_shape = p.batch, b_shape = p.batch;
  for (std::int64_t size : {p.m, p.k}) a_shape.push_back(size);
  for (std::int64_t size : {p.k, p.n}) b_shape.push_back(size);
  const Shape sizes = sizes_of(p);
  Tensor a(a_shape, p.a_strides), b(b_shape, p.b_strides), c(sizes, p.c_strides);
  a.fill(1);
  b.fill(2);
  c.fill(3);
  const Tensor before = c;
  std::vector<Tensor> tensors;
  std::vector<const void*> inputs{a.data(), b.data()};
  for (const PostOp& op : p.after)
    if (reads_tensor(op.kind)) {
      tensors.emplace_back(sizes, op.strides);
      tensors.back().fill(static_cast<std::uint32_t>(tensors.size()) + 10);
      each_offset(sizes, op.strides, [&](std::int64_t at) { tensors.back()[at] = tensors.back()[at] * 0.25f + 1.0f; });
    }
  for (const Tensor& t : tensors) inputs.push_back(t.data());
  Scratch scratch(made.primitive->scratch_bytes());
  made.primitive->run(inputs, std::array<void*, 1>{c.data()}, scratch.data());
  scratch.expect_untouched_around();
  c.expect_canaries();
  for (std::int64_t flat = 0; flat < sizes.elements(); ++flat) {
    std::vector<std::int64_t> at(sizes.rank());
    std::int64_t rest = flat;
    for (std::size_t i = sizes.rank(); i-- > 0;) {
      at[i] = rest % sizes[i];
      rest /= sizes[i];
    }
    const auto offset = [&](const Shape& strides, bool row, bool column) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < at.size(); ++i)
        if (i + 2 < at.size() || (i + 2 == at.size() ? row : column)) sum += at[i] * strides[i];
      return sum;
    };
    double v = 0;
    const std::int64_t a0 = offset(p.a_strides, true, false), b0 = offset(p.b_strides, false, true);
    for (std::int64_t l = 0; l < p.k; ++l) v += static_cast<double>(a[a0 + l * p.a_strides[sizes.rank() - 1]]) * b[b0 + l * p.b_strides[sizes.rank() - 2]];
    const std::int64_t c0 = offset(p.c_strides, true, true);
    std::size_t next = 0;
    for (const PostOp& op : p.after) {
      const double t = reads_tensor(op.kind) ? tensors[next][offset(op.strides, true, true)] : 0;
      if (reads_tensor(op.kind)) ++next;
      v = after(op, v, t, before[c0]);
    }
    ASSERT_NEAR(c[c0], v, 4e-6 * std::max(1.0, std::abs(v))) << made.primitive->implementation() << " at " << flat;
  }
}

TEST(PostOps, EveryKindOnProductsOfManySizes) {
  const std::vector<PostOp> all{{K::linear, 0.5, 2}, {K::leaky_relu, 0.1f}, {K::elu, 0.7f}, {K::tanh}, {K::sigmoid}, {K::square}, {K::abs}, {K::silu}};
  for (const auto& [m, k, n] : {std::tuple(1, 7, 5), {5, 7, 1}, {8, 8, 8}, {33, 65, 50}}) {
    for (const PostOp& op : all) {
      SCOPED_TRACE(::testing::Message() << m << "x" << k << "x" << n << ", " << name_of(op.kind));
      MatmulProblem p = product(m, k, n);
      p.after = {op};
      check(p);
      if (HasFatalFailure()) return;
    }
    SCOPED_TRACE(::testing::Message() << m << "x" << k << "x" << n << ", square, sqrt, accumulate");
    MatmulProblem p = product(m, k, n);
    p.after = {{K::square}, {K::sqrt}, {K::accumulate}};
    check(p);
  }
}

// A result with gaps between its rows, as a tile of some of a product's columns has: the library's fast kernels do not all write it.
void check_or_slow(const MatmulProblem& p) {
  if (const Made made = Primitive::make(p); made)
    check(p);
  else
    expect_refused(made, Refusal::slow_reference, "post-operation");
}

TEST(PostOps, EveryTensorOnEveryFormOfTheResult) {
  const std::int64_t m = 17, k = 24, n = 33;
  for (const Shape& c : {Shape{n, 1}, Shape{n + 5, 1}, Shape{1, m}, Shape{1, m + 3}}) {
    const bool by_columns = c[0] == 1;
    for (K kind : {K::add, K::sub, K::mul, K::div}) {
      // One number; one for each entry of the dimension that is contiguous; as large as the result.
      for (const Shape& t : {Shape{0, 0}, by_columns ? Shape{1, 0} : Shape{0, 1}, c}) {
        SCOPED_TRACE(::testing::Message() << name_of(kind) << ", result " << c.text() << ", tensor " << t.text());
        MatmulProblem p = product(m, k, n);
        p.c_strides = c;
        const bool gaps = std::max(c[0], c[1]) != (by_columns ? m : n);
        p.after = {{kind, 0, 0, t}};
        gaps ? check_or_slow(p) : check(p);
        p.after = {{K::add, 0, 0, by_columns ? Shape{1, 0} : Shape{0, 1}}, {kind, 0, 0, t}, {K::abs}, {K::mul, 0, 0, {0, 0}}, {K::accumulate}};
        gaps ? check_or_slow(p) : check(p);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(PostOps, ScaledUpdatesOfAnyTile) {
  // Where the library has no post-operation for the factor, it is a factor of the product; the numbers are multiplied before.
  const std::int64_t m = 48, k = 40, n = 64;
  const Shape number{0, 0};
  for (const Shape& a : {Shape{k, 1}, Shape{1, m}, Shape{1, 2 * m}, Shape{k + 3, 1}}) {
    for (const Shape& b : {Shape{n, 1}, Shape{1, k}, Shape{n + 9, 1}}) {
      for (const Shape& c : {Shape{n, 1}, Shape{n + 5, 1}, Shape{1, m}}) {
        for (const std::vector<PostOp>& ops : std::vector<std::vector<PostOp>>{{{K::mul, 0, 0, number}, {K::accumulate}},
                                                                               {{K::mul, 0, 0, number}, {K::linear, -1, 0}, {K::accumulate}},
                                                                               {{K::mul, 0, 0, number}, {K::mul, 0, 0, number}, {K::accumulate}}}) {
          SCOPED_TRACE(::testing::Message() << "a " << a.text() << ", b " << b.text() << ", c " << c.text() << ", " << ops.size() << " steps");
          MatmulProblem p = product(m, k, n);
          p.a_strides = a;
          p.b_strides = b;
          p.c_strides = c;
          p.after = ops;
          check(p);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(PostOps, Batches) {
  MatmulProblem p = product(6, 20, 12);
  p.batch = {5, 1, 3};
  p.a_strides = {3 * 120, 7, 120, 20, 1};
  p.b_strides = {3 * 240, 0, 240, 12, 1};
  p.c_strides = {3 * 72, 0, 72, 12, 1};
  p.after = {{K::add, 0, 0, {0, 0, 0, 0, 1}}, {K::tanh}};
  check(p);
  p.after = {{K::mul, 0, 0, {0, 9, 0, 0, 0}}, {K::add, 0, 0, p.c_strides}, {K::leaky_relu, 0.5f}};
  check(p);
  p.after = {{K::add, 0, 0, p.c_strides}, {K::mul, 0, 0, {0, 9, 0, 0, 1}}};
  check(p);
}

TEST(PostOps, ABiasComesFirstAndCostsNoPostOperation) {
  MatmulProblem p = product(40, 24, 48);
  p.after = {{K::add, 0, 0, {0, 1}}};
  check(p);
  // Several tensors, the same one twice among them.
  p.after = {{K::add, 0, 0, {0, 1}}, {K::add, 0, 0, {0, 1}}, {K::mul, 0, 0, {48, 1}}, {K::sub, 0, 0, {0, 0}}};
  check(p);
}

TEST(PostOps, FunctionsOfOneKindWithDifferentParameters) {
  // Computed rightly or refused: the library confuses their parameters.
  MatmulProblem p = product(8, 4, 16);
  for (const std::vector<PostOp>& ops :
       std::vector<std::vector<PostOp>>{{{K::linear, 2, 0}, {K::abs}, {K::linear, 1, 1}}, {{K::leaky_relu, 0.25f}, {K::leaky_relu, 0.5f}}}) {
    p.after = ops;
    expect_refused(Primitive::make(p), Refusal::library_refused, "which the library confuses");
  }
  p.after = {{K::tanh}, {K::tanh}, {K::linear, 2, 1}, {K::square}, {K::linear, 2, 1}};
  check(p);
}

TEST(PostOps, WhatIsRefused) {
  MatmulProblem p = product(40, 24, 48);
  p.after = {{K::add, 0, 0, {1, 0}}};
  expect_refused(Primitive::make(p), Refusal::layout, "repeats along some dimensions");
  p.after = {{K::add, 0, 0, {1, 40}}};
  expect_refused(Primitive::make(p), Refusal::layout, "not laid out like the result");
  p.after = {{K::add, 0, 0, {0, 2}}};
  expect_refused(Primitive::make(p), Refusal::layout, "repeats along some dimensions");
  p.after = {{K::add, 0, 0, {48}}};
  expect_refused(Primitive::make(p), Refusal::malformed, "1 strides where 2 are due");
}

ConvolutionProblem convolution(std::int64_t groups, std::int64_t in, std::int64_t out, std::int64_t size, std::int64_t kernel, std::int64_t padding,
                               std::int64_t stride) {
  ConvolutionProblem p;
  p.batch = 3;
  p.groups = groups;
  p.in_channels = in;
  p.out_channels = out;
  p.input = {size, size};
  p.kernel = {kernel, kernel};
  p.stride = {stride, stride};
  p.dilation = {1, 1};
  p.padding = {padding, padding};
  const std::int64_t o = (size + 2 * padding - kernel) / stride + 1;
  p.output = {o, o};
  p.source_strides = {in * size * size, size * size, size, 1};
  p.weights_strides = {out / groups * (in / groups) * kernel * kernel, in / groups * kernel * kernel, kernel * kernel, kernel, 1};
  p.result_strides = {out * o * o, o * o, o, 1};
  return p;
}

// The convolution with its post-operations against the same one without, the rest done in double.
void check(const ConvolutionProblem& p) {
  const Made made = Primitive::make(p);
  if (!was_made(made)) return;
  ConvolutionProblem bare = p;
  bare.after.clear();
  const Made plain = Primitive::make(bare);
  if (!was_made(plain)) return;
  const Shape sizes{p.batch, p.out_channels, p.output[0], p.output[1]};
  Tensor source({p.batch, p.in_channels, p.input[0], p.input[1]}),
      weights({p.groups, p.out_channels / p.groups, p.in_channels / p.groups, p.kernel[0], p.kernel[1]});
  Tensor want(sizes), got(sizes);
  source.fill(1);
  weights.fill(2);
  got.fill_all(nan);
  run(*plain.primitive, {&source, &weights}, want);
  std::vector<Tensor> tensors;
  std::vector<const void*> inputs{source.data(), weights.data()};
  for (const PostOp& op : p.after)
    if (reads_tensor(op.kind)) {
      tensors.emplace_back(sizes, op.strides);
      tensors.back().fill(static_cast<std::uint32_t>(tensors.size()) + 10);
    }
  for (const Tensor& t : tensors) inputs.push_back(t.data());
  Scratch scratch(made.primitive->scratch_bytes());
  made.primitive->run(inputs, std::array<void*, 1>{got.data()}, scratch.data());
  scratch.expect_untouched_around();
  got.expect_canaries();
  const std::int64_t plane = p.output[0] * p.output[1];
  for (std::int64_t flat = 0; flat < sizes.elements(); ++flat) {
    const std::array<std::int64_t, 4> at{flat / plane / p.out_channels, flat / plane % p.out_channels, flat % plane / p.output[1], flat % p.output[1]};
    double v = want[flat];
    std::size_t next = 0;
    for (const PostOp& op : p.after) {
      double t = 0;
      if (reads_tensor(op.kind)) {
        std::int64_t offset = 0;
        for (std::size_t i = 0; i < 4; ++i) offset += at[i] * op.strides[i];
        t = tensors[next++][offset];
      }
      v = after(op, v, t, 0);
    }
    ASSERT_NEAR(got[flat], v, 1e-5 * std::max(1.0, std::abs(v))) << made.primitive->implementation() << " at " << flat;
  }
}

TEST(PostOps, Convolutions) {
  for (const ConvolutionProblem& form : {convolution(1, 1, 32, 12, 5, 2, 1), convolution(1, 32, 48, 9, 3, 1, 2), convolution(4, 16, 32, 8, 3, 0, 1),
                                         convolution(16, 16, 16, 8, 3, 1, 1), convolution(1, 3, 10, 9, 3, 1, 1)}) {
    const Shape& full = form.result_strides;
    const Shape channel{0, 1, 0, 0}, number{0, 0, 0, 0};
    // The residual lies channels last: it is read in whatever layout the kernel has.
    const std::int64_t c = form.out_channels, o = form.output[0];
    const Shape last{o * o * c, 1, o * c, c};
    for (const std::vector<PostOp>& ops : std::vector<std::vector<PostOp>>{{{K::add, 0, 0, channel}},
                                                                           {{K::add, 0, 0, channel}, {K::leaky_relu, 0.5f}},
                                                                           {{K::add, 0, 0, channel}, {K::tanh}, {K::linear, 2, 1}},
                                                                           {{K::mul, 0, 0, channel}, {K::add, 0, 0, channel}, {K::sigmoid}},
                                                                           {{K::add, 0, 0, channel}, {K::add, 0, 0, full}, {K::abs}},
                                                                           {{K::add, 0, 0, last}, {K::mul, 0, 0, number}, {K::elu, 0.5f}}}) {
      ConvolutionProblem p = form;
      p.after = ops;
      for (ConvolutionLayout layout : {ConvolutionLayout::automatic, ConvolutionLayout::blocked}) {
        p.layout = layout;
        SCOPED_TRACE(::testing::Message() << p.in_channels << " to " << p.out_channels << ", " << p.groups << " groups, " << ops.size() << " steps");
        check(p);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(PostOps, WhatConvolutionsRefuse) {
  ConvolutionProblem p = convolution(1, 32, 48, 9, 3, 1, 1);
  p.after = {{K::abs}};
  p.direction = ConvolutionDirection::backward_data;
  expect_refused(Primitive::make(p), Refusal::library_refused, "after forward convolutions only");
  p.direction = ConvolutionDirection::forward;
  p.after = {{K::add, 0, 0, {1, 0, 0, 0}}};
  expect_refused(Primitive::make(p), Refusal::layout, "repeats along some dimensions");
  p.after = {{K::add, 0, 0, {1, 0, 0}}};
  expect_refused(Primitive::make(p), Refusal::malformed, "3 entries");
  p.after = {{K::accumulate}};
  expect_refused(Primitive::make(p), Refusal::malformed, "adds to its output");
}

TEST(PostOps, AWayThatTakesThemElementByElementIsRefused) {
  // Pointwise: as a product of matrices in plain layouts, where a bias is all that is cheap.
  ConvolutionProblem p = convolution(1, 32, 48, 9, 1, 0, 1);
  p.after = {{K::add, 0, 0, {0, 1, 0, 0}}};
  check(p);
  p.after.push_back({K::abs});
  const Made made = Primitive::make(p);
  if (made) {
    EXPECT_EQ(made.primitive->implementation().find("gemm"), std::string::npos) << made.primitive->implementation();
  } else {
    expect_refused(made, Refusal::slow_reference, "element by element");
  }
}

// Each kind at a grid of numbers. The bounds are what docs/ir.md states.
TEST(PostOps, Accuracy) {
  struct Bound {
    PostOp op;
    double low, high, absolute, relative;
  };
  for (const Bound& b : {Bound{{K::leaky_relu, 0.1f}, -9, 9, 0, 1.2e-7}, Bound{{K::elu, 1}, -9, 9, 2.4e-7, 0}, Bound{{K::tanh}, -9, 9, 0, 1e-6},
                         Bound{{K::sigmoid}, -20, 20, 0, 1e-6}, Bound{{K::silu}, -20, 20, 0, 2e-6}, Bound{{K::linear, 3, 1}, -9, 9, 1e-6, 2.4e-7}}) {
    constexpr std::int64_t n = 2048;
    MatmulProblem p = product(16, 4, n / 16);
    p.after = {b.op};
    const Made made = Primitive::make(p);
    if (!was_made(made)) return;
    // c[i, j] = 1 * row i's base + j's step: exact in float32 with steps that are multiples of a power of two.
    Tensor a({16, 4}), w({4, n / 16}), c({16, n / 16});
    a.fill_all(0);
    w.fill_all(0);
    const double step = std::exp2(std::floor(std::log2((b.high - b.low) / n)));
    for (std::int64_t i = 0; i < 16; ++i) {
      a[i * 4] = 1;
      a[i * 4 + 1] = static_cast<float>((i - 8) * step * (n / 16));
    }
    for (std::int64_t j = 0; j < n / 16; ++j) {
      w[j] = static_cast<float>(static_cast<double>(j) * step);
      w[n / 16 + j] = 1;
    }
    run(*made.primitive, {&a, &w}, c);
    double worst = 0, at_worst = 0;
    for (std::int64_t i = 0; i < 16; ++i)
      for (std::int64_t j = 0; j < n / 16; ++j) {
        const double v = (i - 8) * step * (n / 16) + static_cast<double>(j) * step, want = after(b.op, v, 0, 0);
        const double off = std::abs(c[i * (n / 16) + j] - want) / (b.absolute + b.relative * std::abs(want) + 1e-30);
        if (off > worst) worst = off, at_worst = v;
      }
    EXPECT_LE(worst, 1) << name_of(b.op.kind) << " at " << at_worst << ", in units of its bound";
  }
}

// The lines of primitive.h's table.
TEST(PostOps, NonfiniteValues) {
  const std::array<float, 8> given{nan, inf, -inf, -2, -1e-3f, 0, 1e-3f, 2};
  for (const PostOp& op : {PostOp{K::linear, 2, 1},
                           {K::leaky_relu, 0.1f},
                           {K::elu, 1},
                           {K::tanh},
                           {K::sigmoid},
                           {K::sqrt},
                           {K::square},
                           {K::abs},
                           {K::silu},
                           {K::add, 0, 0, {0, 0}},
                           {K::sub, 0, 0, {0, 0}},
                           {K::mul, 0, 0, {0, 0}},
                           {K::div, 0, 0, {0, 0}}}) {
    SCOPED_TRACE(name_of(op.kind));
    MatmulProblem p = product(8, 3, 20);
    p.after = {op};
    const Made made = Primitive::make(p);
    if (!was_made(made)) return;
    Tensor a({8, 3}), b({3, 20}), c({8, 20}), t({1});
    a.fill_all(0);
    b.fill_all(1);
    t[0] = 1;
    for (std::int64_t i = 0; i < 8; ++i) a[i * 3] = given[static_cast<std::size_t>(i)];
    if (reads_tensor(op.kind))
      run(*made.primitive, {&a, &b, &t}, c);
    else
      run(*made.primitive, {&a, &b}, c);
    for (std::int64_t i = 0; i < 8; ++i) {
      const double want = after(op, given[static_cast<std::size_t>(i)], 1, 0);
      const float got = c[i * 20 + 7];
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(got)) << i << ": " << got;
      } else if (std::isinf(want)) {
        EXPECT_EQ(got, static_cast<float>(want)) << i;
      } else {
        EXPECT_NEAR(got, want, 1e-6) << i;
      }
    }
  }
}

}  // namespace
}  // namespace cotan::onednn::testing
