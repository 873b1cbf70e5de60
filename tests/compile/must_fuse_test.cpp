// Pieces that must become one kernel: what keeps the promise, what breaks it, and what the error says.
#include <algorithm>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::Not;

Tensor ramp(const Shape& shape) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) values.push_back(static_cast<float>(i % 17) / 16 - 0.5f);
  return tensor(values, shape);
}

// Without regions, which may take in whatever is small.
class MustFuse : public ::testing::Test {
 protected:
  void SetUp() override {
    clear_cache();
    before_ = set_execution_options({.passes = PassSwitches("-fuse_regions")});
  }
  void TearDown() override { set_execution_options(before_); }

 private:
  ExecutionOptions before_;
};

// Two products are two kernels.
Tensor two_products(const Tensor& x, const Tensor& w) {
  return must_fuse([&] { return matmul(relu(matmul(x, w)), w); }, {.name = "pair"});
}

TEST_F(MustFuse, ChainsOfMapsAndProductsWithWhatFollows) {
  const Tensor x = ramp({96, 64}), w = ramp({64, 64}), b = ramp({64});
  const Tensor chain = must_fuse([&] { return tanh(x * 2.0f) + exp(x) * b; });
  const Tensor layer = must_fuse([&] { return relu(matmul(x, w) + b); });
  EXPECT_EQ(chain.to_vector(), (tanh(x * 2.0f) + exp(x) * b).to_vector());
  EXPECT_EQ(layer.shape(), Shape({96, 64}));
  EXPECT_EQ(evaluate({layer}).kernels.size(), 1U);
  const auto compiled = compile([&](const Tensor& t) { return must_fuse([&] { return tanh(t * 2.0f) + exp(t); }); });
  EXPECT_EQ(compiled(x).to_vector(), (tanh(x * 2.0f) + exp(x)).to_vector());
}

TEST_F(MustFuse, SaysWhyNot) {
  const Tensor x = ramp({96, 64}), w = ramp({64, 64});
  const Tensor y = two_products(x, w);
  const auto e = error_of([&] { static_cast<void>(y.to_vector()); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->function(), "must_fuse");
  EXPECT_THAT(e->problem(), AllOf(HasSubstr("the piece 'pair' is 2 kernels, not one"), HasSubstr("must_fuse_test.cpp:"), HasSubstr("matmul")));
  EXPECT_THAT(e->remedy(), HasSubstr("take must_fuse away"));
  EXPECT_EQ(testing::file_name(e->where()), "must_fuse_test.cpp");
}

// Each time, plain and compiled: a program that breaks the promise is not kept. The same graph without the promise runs.
TEST_F(MustFuse, ThrowsAtEachEvaluation) {
  const Tensor x = ramp({96, 64}), w = ramp({64, 64});
  const auto compiled = compile([](const Tensor& a, const Tensor& b) { return two_products(a, b); });
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(message_of([&] { static_cast<void>(two_products(x, w).to_vector()); }), HasSubstr("2 kernels"));
    EXPECT_THAT(message_of([&] { static_cast<void>(compiled(x, w)); }), HasSubstr("2 kernels"));
  }
  EXPECT_EQ(cache_statistics().entries, 0U);
  EXPECT_EQ(matmul(relu(matmul(x, w)), w).to_vector().size(), 96U * 64U);
  EXPECT_THAT(message_of([&] { static_cast<void>(two_products(x, w).to_vector()); }), HasSubstr("2 kernels"));
}

TEST_F(MustFuse, VariablesKeepTheirValues) {
  const Variable w("w", ramp({64, 64}));
  w.assign(two_products(ramp({64, 64}), w.value()));
  EXPECT_THAT(message_of([&] { static_cast<void>(evaluate({exp(w)})); }), HasSubstr("2 kernels"));
  EXPECT_EQ(w.value().to_vector(), ramp({64, 64}).to_vector());
}

TEST_F(MustFuse, AsksNothingWithoutFusion) {
  const Tensor x = ramp({96, 64}), w = ramp({64, 64});
  for (const ExecutionOptions& options : {ExecutionOptions{.passes = without_fusion()}, ExecutionOptions{.mode = ExecutionMode::reference}}) {
    const ExecutionOptions before = set_execution_options(options);
    EXPECT_EQ(two_products(x, w).to_vector().size(), 96U * 64U);
    set_execution_options(before);
  }
}

// Each call is a piece: three layers of one line are three kernels.
TEST_F(MustFuse, PiecesOfOneLine) {
  const Tensor w = ramp({64, 64});
  Tensor h = ramp({96, 64});
  for (int i = 0; i < 3; ++i) h = must_fuse([&] { return relu(matmul(h, w)); });
  EXPECT_EQ(evaluate({h}).kernels.size(), 3U);
}

