// Vectors of float32 and int32 with operators, in which float_functions.inl is written. Every operation acts on each lane alone.
//
// Included once for each instruction set, between foreach_target.h's passes: hence the toggle instead of #pragma once.
//
// All operations round once, to nearest, and so does fused(): where the instruction set has no fused multiply-add it is put together from float64 arithmetic.
// A lane's bits therefore depend on nothing but its operands.
#if defined(COTAN_LOOPS_LANES) == defined(HWY_TARGET_TOGGLE)
#ifdef COTAN_LOOPS_LANES
#undef COTAN_LOOPS_LANES
#else
#define COTAN_LOOPS_LANES
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "backends/loops/large_angle.h"

HWY_BEFORE_NAMESPACE();
namespace cotan::loops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<FloatTag>;

struct Float {
  hn::Vec<FloatTag> v;
  HWY_INLINE Float(hn::Vec<FloatTag> lanes) : v(lanes) {}
  HWY_INLINE Float(float all) : v(hn::Set(FloatTag(), all)) {}
};
struct Int {
  hn::Vec<IntTag> v;
  HWY_INLINE Int(hn::Vec<IntTag> lanes) : v(lanes) {}
  HWY_INLINE Int(std::int32_t all) : v(hn::Set(IntTag(), all)) {}
};
struct Mask {
  hn::Mask<FloatTag> m;
};

HWY_INLINE Float operator+(Float a, Float b) { return hn::Add(a.v, b.v); }
HWY_INLINE Float operator-(Float a, Float b) { return hn::Sub(a.v, b.v); }
HWY_INLINE Float operator*(Float a, Float b) { return hn::Mul(a.v, b.v); }
HWY_INLINE Float operator/(Float a, Float b) { return hn::Div(a.v, b.v); }
HWY_INLINE Float operator-(Float a) { return hn::Neg(a.v); }
HWY_INLINE Float sqrt(Float a) { return hn::Sqrt(a.v); }
HWY_INLINE Float abs(Float a) { return hn::Abs(a.v); }
// To the nearest integer, of two the even one.
HWY_INLINE Float round(Float a) { return hn::Round(a.v); }

HWY_INLINE Int operator+(Int a, Int b) { return hn::Add(a.v, b.v); }
HWY_INLINE Int operator-(Int a, Int b) { return hn::Sub(a.v, b.v); }
HWY_INLINE Int operator&(Int a, Int b) { return hn::And(a.v, b.v); }
HWY_INLINE Int operator|(Int a, Int b) { return hn::Or(a.v, b.v); }
HWY_INLINE Int operator^(Int a, Int b) { return hn::Xor(a.v, b.v); }
template <int count>
HWY_INLINE Int shift_left(Int a) {
  return hn::ShiftLeft<count>(a.v);
}
// Copies of the sign come in from the left.
template <int count>
HWY_INLINE Int shift_right(Int a) {
  return hn::ShiftRight<count>(a.v);
}

// Comparisons with NaN are false.
HWY_INLINE Mask operator<(Float a, Float b) { return {hn::Lt(a.v, b.v)}; }
HWY_INLINE Mask operator<=(Float a, Float b) { return {hn::Le(a.v, b.v)}; }
HWY_INLINE Mask operator>(Float a, Float b) { return {hn::Gt(a.v, b.v)}; }
HWY_INLINE Mask operator>=(Float a, Float b) { return {hn::Ge(a.v, b.v)}; }
HWY_INLINE Mask operator==(Float a, Float b) { return {hn::Eq(a.v, b.v)}; }
HWY_INLINE Mask operator==(Int a, Int b) { return {hn::RebindMask(FloatTag(), hn::Eq(a.v, b.v))}; }
HWY_INLINE Mask operator&&(Mask a, Mask b) { return {hn::And(a.m, b.m)}; }
HWY_INLINE Mask operator||(Mask a, Mask b) { return {hn::Or(a.m, b.m)}; }
HWY_INLINE Mask operator!(Mask a) { return {hn::Not(a.m)}; }
HWY_INLINE Mask is_nan(Float a) { return {hn::IsNaN(a.v)}; }
HWY_INLINE bool any(Mask a) { return !hn::AllFalse(FloatTag(), a.m); }
HWY_INLINE Float select(Mask condition, Float yes, Float no) { return hn::IfThenElse(condition.m, yes.v, no.v); }

HWY_INLINE Int bits(Float a) { return hn::BitCast(IntTag(), a.v); }
HWY_INLINE Float from_bits(Int a) { return hn::BitCast(FloatTag(), a.v); }
HWY_INLINE Float to_float(Int a) { return hn::ConvertTo(FloatTag(), a.v); }
// Towards zero; the result must fit.
HWY_INLINE Int to_int(Float a) { return hn::ConvertTo(IntTag(), a.v); }

