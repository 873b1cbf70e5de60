// The innermost loops of indexed sums: n products along strides, added up or stored.
//
// They are compiled once for each instruction set, like the tile operations, from one plain definition. Numbers are accumulated in wide types: floats in
// float64, integers and booleans in 64 bits that wrap.
#pragma once

#include <array>
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

// Rows of at most two factors: row r reads factor k at factors[k] + r * row_steps[k], its point i `steps[k]` further each time. Steps are in elements.
struct SumRows {
  void* to = nullptr;
  std::int64_t to_step = 0;
  std::array<const void*, 2> factors{};
  std::array<std::int64_t, 2> row_steps{}, steps{};
  int count = 1;  // of factors
  std::int64_t rows = 0, points = 0;
  double coefficient = 1;
};
// Stores coefficient * the sum of each row's products, rounded, at to + r * to_step: one or more points.
using SumRowsFunction = void (*)(const SumRows& rows);
[[nodiscard]] SumRowsFunction sum_rows(DType dtype);

// The same rows, added to wide accumulators.
struct SumColumns {
  void* to = nullptr;
  bool along = true;  // point i of every row belongs to accumulator i; otherwise all points to the one
  std::array<const void*, 2> factors{};
  std::array<std::int64_t, 2> row_steps{}, steps{};
  int count = 1;
  std::int64_t rows = 0, points = 0;
};
// Each accumulator gets its points in the order of the rows.
using SumColumnsFunction = void (*)(const SumColumns& columns);
[[nodiscard]] SumColumnsFunction sum_columns(DType dtype);

// A row's points in parts, point i in part i % parts. A row is added up in 32 parts, of less than 64 points in 8, of less than 8 in 1.
inline constexpr std::int64_t fewest_in_parts = 8;
[[nodiscard]] constexpr std::int64_t parts_of(std::int64_t points) { return points >= 64 ? 32 : points >= fewest_in_parts ? 8 : 1; }

// Some neighbouring points of a row of one factor, added to its parts, which are wide.
struct SumParts {
  void* part = nullptr;
  std::int64_t parts = 1;
  std::int64_t first = 0;  // the number of the first of the points in the row
  const void* from = nullptr;
  std::int64_t points = 0;
};
using SumPartsFunction = void (*)(const SumParts& sum);
[[nodiscard]] SumPartsFunction sum_parts(DType dtype);

// Rows whose parts are complete, one behind the other: to[r] = coefficient * the sum of row r's parts, rounded. The parts are overwritten.
struct SumJoin {
  void* part = nullptr;
  std::int64_t parts = 1, rows = 1;
  void* to = nullptr;
  double coefficient = 1;
};
using SumJoinFunction = void (*)(const SumJoin& join);
[[nodiscard]] SumJoinFunction sum_join(DType dtype);

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
