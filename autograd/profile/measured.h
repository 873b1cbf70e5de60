// From clock readings to a side of a profile. Internal to autograd/profile.
#pragma once

#include <vector>

#include "autograd/profile/graphs.h"
#include "autograd/profile/observer.h"
#include "autograd/profile/profile.h"

namespace cotan {

// One evaluation of a run, as it was compiled.
struct SeenEvaluation {
  ProgramReport report;
  RecordedFunction recorded;
  CompileOptions options;
};

// A chunk, and the evaluation of the run that it belongs to.
struct SeenChunk {
  int evaluation = 0;
  ChunkTime time;
};

// Looks into the evaluations of this thread. Used for one side at a time.
class Watcher final : public EvaluationObserver, public RunObserver {
 public:
  explicit Watcher(int workers) : by_worker_(static_cast<std::size_t>(workers)) {}

  // A run begins. With `describe`, its evaluations are kept, in place of those there were.
  void start(bool describe);
  // The chunks of the run that ends here, in order of their starts.
  [[nodiscard]] std::vector<SeenChunk> finish();
  // How many evaluations the run has had so far.
  [[nodiscard]] int evaluations() const { return evaluation_ + 1; }
  // Kernels of each evaluation of the run.
  [[nodiscard]] const std::vector<std::size_t>& kernels() const { return kernels_; }
  [[nodiscard]] const std::vector<SeenEvaluation>& seen() const { return seen_; }

  RunObserver* begins(const EvaluationTrace& trace) override;
  void ran(const ChunkTime& chunk) override { by_worker_[static_cast<std::size_t>(chunk.worker)].push_back({evaluation_, chunk}); }

 private:
  bool describe_ = false;
  int evaluation_ = -1;
  std::vector<std::vector<SeenChunk>> by_worker_;
  std::vector<std::size_t> kernels_;
  std::vector<SeenEvaluation> seen_;
};

// The median, the least, and the distance between the quartiles.
struct Spread {
  double median = 0, least = 0, between_quartiles = 0;
};
[[nodiscard]] Spread spread_of(std::vector<double> values);

// A side from what was seen: `seen` are the evaluations of a run, `runs` the chunks of each run that was looked into, `seconds` the times of whole runs.
[[nodiscard]] ProfiledSide side_of(const std::vector<SeenEvaluation>& seen, const std::vector<std::vector<SeenChunk>>& runs, const std::vector<double>& seconds,
                                   const Machine& machine);
// Says in `graph` which kernel computes each node: of those that compute it the one that takes longest. `first` is the
// number of the evaluation's first kernel in the list; `places` gives the nodes of each of its kernels.
void assign_kernels(const std::vector<ProfiledKernel>& kernels, std::size_t first, const std::vector<std::vector<int>>& places, ProfiledGraph& graph);
// The evaluation with the most nodes.
[[nodiscard]] std::size_t largest_of(const std::vector<SeenEvaluation>& seen);

}  // namespace cotan
