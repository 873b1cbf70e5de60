// Evaluation: computing tensors, running assignments, and the report of what was done.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "autograd/tensor.h"
#include "graph/executor.h"

namespace cotan {

class EvaluationObserver;

// How evaluations of this thread run until set otherwise.
struct ExecutionOptions {
  ExecutionMode mode = ExecutionMode::compiled;
  PassSwitches passes = standard_passes();  // passes and fusions that are switched otherwise than usual
  bool reproducible = false;                // the same bits for any number of threads; set_reproducible() turns it on for all threads
  EvaluationObserver* observer = nullptr;   // is shown each evaluation: how profiles look inside (autograd/profile/observer.h)
};
// Sets them and returns those before.
ExecutionOptions set_execution_options(const ExecutionOptions& options);

// Whether all evaluations of the process give the same bits for any number of threads. It starts as the environment variable COTAN_REPRODUCIBLE says: 1 for
// yes.
void set_reproducible(bool on);
// What was set.
[[nodiscard]] bool is_reproducible();

// What one evaluation did.
struct EvaluationReport {
  struct Kernel {
    std::string name;               // what ran
    std::vector<SourceLine> lines;  // the user's lines that it computes
    std::int64_t phase = 0;         // kernels of one phase run at the same time
    std::int64_t chunks = 0;
    double flops = 0, bytes = 0;
  };
  struct Miss {
    std::string what;  // "oneDNN", "view", "in place"
    SourceLine line;
    Reason reason;
  };
  bool ran = false;        // false: everything was there already
  bool cache_hit = false;  // the compiled graph was there already
  std::size_t nodes = 0;   // of the graph that was evaluated
  std::vector<Kernel> kernels;
  std::vector<Miss> misses;                // what was not done, and why
  std::vector<SourceLine> held;            // tensors computed because the program holds them and an assignment overwrote what they read
  std::vector<SourceLine> computed_again;  // lines whose results an earlier evaluation had computed and not kept
  std::int64_t phases = 0;
  std::size_t temporary_bytes = 0;   // memory of intermediates
  std::size_t in_place_updates = 0;  // assignments that wrote over the old value, which nobody held
  std::size_t assignments = 0;
};

// Computes the tensors, and runs the thread's pending assignments exactly once. With assignments it is a barrier: tensors that the program still holds and
// that read an overwritten variable are computed in the same graph. Either everything happens or, when an Error is thrown, nothing: variables
// keep their values, and the pending assignments are discarded.
EvaluationReport evaluate(std::initializer_list<Tensor> tensors, std::source_location where = std::source_location::current());
EvaluationReport evaluate(const std::vector<Tensor>& tensors, std::source_location where = std::source_location::current());
// The report of the last evaluation of this thread, whatever triggered it. Kernels' lines are left out for item() and the like.
[[nodiscard]] const EvaluationReport& last_report();

// The cache of compiled graphs, shared by all threads and bounded.
struct CacheStatistics {
  std::uint64_t hits = 0, misses = 0, evictions = 0;
  std::size_t entries = 0;
};
[[nodiscard]] CacheStatistics cache_statistics();
void clear_cache();
// The largest number of compiled graphs kept (256 at first). Throws Error for 0.
void set_cache_capacity(std::size_t entries, std::source_location where = std::source_location::current());

}  // namespace cotan
