// What the kernels of loops that end in sums have in common, however they compute: the domain as lines, and their chunks.
#pragma once

#include <span>
#include <vector>

#include "backends/loops/closing.h"
#include "backends/loops/tiles.h"

namespace cotan::loops {

// The sums at the end of a cluster's loop over the shape. Results that do not fit are a fault.
[[nodiscard]] std::vector<ClosingSum> closing_sums(const Cluster& cluster, std::span<const LoopSum> sums, const Shape& shape, std::span<const View> results);

// The loop's domain: that of the cluster's inputs and outputs.
[[nodiscard]] const Shape& domain_of(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs);

// The domain as lines, all of one length, in row-major order: the longest that every view runs through in equal steps, or where the blocks of sums are shorter,
// parts of these. Views are the inputs, then the cluster's own outputs.
class DomainLines {
 public:
  DomainLines(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, std::span<const ClosingSum> sums);

  [[nodiscard]] std::int64_t elements() const { return tiling_.elements(); }
  [[nodiscard]] std::int64_t length() const { return length_; }
  // Lines that follow each other at one distance in every view, from this one on.
  [[nodiscard]] std::int64_t run_from(std::int64_t line) const { return run_ - line % run_; }
  // That distance, and the distance of elements in a line.
  [[nodiscard]] std::int64_t line_step(std::size_t view) const;
  [[nodiscard]] std::int64_t step(std::size_t view) const { return tiling_.inner_stride(view); }
  // Whether the view gives one element everywhere.
  [[nodiscard]] bool is_one(std::size_t view) const;
  // Where an element of a line lies.
  [[nodiscard]] std::int64_t offset(std::size_t view, std::int64_t line, std::int64_t column) const {
    return tiling_.offset(view, {line / in_a_row_, 1, line % in_a_row_ * length_ + column, 1});
  }

  // Chunks are whole blocks of every sum, and whole lines.
  [[nodiscard]] std::int64_t chunks() const { return chunks_; }
  // The lines [first, last) of a chunk.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> chunk(std::int64_t c) const {
    return {c * lines_per_chunk_, std::min(elements() / length_, (c + 1) * lines_per_chunk_)};
  }

 private:
  Tiling tiling_;
  std::int64_t length_, in_a_row_ = 1, run_ = 1, lines_per_chunk_ = 1, chunks_ = 1;
};

}  // namespace cotan::loops
