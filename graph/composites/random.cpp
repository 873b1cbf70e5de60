#include "graph/composites/random.h"

#include <cmath>
#include <limits>

#include "ops/formula.h"

namespace cotan::graph {

Ref uniform_between(const Ref& u, double low, double high) {
  // The product and the sum may round up to `high`: they stop at the number before it.
  const DType dtype = u.dtype();
  const double last = dtype == DType::f32 ? static_cast<double>(std::nextafter(static_cast<float>(high), static_cast<float>(low))) : std::nextafter(high, low);
  return formula({u, scalar(low, dtype), scalar(high - low, dtype), scalar(last, dtype)}, [](std::span<const Ex> x) {
    using namespace formula_language;
    return formula_language::min(x[1] + x[2] * x[0], x[3]);
  });
}

Ref normal(const Ref& u, const Ref& v, double mean, double std) {
  return formula({u, v, scalar(mean, u.dtype()), scalar(std, u.dtype())}, [](std::span<const Ex> x) {
    using namespace formula_language;
    // 1 - u is exact and never 0.
    return x[2] + x[3] * (formula_language::sqrt(-2 * formula_language::log(1 - x[0])) * formula_language::cos(6.283185307179586 * x[1]));
  });
}

Ref bernoulli(const Ref& u, const Ref& p, DType dtype) {
  return formula({u, p}, [&](std::span<const Ex> x) {
    using namespace formula_language;
    const Ex probability = cast(x[1], DType::f64), drawn = cast(x[0] < probability, dtype);
    if (!is_floating(dtype)) return drawn;
    return where(probability >= 0 && probability <= 1, drawn, typed(std::numeric_limits<double>::quiet_NaN(), dtype));
  });
}

// floor(range * U) for the number U = u + v / 2^53 in [0, 1), which has 106 random bits. The product is longer than a double: both factors are cut in two,
// range = upper + lower where upper is a multiple of 2^26, and u = a + b where a is one of 2^-26. Then upper * a is a whole number below 2^52, upper * b and
// lower * a are multiples of 2^-27 below 2^26, and lower * b is a multiple of 2^-53 below 1, all of them exact. Rounded, by at most 2^-51, is only the sum of
// the fractions: each value's share of [0, 1) is 1 / range to within 2^-49 / range.
Ref integers_between(const Ref& u, const Ref& v, std::int64_t low, std::int64_t high, DType dtype) {
  const std::int64_t range = high - low, lower = range & ((std::int64_t{1} << 26) - 1);
  auto number = [](std::int64_t n) { return scalar(static_cast<double>(n), DType::f64); };
  return formula({u, v, number(range - lower), number(lower), number(low)}, [&](std::span<const Ex> x) {
    using namespace formula_language;
    const Ex a = formula_language::floor(x[0] * 0x1p26) * 0x1p-26, b = x[0] - a;
    const Ex p = x[2] * b, q = x[3] * a, whole_p = formula_language::floor(p), whole_q = formula_language::floor(q);
    const Ex fractions = (p - whole_p) + (q - whole_q) + (x[3] * b + (x[2] + x[3]) * (x[1] * 0x1p-53));
    const Ex chosen = x[2] * a + whole_p + whole_q + formula_language::floor(fractions);
    return cast(x[4] + formula_language::min(chosen, x[2] + x[3] - 1), dtype);  // the rounding could give `range` itself
  });
}

// Random keys, sorted, give each order with the same probability as long as no two keys are equal. Equal ones, of which n keys of 53 bits have some with
// probability n^2 / 2^54, would keep their order. So two independent sets of keys are sorted and one order is read in the other: the chain of two independent
// orders is uniform if either is. It is distributed as the order by pairs of keys is, in which a tie has probability n^2 / 2^107.
Ref permutation(const Ref& a, const Ref& b) {
  const Ref operands[] = {order(a, 0, false), order(b, 0, false)};
  const rows::Scope scope;
  const rows::Operand x{0, DType::i32, a.shape()}, index{1, DType::i32, a.shape()};
  const rows::Index i(a.shape()[0]);
  return from_definition(rows::sum(a.shape(), {i}, x.at({index.entry(i)}), std::array{x, index}), operands);
}

double kept_share(double p, DType dtype) {
  const double steps = dtype == DType::f32 ? 0x1p24 : 0x1p53;
  return std::ceil((1 - p) * steps) / steps;
}

double kept_scale(double p, DType dtype) {
  const double share = kept_share(p, dtype);
  return share > 0 ? 1 / share : 0;
}

Ref dropout(const Ref& x, const Ref& u, const Ref& share, const Ref& scale) {
  return formula({x, u, share, scale}, [](std::span<const Ex> in) {
    using namespace formula_language;
    return where(in[1] < in[2], in[0] * in[3], 0);
  });
}

}  // namespace cotan::graph
