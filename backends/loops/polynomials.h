// Coefficients and constants of the float32 functions. Generated: backends/loops/fit_polynomials.py writes this file; change it there.
//
// A table holds the coefficients of a polynomial, the constant first. The error is that of the polynomial in exact arithmetic: how far it moves the
// function's value at worst over the interval, in parts of 2^-23 of it. The float32 arithmetic around it comes on top (float_functions.inl).
#pragma once

// clang-format off

#include <cstdint>

namespace cotan::loops {

struct Polynomials {
  // (e^r - 1 - r) / r^2; |r| <= log(2)/2, of e^r - 1: 1.2e-01
  static constexpr float exp[] = {0x1.fffffep-2F, 0x1.5554b2p-3F, 0x1.5557p-5F, 0x1.1226b8p-7F, 0x1.6b8d7ep-10F};
  // (2^r - 1) / r; |r| <= 1/2, of 2^r: 2.5e-02
  static constexpr float exp2[] = {0x1.62e43p-1F, 0x1.ebfbdcp-3F, 0x1.c6af7ap-5F, 0x1.3b2dep-7F, 0x1.5f09a6p-10F, 0x1.416d08p-13F};
  // (log(1+f) - f + f^2/2) / f^3; sqrt(1/2) <= 1+f <= sqrt(2), of log(1+f): 4.9e-02
  static constexpr float log[] = {
      0x1.555554p-2F, -0x1.000226p-2F, 0x1.99a01cp-3F, -0x1.54728ap-3F, 0x1.22d93p-3F, -0x1.0d8246p-3F, 0x1.055eaep-3F, -0x1.38c974p-4F};
  // (log2((1+q)/(1-q)) / q - C - C z/3) / z^2 with C = 2/log(2); z = q^2, |q| <= 0.1716, of the logarithm, for a power near 2^128: 9.1e-03
  static constexpr float log2_tail[] = {0x1.27770ep-1F, 0x1.a5bbfep-2F, 0x1.59ed6ap-2F};
  // (sin(r) - r) / r^3; z = r^2, |r| <= pi/4, of sin(r): 3.5e-02
  static constexpr float sin[] = {-0x1.555544p-3F, 0x1.1106c6p-7F, -0x1.991c26p-13F};
  // (cos(r) - 1 + z/2) / z^2; z = r^2, |r| <= pi/4, of cos(r): 1.2e-03
  static constexpr float cos[] = {0x1.55554ap-5F, -0x1.6c0c14p-10F, 0x1.99de6ep-16F};
  // (asin(s) - s) / s^3; z = s^2, 0 <= s <= 1/2, of asin(s): 4.1e-02
  static constexpr float asin[] = {0x1.5555c8p-3F, 0x1.330204p-4F, 0x1.747bb8p-5F, 0x1.8c3e5p-6F, 0x1.595c6p-5F};
  // (atan(q) - q) / q^3; z = q^2, 0 <= q <= 1, of atan(q): 2.2e-02
  static constexpr float atan[] = {
      -0x1.55553ep-2F, 0x1.9991e4p-3F, -0x1.242086p-3F, 0x1.c08c4ep-4F, -0x1.58091cp-4F, 0x1.da2a0cp-5F, -0x1.fd7e04p-6F, 0x1.6424ap-7F, -0x1.d35952p-10F};
  // (tanh(x) - x) / x^3; z = x^2, 0 <= x <= 5/8, of tanh(x): 3.8e-02
  static constexpr float tanh[] = {-0x1.555532p-2F, 0x1.1106f6p-3F, -0x1.b835a4p-5F, 0x1.51f8cep-6F, -0x1.750ce2p-8F};
  // erf(x) / x - 1; z = x^2, 0 <= x <= 1, of erf(x): 1.2e-02
  static constexpr float erf[] = {0x1.06eba8p-3F, -0x1.81273ep-2F, 0x1.ce2ce6p-4F, -0x1.b7f71ap-6F, 0x1.53f224p-8F, -0x1.a3515ep-11F, 0x1.4771fcp-14F};
  // -log(1 - erf(x)); 1 <= x <= 4, of erf(x): 9.0e-03
  static constexpr float erf_log[] = {0x1.661cb2p-12F, 0x1.2088eap+0F, 0x1.46baf2p-1F, 0x1.a652f2p-4F, -0x1.65ca82p-6F, 0x1.82582ep-9F, -0x1.86d73ap-13F};
  // (x + 2) e^(x^2) erfc(x); t = (x-2)/(x+2), 0 <= x <= 10.1, of erfc(x): 1.9e-01
  static constexpr float erfc[] = {
      0x1.058672p+0F, -0x1.5fd38cp-1F, 0x1.1e2dcp-2F, -0x1.2a7d86p-5F, -0x1.604b4cp-6F, 0x1.a5f452p-8F, 0x1.8eca94p-9F, -0x1.7f173ap-11F, -0x1.15aae4p-11F,
      -0x1.7cde4ep-15F};
  // the cube root of m, to be improved by one step of Newton's; 1 <= m <= 2: 7.7e+01
  static constexpr float cbrt[] = {0x1.0392d6p-1F, 0x1.6fb1c6p-1F, -0x1.33d34ep-2F, 0x1.60a0ecp-4F, -0x1.5b776p-7F};
};

// Numbers that float32 does not hold, as sums of floats: the first is the number rounded, the next what that lacks.
inline constexpr float log2_e = 0x1.715476p+0F;  // 1 / log(2)
inline constexpr float log_2[] = {0x1.62e43p-1F, -0x1.05c61p-29F};  // log(2)
inline constexpr float two_over_pi = 0x1.45f306p-1F;  // 2 / pi
inline constexpr float pi[] = {0x1.921fb6p+1F, -0x1.777a5cp-24F};  // pi
inline constexpr float half_pi[] = {0x1.921fb6p+0F, -0x1.777a5cp-25F, -0x1.ee59dap-50F};  // pi / 2
inline constexpr float two_over_log_2[] = {0x1.715476p+1F, 0x1.4ae0cp-25F};  // 2 / log(2)
inline constexpr float two_thirds_over_log_2[] = {0x1.ec709ep-1F, -0x1.e2fe02p-28F};  // 2 / (3 log(2))
inline constexpr float cbrt_2 = 0x1.428a3p+0F;  // the cube root of 2
inline constexpr float cbrt_half = 0x1.965feap-1F;  // the cube root of 1/2

// The first 256 binary digits of 2 / pi after the point, behind 32 zeros.
inline constexpr std::uint32_t two_over_pi_digits[] = {
    0x00000000U, 0xA2F9836EU, 0x4E441529U, 0xFC2757D1U, 0xF534DDC0U, 0xDB629599U, 0x3C439041U, 0xFE5163ABU, 0xDEBBC561U};

}  // namespace cotan::loops
