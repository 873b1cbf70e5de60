// The oracles of elementwise.def: each row's value by the C++ standard library over doubles. They share no code with formulas and atoms. A row without an
// oracle does not compile.
#pragma once

#include <cmath>
#include <span>

#include "ops/elementwise.h"
#include "ops/row_macros.h"

namespace cotan::testing {

using ElementwiseOracle = double (*)(std::span<const double> operands, std::span<const double> parameters);

namespace elementwise_oracles {

#define P(name, standard) name
#define ELEMENTWISE(name_, operands_, parameters_, value_, derivatives_, samples_, kinks_, oracle_, description_) \
  inline double name_##_oracle(std::span<const double> in, [[maybe_unused]] std::span<const double> given) {      \
    COTAN_BIND(in, COTAN_UNWRAP operands_)                                                                        \
    COTAN_BIND(given, COTAN_UNWRAP parameters_)                                                                   \
    return static_cast<double>(oracle_);                                                                          \
  }
#include "ops/elementwise.def"
#undef ELEMENTWISE
#undef P

}  // namespace elementwise_oracles

[[nodiscard]] inline ElementwiseOracle oracle_of(const ElementwiseRow& row) {
  static constexpr ElementwiseOracle table[] = {
#define ELEMENTWISE(name_, ...) elementwise_oracles::name_##_oracle,
#include "ops/elementwise.def"
#undef ELEMENTWISE
  };
  return table[&row - elementwise_rows().data()];
}

// The values of the row's parameters that tests take: the standard ones, but finite, since a bound at infinity is none.
[[nodiscard]] inline std::vector<double> standard_parameters(const ElementwiseRow& row) {
  std::vector<double> values;
  for (const ElementwiseRow::Parameter& p : row.parameters) values.push_back(std::isinf(p.standard) ? std::copysign(1.25, p.standard) : p.standard);
  return values;
}

}  // namespace cotan::testing
