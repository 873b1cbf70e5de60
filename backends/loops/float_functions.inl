// The transcendental atoms over float32 vectors.
//
//   exp, expm1      powers of e              log, log1p     natural logarithms        pow, cbrt     powers and roots
//   sin, cos        angles in radians        asin, atan2    angles in radians         tanh, erf, erfc
//
// Each reduces its operand to a short interval, evaluates a polynomial there and puts the result together; the polynomials are those of polynomials.h, or
// others of the same names: P is the structure that holds them. The operations are those of lanes.h, so a lane's result has the same bits on every instruction
// set, whatever the other lanes hold. The largest errors that were measured stand in docs/performance.md, and tests/loops holds every function to a bound just
// above. Infinities, NaN, zeros of both signs, subnormal operands and results are those of the C standard.
//
// This is the text of the functions alone. It is included inside a namespace that has Float, Int and Mask with the operations of lanes.h: float_functions.h
// does so with Highway's vectors, jit/recording.h with values that record instructions. LANES_INLINE is how a function of the namespace is declared.

inline constexpr std::int32_t sign_bit = std::numeric_limits<std::int32_t>::min();
inline constexpr float infinity = std::numeric_limits<float>::infinity();
inline constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

LANES_INLINE Int sign_of(Float a) { return bits(a) & sign_bit; }
// a, negated where `sign` has the sign bit; other bits of it must be zero.
LANES_INLINE Float with_sign(Float a, Int sign) { return from_bits(bits(a) ^ sign); }

// The polynomial with these coefficients, the constant first, at x.
template <std::size_t n>
LANES_INLINE Float polynomial(const float (&coefficients)[n], Float x) {
  Float sum = coefficients[n - 1];
  for (std::size_t k = n - 1; k-- > 0;) sum = fused(sum, x, coefficients[k]);
  return sum;
}

// ---- parts

// Added to a float below 2^22 in size and subtracted again, it leaves the nearest integer, which the low bits of the sum show.
inline constexpr float rounder = 0x1.8p23F;
inline constexpr std::int32_t rounder_bits = 0x4B400000;

// 2^n as a float, for -126 <= n <= 127.
LANES_INLINE Float power_of_two(Int n) { return from_bits(shift_left<23>(n + 127)); }

// e to a power: mantissa * 2^exponent, the mantissa between 0.7 and 1.42. Here |x| <= 2^21.
struct Exponential {
  Float mantissa, exponent;
  Int whole;  // the exponent
};

// x = k log(2) + rest, |rest| <= log(2) / 2.
struct ReducedExponent {
  Float rest, k;
  Int whole;  // k
};

LANES_INLINE ReducedExponent reduce_exponent(Float x) {
  const Float sum = fused(x, log2_e, rounder), k = sum - rounder;
  return {fused(k, -log_2[0], x), k, bits(sum) - rounder_bits};
}

template <class P>
LANES_INLINE Exponential exponential(Float x) {
  const ReducedExponent e = reduce_exponent(x);
  const Float r = fused(e.k, -log_2[1], e.rest);
  return {fused(fused(polynomial(P::exp, r), r, 1.0F), r, 1.0F), e.k, e.whole};
}

// The same of x - lost, where `lost` is less than an ULP of x; the mantissa is a sum of two floats.
struct PreciseExponential {
  Float mantissa, low, exponent;
};

template <class P>
LANES_INLINE PreciseExponential exponential(Float x, Float lost) {
  const ReducedExponent e = reduce_exponent(x);
  const Float r = e.rest - fused(e.k, log_2[1], lost);
  const Float above = fused(r * r, polynomial(P::exp, r), r), mantissa = above + 1.0F;
  return {mantissa, above - (mantissa - 1.0F), e.k};
}

// x = mantissa * 2^exponent with the mantissa between sqrt(1/2) and sqrt(2), for normal x > 0.
struct Split {
  Float mantissa;
  Int exponent;
};

inline constexpr std::int32_t sqrt_half_bits = 0x3F3504F3;

LANES_INLINE Split split(Float x) {
  const Int above = bits(x) - sqrt_half_bits;
  return {from_bits((above & 0x007FFFFF) + sqrt_half_bits), shift_right<23>(above)};
}

// For subnormal x too; the exponent as a float.
struct SplitFloat {
  Float mantissa, exponent;
};

LANES_INLINE SplitFloat split_any(Float x) {
  const Mask subnormal = x < 0x1p-126F;
  const Split s = split(select(subnormal, x * 0x1p23F, x));
  return {s.mantissa, to_float(s.exponent) - select(subnormal, 23.0F, 0.0F)};
}

