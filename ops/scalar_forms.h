// Formulas of several steps that rows of elementwise.def are made of. Each is accurate to a few units in the last place over the whole range of its type and,
// lerp_of aside, overflows nowhere that its value does not. A branch that is not taken may overflow: neither value nor derivative sees it.
//
//   parts          abs_of, trunc_of, decay_of, sigmoid_of, softplus_of, log_sigmoid_of, clip_of
//   hyperbolic     sinh_of, cosh_of, asinh_of, asinh_slope, acosh_of
//   two operands   hypot_of, atan2_slope, remainder_of_divisor, lerp_of
//   activations    mish_parts, mish_weight, mish_slope, gelu_tanh_of, gelu_tanh_slope
//   tests          is_inf, is_finite, finite_of, truth_of
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "ops/error.h"
#include "ops/formula.h"

namespace cotan::formula_language {

// |x|; 0 at both zeros, with derivative 0 there.
[[nodiscard]] inline Ex abs_of(Ex x) { return where(eq(x, 0), 0, where(x < 0, -x, x)); }

// x without its fraction; keeps the sign of zero.
[[nodiscard]] inline Ex trunc_of(Ex x) { return where(x < 0, -floor(-x), floor(x)); }

// e^-|x|, in which both branches of what follows are written: vectors compute both, and this once.
[[nodiscard]] inline Ex decay_of(Ex x) { return exp(where(x >= 0, -x, x)); }

// 1 / (1 + e^-x), below 0 as e^x / (1 + e^x).
[[nodiscard]] inline Ex sigmoid_of(Ex x) {
  const Ex e = decay_of(x);
  return where(x >= 0, 1, e) / (1 + e);
}

// log(1 + e^x), above 0 as x + log(1 + e^-x).
[[nodiscard]] inline Ex softplus_of(Ex x) { return where(x >= 0, x, 0) + log1p(decay_of(x)); }

// log(sigmoid(x)).
[[nodiscard]] inline Ex log_sigmoid_of(Ex x) { return -(where(x >= 0, 0, -x) + log1p(decay_of(x))); }

// x brought between two numbers, `max` where they are the wrong way round; an infinite one is no bound. x itself at the bounds, so the derivative is 1 there.
[[nodiscard]] inline Ex clip_of(Ex x, double min, double max) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  Ex y = x;
  if (max < inf) y = where(x > max, max, y);
  if (min > -inf) y = where(x < min, std::min(min, max), y);
  return y;
}

// Both halves of (e^x - e^-x) / 2 have one sign: nothing cancels. Far out the halves are squares of what does not overflow yet.
[[nodiscard]] inline Ex sinh_of(Ex x) {
  const Ex up = exp(0.5 * x), down = exp(-0.5 * x);
  return where(x * x < 400, 0.5 * (expm1(x) - expm1(-x)), 0.5 * up * up - 0.5 * down * down);
}

[[nodiscard]] inline Ex cosh_of(Ex x) {
  const Ex up = exp(0.5 * x), down = exp(-0.5 * x);
  return 0.5 * up * up + 0.5 * down * down;
}

// From here on 1 is nothing beside the square of a number, in float64 too.
inline constexpr double far_out = 0x1p28;
inline constexpr double log_two = 0.6931471805599453;

[[nodiscard]] inline Ex asinh_of(Ex x) {
  auto positive = [](Ex a) { return where(a < far_out, log1p(a * (1 + a / (1 + sqrt(a * a + 1)))), log(a) + log_two); };
  return where(x >= 0, positive(x), -positive(-x));
}

// 1 / sqrt(x * x + 1), the derivative of asinh.
[[nodiscard]] inline Ex asinh_slope(Ex x) { return where(x > far_out, 1 / x, where(x < -far_out, -1 / x, 1 / sqrt(x * x + 1))); }

// NaN below 1.
[[nodiscard]] inline Ex acosh_of(Ex x) { return where(x < far_out, log1p((x - 1) + sqrt(x - 1) * sqrt(x + 1)), log(x) + log_two); }

[[nodiscard]] inline Ex is_inf(Ex x) {
  if (!is_floating(dtype_of(x))) return !eq(x, x);
  constexpr double inf = std::numeric_limits<double>::infinity();
  return eq(x, inf) || eq(x, -inf);
}

[[nodiscard]] inline Ex is_finite(Ex x) {
  if (!is_floating(dtype_of(x))) return eq(x, x);
  constexpr double inf = std::numeric_limits<double>::infinity();
  return x < inf && x > -inf;
}

// x with NaN and the infinities replaced, by at most the greatest numbers that its type holds.
[[nodiscard]] inline Ex finite_of(Ex x, double nan, double above, double below) {
  const DType dtype = dtype_of(x);
  if (!is_floating(dtype)) return x;
  constexpr double inf = std::numeric_limits<double>::infinity();
  const double most = dtype == DType::f32 ? static_cast<double>(std::numeric_limits<float>::max()) : std::numeric_limits<double>::max();
  auto held = [most](double v) { return std::clamp(v, -most, most); };  // NaN stays
  return where(eq(x, inf), held(above), where(eq(x, -inf), held(below), where(eq(x, x), x, held(nan))));
}