#if !HWY_NATIVE_FMA && HWY_TARGET != HWY_SCALAR
// a * b + c in float64, where the product of floats is exact, as a number that rounds to float as the exact sum does.
template <class D, class V>
HWY_INLINE V multiply_add(D d, V a, V b, V c) {
  const hn::RebindToSigned<D> integers;
  const V product = hn::Mul(a, b);
  const V sum = hn::Add(product, c);
  const auto word = hn::BitCast(integers, sum);
  // Rounding twice differs from rounding once only if the first rounding ends half way between two floats; among subnormal floats those lie elsewhere.
  const auto half_way = hn::RebindMask(d, hn::Eq(hn::And(word, hn::Set(integers, 0x1FFFFFFF)), hn::Set(integers, 0x10000000)));
  if (HWY_LIKELY(hn::AllFalse(d, hn::Or(half_way, hn::Lt(hn::Abs(sum), hn::Set(d, 0x1p-126)))))) return sum;
  // Then the sum is rounded to odd: what is next to it on the side of what was lost, if anything was lost and its own last bit is 0.
  const V back = hn::Sub(sum, product);
  const V lost = hn::Add(hn::Sub(product, hn::Sub(sum, back)), hn::Sub(c, back));
  const V zero = hn::Zero(d);
  const auto inexact = hn::Or(hn::Lt(lost, zero), hn::Gt(lost, zero));  // neither for the NaN that infinities leave
  const auto one = hn::Set(integers, 1);
  const auto opposite = hn::BroadcastSignBit(hn::Xor(word, hn::BitCast(integers, lost)));  // then the neighbour is towards zero
  const auto step = hn::Sub(hn::Xor(one, opposite), opposite);
  const auto even = hn::RebindMask(d, hn::Eq(hn::And(word, one), hn::Zero(integers)));
  return hn::IfThenElse(hn::And(inexact, even), hn::BitCast(d, hn::Add(word, step)), sum);
}
#endif

// a * b + c, rounded once.
HWY_INLINE Float fused(Float a, Float b, Float c) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a.v, b.v, c.v);
#elif HWY_TARGET == HWY_SCALAR
  return std::fma(hn::GetLane(a.v), hn::GetLane(b.v), hn::GetLane(c.v));
#else
  const hn::Half<FloatTag> half;
  const hn::Rebind<double, decltype(half)> wide;
  const auto low = multiply_add(wide, hn::PromoteTo(wide, hn::LowerHalf(half, a.v)), hn::PromoteTo(wide, hn::LowerHalf(half, b.v)),
                                hn::PromoteTo(wide, hn::LowerHalf(half, c.v)));
  const auto high = multiply_add(wide, hn::PromoteTo(wide, hn::UpperHalf(half, a.v)), hn::PromoteTo(wide, hn::UpperHalf(half, b.v)),
                                 hn::PromoteTo(wide, hn::UpperHalf(half, c.v)));
  return hn::Combine(FloatTag(), hn::DemoteTo(half, high), hn::DemoteTo(half, low));
#endif
}

// x * 2^n, rounded once, for whole numbers n of at most 252 in size.
HWY_INLINE Float scaled(Float x, Float n) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  return Float(decltype(x.v){_mm512_scalef_ps(x.v.raw, n.v.raw)});
#else
  // In two steps, since 2^n need not be a float. The first cannot lose bits where the result is not far below the smallest number anyway.
  const Int whole = to_int(n), half = shift_right<1>(whole);
  return x * from_bits(shift_left<23>(half + 127)) * from_bits(shift_left<23>(whole - half + 127));
#endif
}

// Where x is not below `from`, puts the remainder by a quarter turn, what that lacks and the number of quarter turns in place of the three given: lane by lane.
HWY_INLINE void reduce_large_angles(Float x, float from, Float& rest, Float& low, Int& quarters) {
  if (!any(!(x < from))) [[likely]]
    return;
  const FloatTag d;
  HWY_ALIGN float angles[HWY_LANES(float)];
  HWY_ALIGN float rests[HWY_LANES(float)];
  HWY_ALIGN float lows[HWY_LANES(float)];
  HWY_ALIGN std::int32_t counts[HWY_LANES(float)];
  hn::Store(x.v, d, angles);
  hn::Store(rest.v, d, rests);
  hn::Store(low.v, d, lows);
  hn::Store(quarters.v, IntTag(), counts);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    if (angles[i] < from) continue;
    const QuarterTurns turns = large_angle(angles[i]);
    rests[i] = turns.rest;
    lows[i] = turns.low;
    counts[i] = turns.quarters;
  }
  rest = hn::Load(d, rests);
  low = hn::Load(d, lows);
  quarters = hn::Load(IntTag(), counts);
}

}  // namespace cotan::loops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