// log(1 + f) + exponent * log(2).
template <class P>
LANES_INLINE Float logarithm(Float f, Float exponent) {
  const Float z = f * f;
  const Float tail = fused(f * z, polynomial(P::log, f), exponent * log_2[1]);
  return fused(exponent, log_2[0], f + fused(z, -0.5F, tail));
}

// ---- exponentials and logarithms

template <class P = Polynomials>
LANES_INLINE Float exp(Float x) {
  // Beyond these the result is infinite, or 0.
  x = select(x > 89.0F, 89.0F, x);
  x = select(x < -104.0F, -104.0F, x);
  const Exponential e = exponential<P>(x);
  return scaled(e.mantissa, e.exponent);
}

template <class P = Polynomials>
LANES_INLINE Float expm1(Float given) {
  Float x = select(given > 89.0F, 89.0F, given);
  x = select(x < -18.0F, -18.0F, x);
  const ReducedExponent e = reduce_exponent(x);
  // What r lacks of the rest goes into the tail: r + tail is e^rest - 1.
  const Float r = fused(e.k, -log_2[1], e.rest);
  const Float lost = fused(e.k, -log_2[1], e.rest - r);
  const Float tail = fused(r * r, polynomial(P::exp, r), lost);
  // Half of it, since 2^128 is not a float: 2^(k-1) (e^rest - 1) + (2^(k-1) - 1/2).
  const Float scale = power_of_two(e.whole - 1);
  const Float half = fused(scale, tail, fused(scale, r, scale - 0.5F));
  return select(abs(given) < 0x1p-25F, given, half + half);
}

template <class P = Polynomials>
LANES_INLINE Float log(Float x) {
  const SplitFloat s = split_any(x);
  const Float value = logarithm<P>(s.mantissa - 1.0F, s.exponent);
  const Float special = select(x == 0.0F, -infinity, select(x < 0.0F, not_a_number, x));
  return select(x > 0.0F && x < infinity, value, special);
}

template <class P = Polynomials>
LANES_INLINE Float log1p(Float x) {
  // 1 + x = 2^e (1 + f) with f = 2^-e x + (2^-e - 1), which rounds once, however 1 + x is rounded to find e. Where x is so large that the 1 is lost, f is that
  // of x.
  const Split s = split(x + 1.0F);
  const Float scale = from_bits(Int(0x3F800000) - shift_left<23>(s.exponent));
  const Float f = select(x < 0x1p30F, fused(x, scale, scale - 1.0F), s.mantissa - 1.0F);
  const Float value = logarithm<P>(f, to_float(s.exponent));
  const Float special = select(x == -1.0F, -infinity, select(x < -1.0F, not_a_number, x));
  return select(x > -1.0F && x < infinity && !(abs(x) < 0x1p-25F), value, special);
}

// ---- angles

// |x| as quarter turns and a rest, which is the sum of two floats.
struct Angle {
  Float rest, low;
  Int quarters;
};

// Beyond this, the parts of pi / 2 do not reach: such lanes are computed one by one.
inline constexpr float small_angles = 0x1p15F;

LANES_INLINE Angle reduce_angle(Float x) {
  const Float sum = fused(x, two_over_pi, rounder), k = sum - rounder;
  // The first difference is exact; what the second and the product lose goes into the low part.
  const Float near = fused(k, -half_pi[0], x), next = k * half_pi[1];
  Float rest = near - next;
  Float low = near - rest - next - fused(k, half_pi[2], fused(k, half_pi[1], -next));
  Int quarters = bits(sum);
  reduce_large_angles(x, small_angles, rest, low, quarters);
  return {rest, low, quarters};
}

// The sine of a quarter turn's rest, or with an odd number of quarters its cosine; negative in the second half of the turn.
template <class P>
LANES_INLINE Float sine(Angle a) {
  const Float z = a.rest * a.rest;
  const Float sine = a.rest + fused(a.rest * z, polynomial(P::sin, z), a.low);
  const Float top = fused(z, -0.5F, 1.0F), lost = fused(z, -0.5F, 1.0F - top);
  const Float cosine = top + fused(z * z, polynomial(P::cos, z), fused(-a.rest, a.low, lost));
  const Float value = select((a.quarters & 1) == 0, sine, cosine);
  return with_sign(value, shift_left<30>(a.quarters) & sign_bit);
}

