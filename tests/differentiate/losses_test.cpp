// Losses, attention and cells where their cases do not reach: entries that are ignored or masked, far logits, edges of domains, means over nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "autograd/differentiate.h"
#include "graph/composites/composites.h"
#include "ops/error.h"
#include "tests/support/inputs.h"

namespace cotan::testing {
namespace {

using namespace graph;

constexpr double inf = std::numeric_limits<double>::infinity();

std::vector<double> gradient_of(const Inputs& inputs, const Ref& y, const Ref& x) {
  const Ref wrt[] = {x};
  return inputs.run(gradients(y, wrt)[0]);
}

void expect_near(std::span<const double> got, std::span<const double> wanted, double tolerance = 1e-14) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], tolerance) << i;
}

// ---- entries that do not count

class Ignored : public ::testing::Test {
 protected:
  Inputs inputs;
  Ref logits = inputs.add("logits", f64, {4, 3}, {0.5, -1, 2, 1, 1, 0, -3, 0.25, 1, 2, 2, -1});
  Ref kept = inputs.add("kept", f64, {2, 3}, {0.5, -1, 2, -3, 0.25, 1});
  Ref few = inputs.add("few", i32, {2}, {2, 0});
  // An ignored index need not be a class.
  Ref target = inputs.add("target", i32, {4}, {2, -100, 0, -100});
};

TEST_F(Ignored, RowsAreAsIfTheyWereNotThere) {
  for (const char* reduction : {"mean", "sum"}) {
    const Ref loss = cross_entropy(logits, target, {}, {.reduction = reduction}), short_loss = cross_entropy(kept, few, {}, {.reduction = reduction});
    expect_near(inputs.run(loss), inputs.run(short_loss));
    const std::vector<double> g = gradient_of(inputs, loss, logits), short_g = gradient_of(inputs, short_loss, kept);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(g[i], short_g[i], 1e-15);
      EXPECT_EQ(g[3 + i], 0);
      EXPECT_NEAR(g[6 + i], short_g[3 + i], 1e-15);
      EXPECT_EQ(g[9 + i], 0);
    }
  }
}

TEST_F(Ignored, RowsAreZerosWithoutReduction) {
  const std::vector<double> losses = inputs.run(nll_loss(logits, target, {}, {.reduction = "none"}));
  EXPECT_EQ(losses, (std::vector<double>{-2, 0, 3, 0}));
}

// An ignored row's infinite loss does not reach the sum.
TEST_F(Ignored, InfiniteLossesDoNotMatter) {
  const Ref x = inputs.add("x", f64, {2, 2}, {-0.5, -1, -inf, -inf});
  const Ref t = inputs.add("t", i32, {2}, {1, -100});
  EXPECT_EQ(inputs.run(nll_loss(x, t)), (std::vector<double>{1}));
  EXPECT_EQ(gradient_of(inputs, nll_loss(x, t), x), (std::vector<double>{0, -1, 0, 0}));
}

TEST_F(Ignored, AMeanOverNoneIsAnErrorOfTheRun) {
  const Ref none = inputs.add("none", i32, {4}, {-100, -100, -100, -100}), weight = inputs.add("weight", f64, {3}, {1, 2, 3});
  for (const Ref& loss : {cross_entropy(logits, none, {}), cross_entropy(logits, none, weight), nll_loss(logits, none, {}), nll_loss(logits, none, weight)}) {
    try {
      static_cast<void>(inputs.run(loss));
      ADD_FAILURE() << "a mean over no rows was computed";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("mean over no rows"), std::string::npos) << e.what();
    }
  }
  EXPECT_EQ(inputs.run(cross_entropy(logits, none, {}, {.reduction = "sum"})), (std::vector<double>{0}));
}

// Unsigned targets cannot hold -100: nothing is ignored, and 156, its low byte, is out of range like any other.
TEST_F(Ignored, UnsignedTargetsIgnoreNothing) {
  const Ref t = inputs.add("bytes", u8, {4}, {2, 0, 0, 1}), wrong = inputs.add("wrong", u8, {4}, {2, 156, 0, 1}),
            same = inputs.add("same", i64, {4}, {2, 0, 0, 1});
  expect_near(inputs.run(cross_entropy(logits, t, {})), inputs.run(cross_entropy(logits, same, {})));
  EXPECT_THROW(static_cast<void>(inputs.run(cross_entropy(logits, wrong, {}))), Error);
}

TEST_F(Ignored, AnIndexThatIsNoClassIsAnError) {
  const Ref t = inputs.add("wrong", i32, {4}, {2, 3, 0, 1}), negative = inputs.add("negative", i32, {4}, {2, -1, 0, 1});
  EXPECT_THROW(static_cast<void>(inputs.run(cross_entropy(logits, t, {}))), Error);
  EXPECT_THROW(static_cast<void>(inputs.run(nll_loss(logits, negative, {}))), Error);
}

// ---- far out and at the edges

TEST(BinaryCrossEntropy, WithFarLogitsNeitherOverflowsNorCancels) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {6}, {-800, -50, 50, 800, 800, -800}), t = inputs.add("t", f64, {6}, {0, 0, 1, 1, 0, 1});
  const Ref losses = binary_cross_entropy_with_logits(x, t, {}, {}, {.reduction = "none"});
  const std::vector<double> got = inputs.run(losses), tiny = {0, std::exp(-50), std::exp(-50), 0};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[i], tiny[i], 1e-15 * std::exp(-50)) << i;
  EXPECT_EQ(got[4], 800);
  EXPECT_EQ(got[5], 800);
  const std::vector<double> g = gradient_of(inputs, sum(losses), x);
  EXPECT_NEAR(g[1], std::exp(-50), 1e-15 * std::exp(-50));
  EXPECT_NEAR(g[2], -std::exp(-50), 1e-15 * std::exp(-50));
  EXPECT_EQ(g[4], 1);
  EXPECT_EQ(g[5], -1);
}

