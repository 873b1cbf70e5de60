// Sums over a box: a block sum (sum_plan.h) with no condition, no table and at most two factors. Most sums are of this kind, and many are short, so the walk
// keeps everything on the stack and hands the two innermost levels to one call.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "backends/loops/sum_plan.h"
#include "backends/loops/sum_runs.h"

namespace cotan::loops {

class PlainSum {
 public:
  // The walk of such a plan; none for any other. `scratch` of run(): wide accumulators of a block.
  [[nodiscard]] static std::optional<PlainSum> of(const SumPlan& plan, int factors, DType dtype, double coefficient);

  void run(const SumPlan& plan, std::int64_t chunk, std::span<void* const> buffers, void* scratch) const;

 private:
  static constexpr std::size_t most_levels = 8;
  static constexpr std::size_t most_tensors = 3;  // the output and two factors
  using Offsets = std::array<std::int64_t, most_tensors>;

  struct Running;
  void add_level(std::int64_t extent, const Offsets& steps, bool like_the_last);
  void walk(const Running& running, std::size_t level, const Offsets& at) const;
  void block(const Running& running, Offsets at) const;
  void accumulate(const Running& running, std::size_t level, const Offsets& at, std::int64_t first, std::int64_t count) const;

  int factors_ = 0;
  std::size_t levels_ = 0, split_ = 0;
  int chunk_level_ = -1;  // as the plan's
  bool along_ = false, floating_ = true;
  std::int64_t along_step_ = 0, element_ = 4;
  double coefficient_ = 1;
  std::array<Offsets, most_levels> steps_{};
  std::array<std::int64_t, most_levels> extents_{};
  SumRowsFunction rows_ = nullptr;
  SumColumnsFunction columns_ = nullptr;
  SumFinishFunction finish_ = nullptr;
};

}  // namespace cotan::loops
