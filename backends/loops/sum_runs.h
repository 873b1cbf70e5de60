// The innermost loops of indexed sums: n products along strides, added up or stored.
//
// They are compiled once for each instruction set, like the tile operations, from one plain definition. Numbers are accumulated in wide types: floats in
// float64, integers and booleans in 64 bits that wrap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/dtype.h"

namespace cotan::loops {

// One run: point i reads factor k at factors[k] + i * steps[k] and writes at to + i * step. Steps are in elements.
struct SumRun {
  void* to = nullptr;
  std::int64_t step = 0;
  const void* const* factors = nullptr;
  const std::int64_t* steps = nullptr;
  int count = 0;  // of factors
  std::int64_t points = 0;
  double coefficient = 1;
};

using SumRunFunction = void (*)(const SumRun& run);

enum class RunForm : std::uint8_t {
  assign,      // to: elements, each set to coefficient * product, rounded
  accumulate,  // to: wide numbers, each increased by the product (step 0: all by the sum); the coefficient is for later
  direct,      // to: elements of a floating type, increased by coefficient * product
};

// The function for elements of that type. direct is for floating types.
[[nodiscard]] SumRunFunction sum_run(DType dtype, RunForm form);

// Stores n finished accumulators as elements: to[i * step] = coefficient * wide[i], rounded.
struct SumFinish {
  const void* wide = nullptr;
  void* to = nullptr;
  std::int64_t step = 1;
  std::int64_t count = 0;
  double coefficient = 1;
};
using SumFinishFunction = void (*)(const SumFinish& finish);
[[nodiscard]] SumFinishFunction sum_finish(DType dtype);

}  // namespace cotan::loops