TEST_F(MustFuse, PiecesInsidePieces) {
  const Tensor x = ramp({96, 64}), w = ramp({64, 64});
  const auto layer = [&](const Tensor& h) { return must_fuse([&] { return relu(matmul(h, w)); }, {.name = "inner"}); };
  EXPECT_THAT(message_of([&] { static_cast<void>(must_fuse([&] { return layer(layer(x)); }, {.name = "outer"}).to_vector()); }),
              AllOf(HasSubstr("the piece 'outer' is 2 kernels"), Not(HasSubstr("inner"))));
}

// A full sum closes a region: its blocks belong to it, and what adds these up does not count.
TEST_F(MustFuse, ClosingSums) {
  set_execution_options({});
  const Tensor x = ramp({1024, 256});
  EXPECT_NEAR(must_fuse([&] { return sum(square(tanh(x))); }).item(), sum(square(tanh(x))).item(), 1e-6 * 1024 * 256);
}

TEST_F(MustFuse, TheGradientToo) {
  const Tensor x = ramp({96, 64});
  const auto loss = [&](const Tensor& t, bool gradient) {
    return sum(square(must_fuse([&] { return tanh(t * 2.0f) * exp(t); }, {.name = "chain", .gradient = gradient})));
  };
  Tensor at = ramp({96, 64});
  at.requires_grad_();
  EXPECT_EQ(gradients(loss(at, true), {at})[0].to_vector().size(), 96U * 64U);

  Tensor w = ramp({64, 64});
  w.requires_grad_();
  const auto layer = [&](bool gradient) {
    return gradients(sum(must_fuse([&] { return silu(matmul(matmul(x, w), w)); }, {.name = "deep", .gradient = gradient})), {w})[0];
  };
  EXPECT_THAT(message_of([&] { static_cast<void>(layer(true).to_vector()); }), HasSubstr("the piece 'deep' is"));
  const auto shallow = [&](bool gradient) {
    return gradients(sum(must_fuse([&] { return relu(matmul(x, w)); }, {.name = "flat", .gradient = gradient})), {w})[0];
  };
  EXPECT_EQ(shallow(false).to_vector().size(), 64U * 64U);
  EXPECT_THAT(message_of([&] { static_cast<void>(shallow(true).to_vector()); }), HasSubstr("the gradient of the piece 'flat' is"));
}

// gelu's derivative asks what gelu was given, which the product would no longer write.
TEST_F(MustFuse, NeededByTheGradientIsAReason) {
  const Tensor x = ramp({96, 64});
  Tensor w = ramp({64, 64});
  w.requires_grad_();
  const Tensor y = sum(gelu(matmul(x, w)));
  const EvaluationReport report = evaluate({y, gradients(y, {w})[0]});
  const auto miss = std::find_if(report.misses.begin(), report.misses.end(), [](const auto& m) { return m.what == "fuse_epilogues"; });
  ASSERT_NE(miss, report.misses.end());
  EXPECT_EQ(miss->reason.code, ReasonCode::needed_by_gradient);
  EXPECT_EQ(miss->reason.detail, "1 of 2 readers");
  const Tensor twice = matmul(x, w);
  const EvaluationReport several = evaluate({sum(sin(twice)), sum(cos(twice) * 2.0f)});
  for (const auto& m : several.misses) EXPECT_NE(m.reason.code, ReasonCode::needed_by_gradient);
}

TEST_F(MustFuse, WithTheGradientBesideIt) {
  const Tensor x = ramp({96, 64});
  Tensor w = ramp({64, 64});
  w.requires_grad_();
  const auto y = [&] { return sum(must_fuse([&] { return gelu(matmul(x, w)); }, {.name = "gelu"})); };
  EXPECT_THAT(message_of([&] {
                const Tensor loss = y();
                static_cast<void>(evaluate({loss, gradients(loss, {w})[0]}));
              }),
              AllOf(HasSubstr("the piece 'gelu' is 2 kernels"), HasSubstr("needed by the gradient, 1 of 2 readers")));
}

TEST_F(MustFuse, APromiseIsAReasonToCompileAgain) {
  const Tensor x = ramp({8});
  for (const bool piece : {false, true, true}) static_cast<void>((piece ? must_fuse([&] { return exp(x); }) : exp(x)).to_vector());
  const std::vector<Recompile> all = explain_recompiles();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].reason, "other pieces of the graph must_fuse()");
}

// What the program holds and computes again and again does not remember each piece that it was in.
TEST_F(MustFuse, LongLoopsOfAHeldNode) {
  const Tensor x = ramp({4});
  const Tensor held = exp(x);
  Tensor last;
  for (int i = 0; i < 1000; ++i) last = must_fuse([&] { return exp(x); });
  const Node& n = *last.state()->ref.node();
  EXPECT_LE(n.table->origins_of(n).size(), 2U);
  EXPECT_TRUE(n.table->has_pieces());
  EXPECT_EQ(last.to_vector(), held.to_vector());
}

}  // namespace
}  // namespace cotan
