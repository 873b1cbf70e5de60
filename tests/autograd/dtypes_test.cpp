// Element types as users meet them: casts between all of them, integers that no double holds, what mixes and what does not, bf16 as storage.
#include <cmath>
#include <limits>
#include <sstream>

#include "tests/autograd/helpers.h"
#include "tests/support/keep_subnormals.h"

namespace cotan {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using i64s = std::vector<std::int64_t>;
using u32s = std::vector<std::uint32_t>;

constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t odd = (std::int64_t{1} << 53) + 1;  // the first whole number that no double holds

template <class T>
Tensor vector_of(const std::vector<T>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

// ---- casts

// long double holds every element of every type.
static_assert(std::numeric_limits<long double>::digits >= 64);

long double wide(bfloat16 v) { return static_cast<float>(v); }
template <class T>
long double wide(T v) {
  return static_cast<long double>(v);
}

// The number as a To, from the definition.
template <class To>
To expected_cast(long double v) {
  if constexpr (std::is_same_v<To, bool>) {
    return v != 0;
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    if (std::isnan(v) || std::isinf(v) || v == 0) return bfloat16(static_cast<float>(v));
    const int exponent = std::max(std::ilogb(v), -126);
    const long double step = std::ldexp(1.0L, exponent - 7);
    return bfloat16(static_cast<float>(std::nearbyint(v / step) * step));
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(v);
  } else {
    const long double low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
    return std::isnan(v) ? To{0} : v <= low ? static_cast<To>(low) : v >= high ? static_cast<To>(high) : static_cast<To>(v);
  }
}

template <class T>
std::vector<T> edges() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> all;
  if constexpr (std::is_same_v<T, bool>) {
    return {false, true};
  } else if constexpr (std::is_integral_v<T>) {
    all = {0, 1, 2, 127, 255, Limits::min(), static_cast<T>(Limits::min() + 1), Limits::max(), static_cast<T>(Limits::max() - 1)};
    for (int shift : {7, 8, 23, 24, 25, 30, 31, 32, 52, 53, 54, 61, 62})
      for (int beside : {-3, -1, 0, 1, 3})
        if (shift < Limits::digits) {
          all.push_back(static_cast<T>((T{1} << shift) + static_cast<T>(beside)));
          if (Limits::is_signed) all.push_back(static_cast<T>(-(T{1} << shift) + static_cast<T>(beside)));
        }
  } else {
    std::vector<double> v{0,   0.25, 0.5,   0.999999, 1,        1.5,      2.5,  254.5,  255.5,        256,
                          257, 259,  1e-40, 1e-310,   0x1.01p0, 0x1.03p0, 1e30, 3.4e38, 3.4028235e38, 1e300};
    for (int power : {7, 8, 23, 24, 31, 32, 53, 62, 63, 64})
      for (double beside : {-1.0, -0.5, 0.0, 0.5, 1.0}) v.push_back(std::ldexp(1.0, power) + beside);
    v.push_back(std::nextafter(0x1p63, 0));
    v.push_back(std::nextafter(0x1p32, 0));
    v.push_back(std::numeric_limits<double>::infinity());
    for (double x : v)
      for (double sign : {1.0, -1.0}) all.push_back(static_cast<T>(sign * x));
    all.push_back(static_cast<T>(std::numeric_limits<double>::quiet_NaN()));
  }
  return all;
}

template <class From, class To>
void expect_casts(bool rounds_twice) {
  const std::vector<From> from = edges<From>();
  auto values = std::make_unique<From[]>(from.size());  // vector<bool> has no buffer
  std::copy(from.begin(), from.end(), values.get());
  const Tensor x = Tensor::from(std::span<const From>(values.get(), from.size()), {static_cast<std::int64_t>(from.size())});
  const std::vector<To> got = cast(x, dtype_of<To>()).template to_vector<To>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const long double v = wide(static_cast<From>(from[i]));
    if (rounds_twice && std::abs(v) > 0x1p53L) continue;
    const long double want = wide(expected_cast<To>(v)), is = wide(static_cast<To>(got[i]));
    EXPECT_TRUE(is == want || (std::isnan(is) && std::isnan(want))) << name_of(x.dtype()) << " " << v << " to " << name_of(dtype_of<To>()) << " gave " << is;
    EXPECT_TRUE(std::isnan(want) || std::signbit(is) == std::signbit(want)) << name_of(x.dtype()) << " " << v << " to " << name_of(dtype_of<To>());
  }
}