template <class P = Polynomials>
LANES_INLINE Float sin(Float x) {
  return with_sign(sine<P>(reduce_angle(abs(x))), sign_of(x));
}

template <class P = Polynomials>
LANES_INLINE Float cos(Float x) {
  const Angle a = reduce_angle(abs(x));
  return sine<P>({a.rest, a.low, a.quarters + 1});
}

// Above 1/2 by asin(x) = pi/2 - 2 asin(sqrt((1-x)/2)); the square root of a negative number is the NaN beyond 1.
template <class P = Polynomials>
LANES_INLINE Float asin(Float x) {
  const Float size = abs(x);
  const Mask large = size > 0.5F;
  const Float z = select(large, (1.0F - size) * 0.5F, size * size);
  const Float s = select(large, sqrt(z), size);
  const Float tail = s * z * polynomial(P::asin, z);
  const Float top = fused(s, -2.0F, half_pi[0]), lost = fused(s, -2.0F, half_pi[0] - top) + half_pi[1];
  const Float from_top = top + fused(tail, -2.0F, lost);
  return with_sign(select(large, from_top, s + tail), sign_of(x));
}

// By the angle to the nearer axis, whose tangent is between 0 and 1.
template <class P = Polynomials>
LANES_INLINE Float atan2(Float y, Float x) {
  const Float height = abs(y), width = abs(x);
  const Mask steep = height > width, left = sign_of(x) == Int(sign_bit);
  const Float shorter = select(steep, width, height), longer = select(steep, height, width);
  Float q = shorter / longer;
  q = select(longer == 0.0F, 0.0F, select(shorter == infinity, 1.0F, q));
  const Float z = q * q;
  const Float angle = fused(q * z, polynomial(P::atan, z), q);
  // 0 + angle, pi/2 - angle, pi/2 + angle, pi - angle.
  const Float base = select(steep, half_pi[0], select(left, pi[0], 0.0F));
  const Float base_low = select(steep, half_pi[1], select(left, pi[1], 0.0F));
  const Int back = bits(select(steep, -0.0F, 0.0F)) ^ sign_of(x);
  const Float value = base + (with_sign(angle, back) + base_low);
  return select(is_nan(x) || is_nan(y), x + y, with_sign(value, sign_of(y)));
}

// ---- hyperbolic tangent and error function

template <class P = Polynomials>
LANES_INLINE Float tanh(Float x) {
  const Float size = abs(x), z = size * size;
  const Float small = fused(size * z, polynomial(P::tanh, z), size);
  // 1 - 2 / (e^2x + 1); from 10 on that is 1.
  const Exponential e = exponential<P>(select(size > 10.0F, 20.0F, size + size));
  const Float large = 1.0F - Float(2.0F) / fused(e.mantissa, power_of_two(e.whole), 1.0F);
  return with_sign(select(size < 0.625F, small, large), sign_of(x));
}

template <class P = Polynomials>
LANES_INLINE Float erf(Float x) {
  const Float size = abs(x);
  const Float small = fused(size, polynomial(P::erf, size * size), size);
  // 1 - e^-g(x); from 4 on that is 1.
  const Exponential e = exponential<P>(-polynomial(P::erf_log, select(size > 4.0F, 4.0F, size)));
  const Float large = fused(-e.mantissa, power_of_two(e.whole), 1.0F);
  return with_sign(select(size < 1.0F, small, large), sign_of(x));
}

template <class P = Polynomials>
LANES_INLINE Float erfc(Float x) {
  // e^(-a^2) p / (a + 2), where p, a polynomial in t = (a - 2) / (a + 2) = 1 - 4 / (a + 2), varies slowly; from 10.1 on it is 0. Square, exponential, product,
  // divisor and its reciprocal have two parts.
  const Float size = abs(x), a = select(size > 10.1F, 10.1F, size);
  const Float square = -a * a;
  const PreciseExponential e = exponential<P>(square, fused(a, a, square));
  const Float divisor = a + 2.0F, divisor_low = a - (divisor - 2.0F);
  const Float inverse = Float(1.0F) / divisor, inverse_low = inverse * fused(-inverse, divisor_low, fused(-inverse, divisor, 1.0F));
  const Float t = fused(inverse_low, -4.0F, fused(inverse, -4.0F, 1.0F));
  const Float p = polynomial(P::erfc, t);
  const Float product = e.mantissa * p, product_low = fused(e.low, p, fused(e.mantissa, p, -product));
  const Float far = scaled(fused(product, inverse, fused(product, inverse_low, product_low * inverse)), e.exponent);
  return select(x < 0.0F, 2.0F - far, far);
}