// sqrt(x * x + y * y); infinite if either operand is, beside NaN too.
[[nodiscard]] inline Ex hypot_of(Ex x, Ex y) {
  const Ex a = abs_of(x), b = abs_of(y), large = max(a, b), ratio = min(a, b) / large;
  return where(is_inf(x) || is_inf(y), std::numeric_limits<double>::infinity(), where(eq(large, 0), 0, large * sqrt(1 + ratio * ratio)));
}

// The derivative of atan2(y, x) by y, x / (x * x + y * y), and with the operands' other order and a minus the one by x. NaN where both are 0.
[[nodiscard]] inline Ex atan2_slope(Ex y, Ex x) {
  const Ex small = y / x, large = x / y;
  return where(abs_of(y) < abs_of(x), 1 / (x * (1 + small * small)), large / (y * (1 + large * large)));
}

// The remainder of x with the sign of y.
[[nodiscard]] inline Ex remainder_of_divisor(Ex x, Ex y) {
  const Ex r = rem(x, y);
  return where(!eq(r, 0) && xor_(r < 0, y < 0), r + y, r);
}

// x at weight 0 and `end` at weight 1, both exactly, unless end - x overflows.
[[nodiscard]] inline Ex lerp_of(Ex x, Ex end, Ex weight) {
  const Ex small = weight < 0.5 && weight > -0.5, step = end - x;
  return where(small, x + weight * step, end - step * (1 - weight));
}

// tanh(log(1 + e^x)), what mish multiplies x with, is kept / all; what it lacks to 1 is rest / all. From 0 on all three are divided by e^2x.
struct MishParts {
  Ex kept, rest, all;
};
[[nodiscard]] inline MishParts mish_parts(Ex x) {
  const Ex e = decay_of(x), n = e * (e + 2), square = 2 * e * e;
  return {where(x >= 0, 1 + 2 * e, n), where(x >= 0, square, 2), where(x >= 0, 1 + 2 * e + square, n + 2)};
}

[[nodiscard]] inline Ex mish_weight(Ex x) {
  const MishParts p = mish_parts(x);
  return p.kept / p.all;
}

// w + x * sigmoid(x) * (1 - w * w), with 1 - w where it is small as well.
[[nodiscard]] inline Ex mish_slope(Ex x) {
  const MishParts p = mish_parts(x);
  const Ex w = p.kept / p.all;
  return w + x * sigmoid_of(x) * (p.rest / p.all) * (1 + w);
}

// 2 * sqrt(2 / pi), and the cubic term's factor.
inline constexpr double gelu_tanh_scale = 1.5957691216057308, gelu_tanh_cubic = 0.044715;

// x * sigmoid(2 u), which is x * (1 + tanh(u)) / 2 without its cancellation.
[[nodiscard]] inline Ex gelu_tanh_of(Ex x) { return x / (1 + exp(-(gelu_tanh_scale * (x + gelu_tanh_cubic * x * x * x)))); }

// Far out, where the sigmoid is 0 or 1 to the last bit, its slope is not multiplied with what may be infinite.
[[nodiscard]] inline Ex gelu_tanh_slope(Ex x) {
  const Ex z = gelu_tanh_scale * (x + gelu_tanh_cubic * x * x * x), s = sigmoid_of(z);
  const Ex inner = gelu_tanh_scale * (1 + 3 * gelu_tanh_cubic * x * x);
  return where(x * x > 500, where(x > 0, typed(1, dtype_of(x)), typed(0, dtype_of(x))), s + x * s * sigmoid_of(-z) * inner);
}

// Whether x counts as true: a bool that is, a number that is not 0. NaN is true.
[[nodiscard]] inline Ex truth_of(Ex x) { return dtype_of(x) == DType::boolean ? x : !eq(x, 0); }

// x above 0, alpha * (e^(x / alpha) - 1) below. Throws Error for an alpha of 0.
[[nodiscard]] inline Ex celu_of(Ex x, double alpha) {
  if (alpha == 0) fail("an alpha of 0", "Give another number: it divides x");
  return where(x > 0, x, alpha * expm1(x / alpha));
}

// x between two numbers, the nearer of these outside, with derivative 0 at both. Throws Error where they are the wrong way round.
[[nodiscard]] inline Ex hardtanh_of(Ex x, double min_val, double max_val) {
  if (min_val > max_val) fail(fmt::format("min_val {} above max_val {}", min_val, max_val), "Give the smaller one first");
  return where(x <= min_val, min_val, where(x >= max_val, max_val, x));
}

}  // namespace cotan::formula_language
