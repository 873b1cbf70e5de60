// A sum at the end of a loop, fed piece by piece with what the loop computes.
//
// Pieces are consecutive elements of the loop's domain, in order, so a block of the sum may come in several of them: what has been added up of it so far is
// kept between pieces, in memory of the running chunk.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/loops/sum_runs.h"
#include "graph/closed_loop.h"

namespace cotan::loops {

class ClosingSum {
 public:
  ClosingSum(const BlockSum& form, DType dtype, double coefficient);

  [[nodiscard]] const BlockSum& form() const { return form_; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  // Parts in which a row is added up; of columns, 1.
  [[nodiscard]] std::int64_t parts() const { return parts_; }
  // What is kept between pieces: an accumulator for each column, or the parts of a row; and room for one vector more.
  [[nodiscard]] std::size_t state_bytes() const;

  // Adds elements [first, first + count) of the domain, which lie at `values` side by side, and stores the results that are complete then.
  void add(const void* values, std::int64_t first, std::int64_t count, void* state, void* output) const;

  // For code that adds up by itself: the state of nothing, and what a state comes to. So many rows with a state each, one behind the other, are the results
  // from number `block` on.
  void clear(void* state, std::int64_t rows) const;
  void store(void* state, std::int64_t rows, std::int64_t block, void* output) const;

 private:
  // Accumulators of one state.
  [[nodiscard]] std::int64_t wide() const { return form_.columns > 1 ? form_.columns : parts_; }
  // Each adds some elements, `at` being the first one's place in its block, and returns how many.
  std::int64_t add_row(const void* values, std::int64_t first, std::int64_t at, std::int64_t count, void* state, void* output) const;
  std::int64_t add_lines(const void* values, std::int64_t at, std::int64_t count, void* state) const;

  BlockSum form_;
  DType dtype_;
  double coefficient_;
  std::int64_t element_, parts_;
  SumRowsFunction rows_;
  SumColumnsFunction columns_;
  SumPartsFunction add_parts_;
  SumJoinFunction join_;
  SumFinishFunction finish_;
};

}  // namespace cotan::loops