class Dtypes : public testing::InBothModes {};
COTAN_IN_BOTH_MODES(Dtypes);

template <class From>
void expect_casts_to_all(bool reference) {
  // The reference holds numbers in doubles.
  const bool rounds = reference && std::is_same_v<From, std::int64_t>;
#define DTYPE(name, type, kind) expect_casts<From, type>(rounds);
  COTAN_DTYPES(DTYPE)
#undef DTYPE
}

TEST_P(Dtypes, CastBetweenAllTypesAtTheirEdges) {
  const testing::KeepSubnormals kept;
#define DTYPE(name, type, kind) expect_casts_to_all<type>(GetParam() == ExecutionMode::reference);
  COTAN_DTYPES(DTYPE)
#undef DTYPE
}

// ---- integers

TEST(Integers, AreExactBeyondWhatDoublesHold) {
  const i64s a{odd, -odd, most, least, most, 3, least, 0}, b{2, 3, 1, -1, most, odd, -1, least};
  const Tensor x = vector_of(a), y = vector_of(b);
  auto each = [&](auto&& f) {
    i64s all;
    for (std::size_t i = 0; i < a.size(); ++i) all.push_back(static_cast<std::int64_t>(f(static_cast<std::uint64_t>(a[i]), static_cast<std::uint64_t>(b[i]))));
    return all;
  };
  EXPECT_EQ((x + y).to_vector<std::int64_t>(), each([](auto u, auto v) { return u + v; }));
  EXPECT_EQ((x - y).to_vector<std::int64_t>(), each([](auto u, auto v) { return u - v; }));
  EXPECT_EQ((x * y).to_vector<std::int64_t>(), each([](auto u, auto v) { return u * v; }));
  EXPECT_EQ((-x).to_vector<std::int64_t>(), each([](auto u, auto) { return 0 - u; }));
  i64s larger, remainders;
  std::vector<bool> less, equal;
  for (std::size_t i = 0; i < a.size(); ++i) {
    larger.push_back(std::max(a[i], b[i]));
    less.push_back(a[i] < b[i]);
    equal.push_back(a[i] == a[i] + (i % 2 == 0 && a[i] != most ? 1 : 0));
    std::int64_t r = b[i] == 0 || b[i] == -1 ? 0 : a[i] % b[i];
    if (r != 0 && (r < 0) != (b[i] < 0)) r += b[i];
    remainders.push_back(r);
  }
  EXPECT_EQ(maximum(x, y).to_vector<std::int64_t>(), larger);
  EXPECT_EQ((x < y).to_vector<bool>(), less);
  EXPECT_EQ(remainder(x, y).to_vector<std::int64_t>(), remainders);
  EXPECT_THAT((x == vector_of(i64s{odd - 1, -odd, most - 1, least, most, 3, least, 0})).to_vector<bool>(),
              ElementsAre(false, true, false, true, true, true, true, true));
  EXPECT_EQ(where(x == y, x, y).to_vector<std::int64_t>(), b);
}

TEST(Integers, AreSummedScannedAndSortedExactly) {
  const Tensor x = vector_of(i64s{odd, odd - 1, least, odd + 1, most});
  EXPECT_EQ(sum(x).item<std::int64_t>(), 3 * odd - 1) << "wraps";
  EXPECT_EQ(sum(x * x).item<std::int64_t>(), static_cast<std::int64_t>([&] {
              std::uint64_t s = 0;
              for (std::int64_t v : x.to_vector<std::int64_t>()) s += static_cast<std::uint64_t>(v) * static_cast<std::uint64_t>(v);
              return s;
            }()));
  EXPECT_EQ(max(x).item<std::int64_t>(), most);
  EXPECT_EQ(min(x).item<std::int64_t>(), least);
  EXPECT_THAT(argsort(x).to_vector<std::int32_t>(), ElementsAre(2, 1, 0, 3, 4));
  EXPECT_EQ(argmax(slice(x, {.end = 4})).item<std::int32_t>(), 3);
  EXPECT_THAT(cumsum(x, {.dim = 0}).to_vector<std::int64_t>(), ElementsAre(odd, 2 * odd - 1, least + 2 * odd - 1, least + 3 * odd, 3 * odd - 1));
  EXPECT_THAT(slice(x, {.start = 1, .step = 2}).to_vector<std::int64_t>(), ElementsAre(odd - 1, odd + 1));
  EXPECT_EQ(matmul(reshape(x, {1, 5}), reshape(x, {5, 1})).item<std::int64_t>(), sum(x * x).item<std::int64_t>());
}

