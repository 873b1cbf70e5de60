// Each coefficient of each polynomial, changed by one part in 16, makes its function leave its bound: a wrong one cannot hide from the tests of errors.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "backends/loops/float_functions.h"
#include "tests/loops/float_errors.h"

namespace cotan::loops_test {
namespace {

namespace functions = loops::HWY_NAMESPACE;
using functions::Float;
using loops::Polynomials;

// The tables of polynomials.h, and the function that shows their faults.
#define COTAN_TABLES(TABLE) \
  TABLE(exp, exp)           \
  TABLE(exp2, pow)          \
  TABLE(log, log)           \
  TABLE(log2_tail, pow)     \
  TABLE(sin, sin)           \
  TABLE(cos, cos)           \
  TABLE(asin, asin)         \
  TABLE(atan, atan2)        \
  TABLE(tanh, tanh)         \
  TABLE(erf, erf)           \
  TABLE(erf_log, erf)       \
  TABLE(erfc, erfc)         \
  TABLE(cbrt, cbrt)

// The tables as copies that can be changed.
struct Planted {
#define COTAN_COPY(table, function) static float table[std::size(Polynomials::table)];
  COTAN_TABLES(COTAN_COPY)
#undef COTAN_COPY
};
#define COTAN_COPY(table, function) float Planted::table[std::size(Polynomials::table)];
COTAN_TABLES(COTAN_COPY)
#undef COTAN_COPY

void restore() {
#define COTAN_COPY(table, function) std::copy(std::begin(Polynomials::table), std::end(Polynomials::table), Planted::table);
  COTAN_TABLES(COTAN_COPY)
#undef COTAN_COPY
}

float computed(Atom atom, float a, float b) {
  switch (atom) {
#define COTAN_ONE(name) \
  case Atom::name: return functions::hn::GetLane(functions::name<Planted>(Float(a)).v);
    COTAN_ONE(exp)
    COTAN_ONE(log)
    COTAN_ONE(sin)
    COTAN_ONE(cos)
    COTAN_ONE(asin)
    COTAN_ONE(tanh)
    COTAN_ONE(erf)
    COTAN_ONE(erfc)
    COTAN_ONE(cbrt)
#undef COTAN_ONE
    case Atom::atan2: return functions::hn::GetLane(functions::atan2<Planted>(Float(a), Float(b)).v);
    default: return functions::hn::GetLane(functions::pow<Planted>(Float(a), Float(b)).v);
  }
}

double bound_of(Atom atom) {
  for (const FloatFunction& f : unary_functions)
    if (f.atom == atom) return f.bound;
  for (const FloatFunction& f : binary_functions)
    if (f.atom == atom) return f.bound;
  return 0;
}

// Whether the function keeps its bound at floats of every size.
bool keeps_bound(Atom atom) {
  const double bound = bound_of(atom);
  for (std::uint64_t word = 0x38000000U; word < 0x43000000U; word += 9973) {  // from 2^-15 to 128
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(word));
    for (const float a : {x, -x}) {
      const float b = atom == Atom::pow ? static_cast<float>(126.5 / std::log2(static_cast<double>(x))) : 1.0F;
      if (ulps_off(computed(atom, a, b), wanted(atom, a, b)) > bound) return false;
    }
  }
  return true;
}

TEST(PlantedCoefficients, EachIsCaught) {
  restore();
#define COTAN_PLANT(table, function)                                                                                       \
  ASSERT_TRUE(keeps_bound(Atom::function)) << #function;                                                                   \
  for (float& coefficient : Planted::table) {                                                                              \
    const float right = coefficient;                                                                                       \
    coefficient = right * (1 + 1.0F / 16);                                                                                 \
    EXPECT_FALSE(keeps_bound(Atom::function)) << #table << ", the coefficient of power " << &coefficient - Planted::table; \
    coefficient = right;                                                                                                   \
  }
  COTAN_TABLES(COTAN_PLANT)
#undef COTAN_PLANT
}

}  // namespace
}  // namespace cotan::loops_test
