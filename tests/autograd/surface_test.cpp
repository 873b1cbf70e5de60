// What PyTorch takes is taken, and gives PyTorch's numbers: dimensions of scalars, the truth of numbers, sizes that are kept, positions from the end, options
// of every integer type, and bounds the wrong way round. The numbers are PyTorch's.
#include <limits>
#include <memory>

#include "tests/autograd/helpers.h"

namespace cotan {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::vector<double> numbers(const Tensor& x) { return cast(x, f64).to_vector<double>(); }

class Surface : public testing::InBothModes {};
COTAN_IN_BOTH_MODES(Surface);

// ---- a scalar counts as a vector of one entry where a dimension is named

struct OfScalar {
  const char* what;
  std::function<std::vector<Tensor>(const Tensor& x, std::int64_t dim)> f;
  std::vector<std::pair<Shape, std::vector<double>>> expected;  // at 2.5
};

const std::vector<OfScalar>& of_scalars() {
  const std::pair<Shape, std::vector<double>> same{{}, {2.5}}, zero{{}, {0}}, one{{}, {1}};
  static const std::vector<OfScalar> table = {
      {"sum", [](const Tensor& x, std::int64_t d) { return std::vector{sum(x, {.dim = d})}; }, {same}},
      {"sum, kept", [](const Tensor& x, std::int64_t d) { return std::vector{sum(x, {.dim = d, .keepdim = true})}; }, {same}},
      {"mean", [](const Tensor& x, std::int64_t d) { return std::vector{mean(x, {.dim = d})}; }, {same}},
      {"prod", [](const Tensor& x, std::int64_t d) { return std::vector{prod(x, {.dim = d})}; }, {same}},
      {"max",
       [](const Tensor& x, std::int64_t d) {
         return std::vector{max(x, {.dim = d}), min(x, {.dim = d, .keepdim = true})};
       },
       {same, same}},
      {"amax",
       [](const Tensor& x, std::int64_t d) {
         return std::vector{amax(x, {.dim = d}), amin(x, {.dim = d})};
       },
       {same, same}},
      {"any",
       [](const Tensor& x, std::int64_t d) {
         return std::vector{any(x, {.dim = d}), all(x, {.dim = d})};
       },
       {one, one}},
      {"logsumexp", [](const Tensor& x, std::int64_t d) { return std::vector{logsumexp(x, {.dim = d})}; }, {same}},
      {"var", [](const Tensor& x, std::int64_t d) { return std::vector{var(x, {.dim = d, .correction = 0})}; }, {zero}},
      {"norm",
       [](const Tensor& x, std::int64_t d) {
         return std::vector{norm(x, {.dim = d}), vector_norm(x, {.ord = 1, .dim = d})};
       },
       {same, same}},
      {"argmax",
       [](const Tensor& x, std::int64_t d) {
         return std::vector{argmax(x, {.dim = d}), argmin(x, {.dim = d, .keepdim = true})};
       },
       {zero, zero}},
      {"max_with_indices",
       [](const Tensor& x, std::int64_t d) {
         const auto r = max_with_indices(x, {.dim = d, .keepdim = true});
         return std::vector{r.values, r.indices};
       },
       {same, zero}},
      {"cumsum",
       [](const Tensor& x, std::int64_t d) {
         return std::vector{cumsum(x, {.dim = d}), cumprod(x, {.dim = d})};
       },
       {same, same}},
      {"softmax",
       [](const Tensor& x, std::int64_t d) {
         return std::vector{softmax(x, {.dim = d}), log_softmax(x, {.dim = d})};
       },
       {one, zero}},
      {"sort",
       [](const Tensor& x, std::int64_t d) {
         const auto r = sort(x, {.dim = d, .descending = true});
         return std::vector{r.values, r.indices, argsort(x, {.dim = d})};
       },
       {same, zero, zero}},
      {"topk",
       [](const Tensor& x, std::int64_t d) {
         const auto r = topk(x, {.k = 1, .dim = d});
         const auto k = kthvalue(x, {.k = 1, .dim = d, .keepdim = true});
         return std::vector{r.values, r.indices, k.values, k.indices};
       },
       {same, zero, same, zero}},
      {"flip", [](const Tensor& x, std::int64_t d) { return std::vector{flip(x, {d})}; }, {same}},
      {"squeeze", [](const Tensor& x, std::int64_t d) { return std::vector{squeeze(x, d)}; }, {same}},
      {"unsqueeze", [](const Tensor& x, std::int64_t d) { return std::vector{unsqueeze(x, d)}; }, {{{1}, {2.5}}}},
      {"flatten", [](const Tensor& x, std::int64_t d) { return std::vector{flatten(x, d, d)}; }, {{{1}, {2.5}}}},
      {"transpose", [](const Tensor& x, std::int64_t d) { return std::vector{transpose(x, d, -1)}; }, {same}},
      {"movedim", [](const Tensor& x, std::int64_t d) { return std::vector{movedim(x, {.source = {d}, .destination = {0}})}; }, {same}},
      {"cosine_similarity", [](const Tensor& x, std::int64_t d) { return std::vector{cosine_similarity(x, x, {.dim = d})}; }, {one}},
      {"gather of a scalar", [](const Tensor& x, std::int64_t d) { return std::vector{gather(x, d, full({}, 0, i32))}; }, {same}},
      {"gather by a vector", [](const Tensor& x, std::int64_t d) { return std::vector{gather(x, d, zeros({3}, i32))}; }, {{{3}, {2.5, 2.5, 2.5}}}},
      {"gather by a vector of one", [](const Tensor& x, std::int64_t d) { return std::vector{gather(x, d, zeros({1}, i32))}; }, {{{1}, {2.5}}}},
      {"gather of a vector", [](const Tensor& x, std::int64_t d) { return std::vector{gather(reshape(x, {1}), d, full({}, 0, i32))}; }, {same}},
      {"index_select",
       [](const Tensor& x, std::int64_t d) {
         return std::vector{index_select(x, d, zeros({1}, i32)), index_select(x, d, full({}, 0, i32))};
       },
       {same, same}},
      {"scatter_add", [](const Tensor& x, std::int64_t d) { return std::vector{scatter_add(x, d, full({}, 0, i32), x)}; }, {{{}, {5}}}},
      {"scatter_add of a vector", [](const Tensor& x, std::int64_t d) { return std::vector{scatter_add(x, d, zeros({1}, i32), tensor({3}))}; }, {{{}, {5.5}}}},
      {"index_add", [](const Tensor& x, std::int64_t d) { return std::vector{index_add(x, full({}, 0, i32), x, {.dim = d, .alpha = 2})}; }, {{{}, {7.5}}}},
  };
  return table;
}

TEST_P(Surface, DimensionsOfAScalar) {
  for (const OfScalar& op : of_scalars())
    for (const std::int64_t dim : {0, -1}) {
      SCOPED_TRACE(fmt::format("{}, dim {}", op.what, dim));
      const std::vector<Tensor> got = op.f(full({}, 2.5), dim);
      ASSERT_EQ(got.size(), op.expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(got[i].shape(), op.expected[i].first) << i;
        EXPECT_THAT(numbers(got[i]), ::testing::Pointwise(::testing::DoubleNear(1e-6), op.expected[i].second)) << i;
      }
    }
}

TEST(Scalars, HaveNoOtherDimension) {
  for (const OfScalar& op : of_scalars())
    for (const std::int64_t dim : {1, -2}) {
      if (std::string_view(op.what) == "unsqueeze" && dim == 1) continue;  // of the result, which has one more
      if (std::string_view(op.what) == "unsqueeze") continue;
      EXPECT_THAT(message_of([&] { (void)op.f(full({}, 2.5), dim); }), HasSubstr(fmt::format("dimension {} of a", dim))) << op.what;
    }
}

TEST_P(Surface, GradientsReachScalars) {
  for (const auto& f : std::vector<std::function<Tensor(const Tensor&)>>{
           [](const Tensor& x) { return softmax(x, {.dim = 0}); }, [](const Tensor& x) { return 3 * cumsum(x, {.dim = 0}); },
           [](const Tensor& x) { return 3 * sort(x, {.dim = -1}).values; }, [](const Tensor& x) { return 3 * gather(x, 0, full({}, 0, i32)); }}) {
    Tensor x = full({}, 2.5);
    x.requires_grad_();
    const Tensor y = f(x), g = gradients(y, {x})[0];
    EXPECT_EQ(g.shape(), Shape{});
    EXPECT_NEAR(g.item(), y.item() == 1 ? 0 : 3, 1e-6);
  }
}

// An index of a scalar is checked, like any.
TEST_P(Surface, IndicesOfScalarsAreInRange) {
  EXPECT_THAT(message_of([] { (void)gather(full({}, 2.5), 0, full({}, 1, i32)).item(); }), HasSubstr("1"));
  EXPECT_THAT(message_of([] { (void)index_select(full({}, 2.5), 0, full({}, -1, i32)).item(); }), HasSubstr("-1"));
}

// ---- numbers are true unless they are 0

TEST_P(Surface, NumbersAreTrueUnlessZero) {
  const Tensor x = tensor({0, -0.0, 0.5, nan, 0}), y = tensor({1, 0, 2, 0, 0}, i32);
  EXPECT_THAT(logical_and(x, y).to_vector<bool>(), ::testing::ElementsAre(false, false, true, false, false));
  EXPECT_THAT(logical_or(x, y).to_vector<bool>(), ::testing::ElementsAre(true, false, true, true, false));
  EXPECT_THAT(logical_xor(x, y).to_vector<bool>(), ::testing::ElementsAre(true, false, false, true, false));
  EXPECT_THAT(logical_not(x).to_vector<bool>(), ::testing::ElementsAre(true, true, false, false, true));
  for (const DType t : {f32, f64, i32, i64, u8, u32, boolean}) {
    const Tensor zero_one = cast(tensor({0, 1}), t);
    EXPECT_THAT(logical_and(zero_one, tensor({1, nan})).to_vector<bool>(), ::testing::ElementsAre(false, true)) << name_of(t);
    EXPECT_TRUE(any(zero_one).item<bool>()) << name_of(t);
    EXPECT_FALSE(all(zero_one).item<bool>()) << name_of(t);
    EXPECT_FALSE(any(cast(zeros({2}), t)).item<bool>()) << name_of(t);
    EXPECT_TRUE(all(cast(ones({2}), t)).item<bool>()) << name_of(t);
  }
  EXPECT_TRUE(any(tensor({0, nan})).item<bool>());
  EXPECT_TRUE(all(tensor({1, nan})).item<bool>());
  EXPECT_FALSE(any(zeros({0, 3}, i32)).item<bool>());
  EXPECT_TRUE(all(zeros({0, 3}, i32)).item<bool>());
  EXPECT_THAT(all(tensor(std::vector<std::int32_t>{1, 2, 0, 3}, {2, 2}), {.dim = 1}).to_vector<bool>(), ::testing::ElementsAre(true, false));
}

// ---- what rows are called, and made of

TEST(RowNames, StandInMessages) {
  const Tensor x = ones({2}), b = x > 0, n = ones({2}, i32);
  EXPECT_THAT(message_of([&] { (void)(x > n); }), HasSubstr("gt: 'gt' of"));
  EXPECT_THAT(message_of([&] { (void)ge(b, b); }), HasSubstr("ge: 'ge' of bool"));
  EXPECT_THAT(message_of([&] { (void)ne(x, n); }), HasSubstr("ne: 'ne' of"));
  EXPECT_THAT(message_of([&] { (void)(x - n); }), HasSubstr("sub: 'sub' of"));
  EXPECT_THAT(message_of([&] { (void)maximum(x, n); }), HasSubstr("maximum: 'maximum' of"));
  EXPECT_THAT(message_of([&] { (void)remainder(x, n); }), HasSubstr("remainder: 'remainder' of"));
  EXPECT_THAT(message_of([&] { (void)logical_and(cast(x, bf16), b); }), HasSubstr("logical_and"));
  EXPECT_THAT(message_of([&] { (void)logical_and(cast(x, bf16), b); }), ::testing::Not(HasSubstr("and_'")));
}

TEST(Parameters, ThatPyTorchRefusesAreRefused) {
  const Tensor x = tensor({-2, 0, 2});
  EXPECT_THAT(message_of([&] { (void)celu(x, 0); }), HasSubstr("celu: an alpha of 0"));
  EXPECT_THAT(message_of([&] { (void)hardtanh(x, 1, -1); }), HasSubstr("hardtanh: min_val 1 above max_val -1"));
  EXPECT_THAT(message_of([&] { (void)nn::Hardtanh({.min_val = 1, .max_val = -1})(x); }), HasSubstr("min_val 1 above max_val -1"));
  EXPECT_THAT(hardtanh(x, 1, 1).to_vector(), ::testing::ElementsAre(1, 1, 1));
  EXPECT_THAT(clip(x, 1, -1).to_vector(), ::testing::ElementsAre(-1, -1, -1));
}

// ---- options

TEST(Options, TakeEveryIntegerType) {
  const Tensor x = zeros({1, 1, 8, 8});
  const auto pooled = [&](auto size) { return max_pool2d(x, {.kernel_size = size}).shape(); };
  EXPECT_EQ(pooled(short{2}), (Shape{1, 1, 4, 4}));
  EXPECT_EQ(pooled(2U), (Shape{1, 1, 4, 4}));
  EXPECT_EQ(pooled(2LL), (Shape{1, 1, 4, 4}));
  EXPECT_EQ(pooled(2ULL), (Shape{1, 1, 4, 4}));
  EXPECT_EQ(pooled(std::size_t{2}), (Shape{1, 1, 4, 4}));
  const std::size_t two = 2, three = 3;
  EXPECT_EQ(max_pool2d(x, {.kernel_size = {two, three}}).shape(), (Shape{1, 1, 4, 2}));
  EXPECT_EQ(sum(x, {.dim = {two, three}}).shape(), (Shape{1, 1}));
  EXPECT_EQ(sum(x, {.dim = 3ULL}).shape(), (Shape{1, 1, 8}));
  EXPECT_EQ(adaptive_avg_pool2d(x, {.output_size = {two, std::nullopt}}).shape(), (Shape{1, 1, 2, 8}));
  EXPECT_EQ(softmax(x, {.dim = three}).shape(), x.shape());
  const Tensor w = zeros({1, 1, 3, 3});
  EXPECT_EQ(conv2d(x, w, {.stride = two, .padding = 1LL}).shape(), (Shape{1, 1, 4, 4}));
}

TEST(Options, ThatAreFarTooLargeAreErrors) {
  const Tensor x = zeros({1, 1, 8, 8}), w = zeros({1, 1, 3, 3});
  EXPECT_THAT(message_of([&] { (void)conv2d(x, w, {.padding = 1LL << 60}); }), HasSubstr("padding"));
  EXPECT_THAT(message_of([&] { (void)conv2d(x, w, {.stride = 1ULL << 63}); }), HasSubstr("stride"));
  EXPECT_THAT(message_of([&] { (void)max_pool2d(x, {.kernel_size = std::numeric_limits<unsigned long long>::max()}); }), HasSubstr("kernel_size"));
  EXPECT_THAT(message_of([&] { (void)sum(x, {.dim = 1LL << 60}); }), HasSubstr("dimension 1152921504606846976"));
  EXPECT_THAT(message_of([&] { (void)softmax(x, {.dim = std::numeric_limits<std::uint64_t>::max()}); }), HasSubstr("dimension 9223372036854775807"));
  EXPECT_THAT(message_of([&] { (void)adaptive_avg_pool2d(x, {.output_size = 1LL << 60}); }), HasSubstr("output_size"));
  EXPECT_THAT(message_of([&] { (void)adaptive_avg_pool2d(x, {.output_size = {-1, 2}}); }), HasSubstr("output_size"));
}

TEST_P(Surface, SizesThatAreKept) {
  const Tensor x = tensor(std::vector<float>{1, 2}, {2, 1});
  EXPECT_EQ(expand(x, {-1, 3}).to_vector(), (std::vector<float>{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(expand(x, {4, -1, -1}).shape(), (Shape{4, 2, 1}));
  EXPECT_THAT(message_of([&] { (void)expand(x, {-1, 2, 3}); }), HasSubstr("a size of -1"));
}

TEST_P(Surface, PositionsFromTheEnd) {
  const Tensor x = tensor({1, 2, 3});
  EXPECT_THAT(take_along_dim(x, tensor({-1, -3, 0, 2}, i32), {.dim = 0}).to_vector(), ::testing::ElementsAre(3, 1, 1, 3));
  EXPECT_THAT(take_along_dim(x, cast(tensor({2, 0}), u8), {.dim = 0}).to_vector(), ::testing::ElementsAre(3, 1));
  for (const double beyond : {-4, 3})
    EXPECT_THAT(message_of([&] { (void)take_along_dim(x, tensor({beyond}, i32), {.dim = 0}).to_vector(); }), HasSubstr(fmt::format("{}", beyond)));
}

// ---- attention's dropout

TEST_P(Surface, AttentionDropsWeights) {
  const Tensor query = ones({64, 8}), key = ones({32, 8}), value = ones({32, 4});
  const auto dropped = [&](double p) { return scaled_dot_product_attention(query, key, value, none, {.dropout_p = p}, Generator(7)); };
  EXPECT_THAT(dropped(0).to_vector(), ::testing::Each(::testing::FloatNear(1, 1e-6)));
  EXPECT_THAT(dropped(1).to_vector(), ::testing::Each(0));
  // Each result is a number of weights that stay, of 32, times 1 / (32 * 0.75).
  const std::vector<float> some = dropped(0.25).to_vector();
  double total = 0;
  for (const float v : some) {
    EXPECT_NEAR(v * 24, std::round(v * 24), 1e-4);
    total += v;
  }
  EXPECT_NEAR(total / static_cast<double>(some.size()), 1, 0.05);
  EXPECT_THAT(some, ::testing::Contains(::testing::Ne(some[0])));
  EXPECT_EQ(dropped(0.25).to_vector(), some) << "the same generator, the same mask";
  // One mask for the result and the gradients: the result is linear in value.
  Tensor v = value;
  v.requires_grad_();
  const Tensor y = scaled_dot_product_attention(query, key, v, none, {.dropout_p = 0.25}, Generator(7));
  EXPECT_NEAR(sum(gradients(sum(y), {v})[0]).item(), total, 1e-2);
  // With heads in groups and a mask, by the default generator.
  const Tensor heads = ones({2, 4, 3, 8}), shared = ones({2, 2, 5, 8});
  EXPECT_EQ(scaled_dot_product_attention(heads, shared, shared, ones({3, 5}) > 0, {.dropout_p = 0.5, .enable_gqa = true}).shape(), (Shape{2, 4, 3, 8}));
  const std::vector<float> first = scaled_dot_product_attention(query, key, value, none, {.dropout_p = 0.5}).to_vector();
  EXPECT_NE(scaled_dot_product_attention(query, key, value, none, {.dropout_p = 0.5}).to_vector(), first) << "each call draws another mask";
  EXPECT_THAT(message_of([&] { (void)dropped(1.5); }), HasSubstr("p = 1.5, which is no probability"));
  EXPECT_THAT(message_of([&] {
                (void)scaled_dot_product_attention(query, ones({32, 7}), value, none, {.dropout_p = 0.5});
              }),
              HasSubstr("key of shape (32, 7)"));
}

}  // namespace
}  // namespace cotan