TEST_P(Dtypes, U32WrapsAtItsOwnEnd) {
  const u32s a{0, 4294967295U, 3000000000U, 65536}, b{1, 2, 3000000000U, 65536};
  const Tensor x = vector_of(a), y = vector_of(b);
  EXPECT_THAT((x + y).to_vector<std::uint32_t>(), ElementsAre(1U, 1U, 1705032704U, 131072U));
  EXPECT_THAT((x - y).to_vector<std::uint32_t>(), ElementsAre(4294967295U, 4294967293U, 0U, 0U));
  EXPECT_THAT((x * y).to_vector<std::uint32_t>(), ElementsAre(0U, 4294967294U, 3000000000U * 3000000000U, 0U));
  EXPECT_THAT(minimum(x, y).to_vector<std::uint32_t>(), ElementsAre(0U, 2U, 3000000000U, 65536U));
  EXPECT_THAT(remainder(x, vector_of(u32s{0, 10, 7, 65535})).to_vector<std::uint32_t>(), ElementsAre(0U, 5U, 3000000000U % 7, 1U));
  EXPECT_EQ(sum(x).item<std::uint32_t>(), 4294967295U + 3000000000U + 65536U);
  EXPECT_EQ(max(x).item<std::uint32_t>(), 4294967295U);
  EXPECT_THAT(argsort(x).to_vector<std::int32_t>(), ElementsAre(0, 3, 2, 1));
  EXPECT_THAT(cumsum(x, {.dim = 0}).to_vector<std::uint32_t>(), ElementsAre(0U, 4294967295U, 2999999999U, 3000065535U));
}

TEST_P(Dtypes, EveryIntegerTypeIndexes) {
  const Tensor x = reshape(tensor({0, 1, 2, 10, 11, 12}), {2, 3});
  for (const DType dtype : {i32, i64, u8, u32}) {
    EXPECT_THAT(pick(x, tensor({2, 1}, dtype)).to_vector(), ElementsAre(2, 11)) << name_of(dtype);
    const auto beyond = error_of([&] { static_cast<void>(pick(x, tensor({2, 3}, dtype)).to_vector()); });
    ASSERT_TRUE(beyond) << name_of(dtype);
    EXPECT_THAT(beyond->what(), HasSubstr("index 3 at position 1")) << name_of(dtype);
    if (dtype == u8 || dtype == u32) continue;
    const auto negative = error_of([&] { static_cast<void>(pick(x, tensor({-1, 1}, dtype)).to_vector()); });
    ASSERT_TRUE(negative) << name_of(dtype);
    EXPECT_THAT(negative->what(), HasSubstr("index -1 at position 0")) << name_of(dtype);
  }
}

// ---- numbers beside tensors

TEST(Numbers, BesideIntegersMustBeHeldExactly) {
  const Tensor i = tensor({1}, i32), u = tensor({1}, u32), b = tensor({1}, u8), l = tensor({1}, i64), f = tensor({1});
  for (const auto& bad :
       std::vector<std::pair<Tensor, Operand>>{{i, 3e9}, {i, 0.5}, {u, -1}, {u, 4294967296.0}, {b, 256}, {b, -1}, {l, 0x1p63}, {l, 1e300}, {l, 0.5}}) {
    const auto e = error_of([&] { static_cast<void>(bad.first + bad.second); });
    ASSERT_TRUE(e) << bad.second.number();
    EXPECT_THAT(e->problem(), HasSubstr(fmt::format("beside a tensor of {}", name_of(bad.first.dtype()))));
    EXPECT_FALSE(e->remedy().empty());
  }
  EXPECT_EQ((u + 3e9).item<std::uint32_t>(), 3000000001U);
  EXPECT_EQ((u + 3000000000U).item<std::uint32_t>(), 3000000001U);
  EXPECT_EQ((l + (std::int64_t{1} << 62)).item<std::int64_t>(), (std::int64_t{1} << 62) + 1);
  EXPECT_EQ((l + -0x1p63).item<std::int64_t>(), least + 1);
  const auto rounded = error_of([&] { static_cast<void>(l + odd); });
  ASSERT_TRUE(rounded);
  EXPECT_THAT(rounded->problem(), HasSubstr("exact up to 2^53"));
  EXPECT_EQ((f + odd).item(), 0x1p53F) << "floats round";
  EXPECT_EQ((f * 1e300).item(), std::numeric_limits<float>::infinity()) << "floats round";
}

