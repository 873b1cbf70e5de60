// The parts of schedule() (plan.h): in which phase each step runs, and where intermediates lie. Internal to graph/.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "graph/plan.h"

namespace cotan {

// Buffers in the arena begin at multiples of it.
inline constexpr std::size_t arena_alignment = 64;
// The bytes that a buffer takes there.
[[nodiscard]] inline std::size_t arena_size(std::size_t bytes) { return (bytes + arena_alignment - 1) / arena_alignment * arena_alignment; }

// Which steps use a buffer of the arena. One that nobody writes and nobody reads has neither.
struct BufferUse {
  std::size_t bytes = 0;   // in the arena; 0 for every other kind of buffer
  std::vector<int> steps;  // in the plan's order, each once
};
// By buffer.
[[nodiscard]] std::vector<BufferUse> buffer_uses(const Plan& plan);

// What the kernels of steps that run at one time work in: each worker's part is as large as the greatest of them needs.
class PhaseScratch {
 public:
  // A plan's, for its number of workers.
  explicit PhaseScratch(int workers) : workers_(workers) {}
  // One more step of the phase.
  void add(const Kernel& kernel) {
    each_ = std::max(each_, arena_size(kernel.scratch_bytes()));
    chunks_ += kernel.chunks();
  }
  // The size of a part, and of all of them.
  [[nodiscard]] std::size_t each() const { return each_; }
  [[nodiscard]] std::size_t bytes() const { return each_ * static_cast<std::size_t>(std::min<std::int64_t>(workers_, chunks_)); }

 private:
  int workers_;
  std::size_t each_ = 0;
  std::int64_t chunks_ = 0;
};

// The greatest sum of bytes that are live at one time, where step s runs at time[s] and a buffer lives from its first use to its last; what kernels work in
// counts.
[[nodiscard]] std::size_t peak_of_live_bytes(const Plan& plan, std::span<const BufferUse> uses, std::span<const int> time);

// Gives every step its phase: as early as it can, so that what is independent runs together, unless that takes much more memory than one step after another
// would. Then steps wait: a phase takes in only what keeps the peak near that of the best order found.
void assign_phases(Plan& plan);

// Lets results of elementwise steps take the memory of operands that nobody reads afterwards, and lays the arena's buffers out by their lifetimes.
void plan_memory(Plan& plan);

}  // namespace cotan