TEST(BinaryCrossEntropy, OfCertainProbabilities) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {6}, {0, 1, 0, 1, -0.5, 1.5}), t = inputs.add("t", f64, {6}, {0, 1, 1, 0, 1, 0});
  const std::vector<double> got = inputs.run(binary_cross_entropy(x, t, {}, {.reduction = "none"}));
  EXPECT_EQ((std::vector<double>{got.begin(), got.begin() + 4}), (std::vector<double>{0, 0, 100, 100}));
  EXPECT_TRUE(std::isnan(got[4])) << "no probability";
  EXPECT_TRUE(std::isnan(got[5])) << "no probability";
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(std::isfinite(gradient_of(inputs, sum(binary_cross_entropy(x, t, {}, {.reduction = "none"})), x)[i])) << i;
}

TEST(KlDiv, OfATargetOfZero) {
  Inputs inputs;
  const Ref x = inputs.add("x", f64, {2}, {-3, -1}), t = inputs.add("t", f64, {2}, {0, 1});
  EXPECT_EQ(inputs.run(kl_div(x, t, {.reduction = "none"})), (std::vector<double>{0, 1}));
  EXPECT_EQ(gradient_of(inputs, kl_div(x, t, {.reduction = "sum"}), x), (std::vector<double>{0, -1}));
}

TEST(CosineSimilarity, OfAZeroVector) {
  Inputs inputs;
  const Ref a = inputs.add("a", f64, {2, 2}, {0, 0, 3, 4}), b = inputs.add("b", f64, {2, 2}, {1, 1, 6, 8});
  const Ref y = cosine_similarity(a, b);
  expect_near(inputs.run(y), std::vector<double>{0, 1});
  const std::vector<double> g = gradient_of(inputs, y, a);
  for (double v : g) EXPECT_TRUE(std::isfinite(v));
  EXPECT_NEAR(g[0], 1e8 / std::sqrt(2), 1) << "the numerator's derivative over the least norm";
}

// ---- attention

class Attention : public ::testing::Test {
 protected:
  Inputs inputs;
  Random random{"attention", 1};
  Ref add(const std::string& name, const Shape& shape) { return inputs.add(name, f64, shape, random_values(random, shape.elements())); }
  Ref query = add("query", {3, 4}), key = add("key", {2, 4}), value = add("value", {2, 5});
};

// Rows that see nothing are 0 and give nothing back, with a mask of either kind.
TEST_F(Attention, RowsThatSeeNothing) {
  const Ref taken = inputs.add("taken", DType::boolean, {3, 2}, {1, 1, 0, 0, 0, 1}), added = inputs.add("added", f64, {3, 2}, {0, 0, -inf, -inf, -inf, 0});
  const Ref by_flag = scaled_dot_product_attention(query, key, value, taken), by_sum = scaled_dot_product_attention(query, key, value, added);
  const std::vector<double> y = inputs.run(by_flag), v = inputs.run(value);
  expect_near(y, inputs.run(by_sum));
  for (std::size_t j = 0; j < 5; ++j) {
    EXPECT_EQ(y[5 + j], 0);
    EXPECT_NEAR(y[10 + j], v[5 + j], 1e-15) << "the last row sees the second key alone";
  }
  for (const Ref& wrt : {query, key, value}) {
    const std::vector<double> flagged = gradient_of(inputs, by_flag, wrt);
    expect_near(flagged, gradient_of(inputs, by_sum, wrt));
    for (double g : flagged) EXPECT_TRUE(std::isfinite(g));
  }
  const std::vector<double> g = gradient_of(inputs, by_flag, query);
  for (std::size_t j = 4; j < 8; ++j) EXPECT_EQ(g[j], 0);
}

// The causal mask is the lower triangle, from the first row and column on.
TEST_F(Attention, CausalIsAMask) {
  const Ref mask = inputs.add("mask", DType::boolean, {3, 2}, {1, 0, 1, 1, 1, 1});
  expect_near(inputs.run(scaled_dot_product_attention(query, key, value, {}, {.is_causal = true})),
              inputs.run(scaled_dot_product_attention(query, key, value, mask)));
}

// ---- cells

// Biases that are left out are zeros.
TEST(Cells, WithoutABias) {
  Inputs inputs;
  Random random("cells", 1);
  auto add = [&](const std::string& name, const Shape& shape) { return inputs.add(name, f64, shape, random_values(random, shape.elements())); };
  const Ref x = add("x", {2, 3}), h = add("h", {2, 4}), w_ih = add("w_ih", {12, 3}), w_hh = add("w_hh", {12, 4}), b = add("b", {12}),
            zeros = fill(0, f64, {12});
  expect_near(inputs.run(gru_cell(x, h, w_ih, w_hh, b, {})), inputs.run(gru_cell(x, h, w_ih, w_hh, b, zeros)));
  expect_near(inputs.run(gru_cell(x, h, w_ih, w_hh, {}, b)), inputs.run(gru_cell(x, h, w_ih, w_hh, zeros, b)));
}

}  // namespace
}  // namespace cotan::testing