TEST(Numbers, FillTensorsOnlyWithWhatFits) {
  EXPECT_THROW(static_cast<void>(tensor({4294967296.0}, u32)), Error);
  EXPECT_THROW(static_cast<void>(tensor({-1}, u32)), Error);
  EXPECT_THROW(static_cast<void>(tensor({0x1p63}, i64)), Error);
  EXPECT_THROW(static_cast<void>(full({2}, 0x1p63, i64)), Error);
  EXPECT_THROW(static_cast<void>(full({2}, 0.5, i64)), Error);
  EXPECT_THAT(full({2}, -5e9, i64).to_vector<std::int64_t>(), ElementsAre(-5000000000, -5000000000));
  EXPECT_THAT(arange(3, i64).to_vector<std::int64_t>(), ElementsAre(0, 1, 2));
  EXPECT_THAT(arange(3, u32).to_vector<std::uint32_t>(), ElementsAre(0U, 1U, 2U));
}

TEST(Numbers, TypesNeverMix) {
  const auto e = error_of([] { static_cast<void>(tensor({1}, i64) + tensor({1}, i32)); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->problem(), "'add' of i64 and i32");
  EXPECT_THAT(e->remedy(), HasSubstr("cast(x, i64) or cast(x, i32)"));
  const auto product = error_of([] { static_cast<void>(matmul(ones({2, 2}, u32), ones({2, 2}))); });
  ASSERT_TRUE(product);
  EXPECT_THAT(product->problem(), HasSubstr("f32"));
  EXPECT_THAT(product->problem(), HasSubstr("u32"));
}

// ---- bf16

std::vector<float> floats(const Tensor& t) { return cast(t, f32).to_vector(); }

TEST_P(Dtypes, Bf16IsStoredMovedAndCast) {
  const testing::KeepSubnormals kept;
  const std::vector<bfloat16> values{bfloat16(1.0), bfloat16(-2.5), bfloat16(0x1p-130), bfloat16(3e38), bfloat16(-0.0), bfloat16(7)};
  const Tensor x = Tensor::from(values, {2, 3});
  EXPECT_EQ(x.dtype(), bf16);
  const std::vector<bfloat16> back = x.to_vector<bfloat16>();
  for (std::size_t k = 0; k < values.size(); ++k) EXPECT_EQ(back[k].bits(), values[k].bits());
  const float a = 1, b = -2.5, c = 0x1p-130F, d = bfloat16(3e38), e = -0.0F, f = 7;
  EXPECT_EQ(floats(x), (std::vector<float>{a, b, c, d, e, f}));
  EXPECT_EQ(floats(transpose(x)), (std::vector<float>{a, d, b, e, c, f}));
  EXPECT_EQ(floats(slice(x, {.dim = 1, .start = 1})), (std::vector<float>{b, c, e, f}));
  EXPECT_EQ(floats(slice(transpose(x), {.dim = 0, .step = 2})), (std::vector<float>{a, d, c, f}));
  EXPECT_EQ(floats(pad(x, {.pad = {1, 0}})), (std::vector<float>{0, a, b, c, 0, d, e, f}));
  EXPECT_EQ(floats(reshape(transpose(x), {6})), (std::vector<float>{a, d, b, e, c, f}));
  EXPECT_EQ(floats(broadcast_to(reshape(x, {2, 1, 3}), {.size = {2, 2, 3}})), (std::vector<float>{a, b, c, a, b, c, d, e, f, d, e, f}));
  EXPECT_EQ(floats(pick(x, tensor({2, 0}, i64))), (std::vector<float>{c, d}));
  EXPECT_EQ(floats(zeros({2}, bf16)), (std::vector<float>{0, 0}));
  EXPECT_EQ(floats(full({2}, 2.7, bf16)), (std::vector<float>{2.703125F, 2.703125F}));
  EXPECT_EQ(tensor({0.1}, bf16).item<bfloat16>().bits(), 0x3DCD);
  EXPECT_EQ(error_of([&] { static_cast<void>(x.to_vector()); })->problem(), "a tensor of bf16 read as f32");
}

TEST_P(Dtypes, Bf16LetsGradientsThrough) {
  const Variable w("w", Tensor::from(std::vector<bfloat16>{bfloat16(1.5), bfloat16(-2)}, {2}));
  const Tensor x = tensor({3, 4.01});
  const Tensor loss = sum(cast(w, f32) * x);
  const Tensor g = gradients(loss, {w})[0];
  EXPECT_EQ(g.dtype(), bf16);
  EXPECT_EQ(floats(g), (std::vector<float>{3, 4}));  // 4.01 rounded
  loss.backward();
  EXPECT_EQ(floats(w.grad()), (std::vector<float>{3, 4}));
  Tensor y = tensor({1.001, 2});
  y.requires_grad_();
  sum(cast(cast(transpose(reshape(cast(y, bf16), {1, 2})), f32), f64) * 2).backward();
  EXPECT_EQ(y.grad().to_vector(), (std::vector<float>{2, 2}));
  w.assign(cast(cast(w, f32) * 2, bf16));
  EXPECT_EQ(floats(w.value()), (std::vector<float>{3, -4}));
}

TEST(Bf16, IsNotComputedWith) {
  const Tensor x = ones({2, 2}, bf16);
  const std::vector<std::pair<std::string, std::function<Tensor()>>> operations{
      {"add", [&] { return x + x; }},
      {"mul", [&] { return x * 2; }},
      {"neg", [&] { return -x; }},
      {"exp", [&] { return exp(x); }},
      {"sigmoid", [&] { return sigmoid(x); }},
      {"eq", [&] { return x == x; }},
      {"lt", [&] { return x < 1; }},
      {"isnan", [&] { return isnan(x); }},
      {"clip", [&] { return clip(x); }},
      {"where", [&] { return where(tensor({1}, boolean), x, x); }},
      {"sum", [&] { return sum(x); }},
      {"sum", [&] { return sum(x, {.dim = 0}); }},
      {"sum", [&] { return mean(x); }},
      {"sum", [&] { return matmul(x, x); }},
      {"max", [&] { return max(x); }},
      {"argmax", [&] { return argmax(x); }},
      {"min", [&] { return min(x); }},
      {"order", [&] { return argsort(x); }},
      {"scan", [&] { return cumsum(x, {.dim = 0}); }},
  };
  for (const auto& [what, operation] : operations) {
    const auto e = error_of([&] { static_cast<void>(operation()); });
    ASSERT_TRUE(e) << what;
    EXPECT_EQ(e->problem(), fmt::format("'{}' of bf16, which is for storage only", what));
    EXPECT_THAT(e->remedy(), HasSubstr("cast(x, f32)"));
  }
  EXPECT_THAT(error_of([] { static_cast<void>(normal({2}, {.dtype = bf16})); })->problem(), HasSubstr("bf16"));
  EXPECT_THAT(error_of([&] { static_cast<void>(softmax(x)); })->problem(), HasSubstr("bf16"));
  const auto mixed = error_of([&] { static_cast<void>(x + ones({2, 2})); });
  EXPECT_EQ(mixed->problem(), "'add' of bf16 and f32");
  EXPECT_EQ(mixed->remedy(), "Types do not mix: write cast(x, f32)");
  // The gradient of a broadcast is a sum.
  const Variable w("w", ones({1}, bf16));
  const auto e = error_of([&] { static_cast<void>(gradients(sum(cast(broadcast_to(w, {.size = {3}}), f32)), {w})); });
  ASSERT_TRUE(e);
  EXPECT_THAT(e->what(), HasSubstr("of bf16, which is for storage only"));
}

// ---- printing

TEST(Printing, ShowsWholeNumbersWhole) {
  auto printed = [](const Tensor& t) {
    std::ostringstream out;
    out << t;
    return out.str();
  };
  EXPECT_EQ(printed(vector_of(i64s{odd, least, 1234567})), "tensor(i64, (3,)) [9007199254740993, -9223372036854775808, 1234567]");
  EXPECT_EQ(printed(vector_of(u32s{4294967295U, 7})), "tensor(u32, (2,)) [4294967295, 7]");
  EXPECT_EQ(printed(tensor({1234567}, i32)), "tensor(i32, (1,)) [1234567]");
  EXPECT_EQ(printed(tensor({1.5, 0.1}, bf16)), "tensor(bf16, (2,)) [1.5, 0.100098]");
}

}  // namespace
}  // namespace cotan
