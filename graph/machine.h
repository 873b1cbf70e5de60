// What the machine can do at best, measured: the roof that profiles hold kernels against.
#pragma once

#include <string>

namespace cotan {

// Figures of all workers together. What a core does by itself (gflops, cache_gbs) is measured while all work, and multiplied by their number.
struct Machine {
  std::string processor;   // its model
  int threads = 1;         // that were measured: those in effect
  double gflops = 0;       // 10^9 float32 operations a second in registers, a multiply-add counting as two
  double memory_gbs = 0;   // 10^9 bytes a second, read and written by a = b + s * c over tensors larger than the caches
  double cache_gbs = 0;    // the same over tensors that stay in a core's own cache
  double cache_bytes = 0;  // of the workers' own caches (L2)
};

// Measured once for each number of threads, in about 60 ms, and remembered. May be called from any thread.
[[nodiscard]] const Machine& measured_machine();

}  // namespace cotan