// ---- powers and roots

template <class P = Polynomials>
LANES_INLINE Float cbrt(Float x) {
  const Float size = abs(x);
  const Mask subnormal = size < 0x1p-126F;
  const Int word = bits(select(subnormal, size * 0x1p24F, size));
  const Float mantissa = from_bits((word & 0x007FFFFF) | 0x3F800000);
  // exponent = 3 * third + rest, the rest being -1, 0 or 1.
  const Float exponent = to_float(shift_right<23>(word) - 127);
  const Float sum = fused(exponent, 1.0F / 3, rounder), third = sum - rounder;
  const Float rest = fused(third, -3.0F, exponent);
  const Mask below = rest<0.0F, above = rest> 0.0F;
  const Float m = mantissa * select(below, 0.5F, select(above, 2.0F, 1.0F));
  const Float root = polynomial(P::cbrt, mantissa) * select(below, cbrt_half, select(above, cbrt_2, 1.0F));
  // One step of Newton's; how far the cube is off is computed in two parts.
  const Float square = root * root, square_low = fused(root, root, -square);
  const Float off = fused(square_low, root, fused(square, root, -m));
  const Float better = root - off / (square * 3.0F);
  const Float value = better * power_of_two(bits(sum) - rounder_bits) * select(subnormal, 0x1p-8F, 1.0F);
  return select(size > 0.0F && size < infinity, with_sign(value, sign_of(x)), x);
}

// The logarithm to base 2 of x > 0 as a sum of two floats, right to about 2^-33 of it.
struct TwoFloats {
  Float high, low;
};

template <class P>
LANES_INLINE TwoFloats precise_log2(Float x) {
  const SplitFloat s = split_any(x);
  // log2(m) = q (C + C z/3 + ...) with q = (m-1)/(m+1), z = q^2, C = 2 / log(2). Quotient, square, and the first two terms have two parts.
  const Float over = s.mantissa - 1.0F, under = s.mantissa + 1.0F, under_low = s.mantissa - (under - 1.0F);
  const Float inverse = Float(1.0F) / under;
  const Float q = over * inverse;
  const Float q_low = fused(-q, under_low, fused(-q, under, over)) * inverse;
  const Float z = q * q, z_low = fused(q, q, -z) + (q + q) * q_low;
  const Float second = z * two_thirds_over_log_2[0];
  const Float second_low =
      fused(z, two_thirds_over_log_2[0], -second) + fused(z, two_thirds_over_log_2[1], z_low * two_thirds_over_log_2[0]) + z * z * polynomial(P::log2_tail, z);
  const Float series = second + two_over_log_2[0];
  const Float series_low = (Float(two_over_log_2[0]) - series) + second + (second_low + two_over_log_2[1]);
  const Float product = q * series;
  const Float product_low = fused(q, series, -product) + fused(q, series_low, q_low * series);
  const Float high = s.exponent + product;
  return {high, (s.exponent - high) + product + product_low};
}

template <class P = Polynomials>
LANES_INLINE Float pow(Float x, Float y) {
  const Float size = abs(x);
  const TwoFloats log2 = precise_log2<P>(size);
  const Float log2_high = select(size == 0.0F, -infinity, select(size == infinity, infinity, log2.high));
  // The exponent of 2, y * log2(x), cut where the result is 0 or infinite anyway.
  const Float product = y * log2_high;
  const Mask cut = !(abs(product) < 200.0F);
  const Float high = select(cut, select(product > 0.0F, 200.0F, -200.0F), product);
  const Float low = select(cut, 0.0F, fused(y, log2_high, -product) + y * log2.low);
  const Float sum = high + rounder, k = sum - rounder;
  const Float r = (high - k) + low;
  Float value = scaled(fused(r, polynomial(P::exp2, r), 1.0F), k);

  // Negative x: integer powers only, odd ones being negative. Floats from 2^24 on are even.
  const Float power = abs(y);
  const Float whole = round(power);
  const Mask odd = power < 0x1p24F && power == whole && (to_int(select(power < 0x1p24F, power, 0.0F)) & 1) == 1;
  value = select(odd, with_sign(value, sign_of(x)), value);
  value = select(x < 0.0F && x > -infinity && !(power == whole), not_a_number, value);
  value = select(is_nan(x) || is_nan(y), x + y, value);
  return select(y == 0.0F || x == 1.0F || (size == 1.0F && power == infinity), 1.0F, value);
}
