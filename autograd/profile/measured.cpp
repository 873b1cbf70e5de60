#include "autograd/profile/measured.h"

#include <algorithm>
#include <limits>

namespace cotan {

void Watcher::start(bool describe) {
  describe_ = describe;
  evaluation_ = -1;
  kernels_.clear();
  if (describe) seen_.clear();
  for (auto& chunks : by_worker_) chunks.clear();
}

RunObserver* Watcher::begins(const EvaluationTrace& trace) {
  ++evaluation_;
  kernels_.push_back(trace.program.report().kernels.size());
  if (describe_) seen_.push_back({trace.program.report(), recorded_function(trace.structure, trace.roots), trace.options});
  return this;
}

std::vector<SeenChunk> Watcher::finish() {
  std::vector<SeenChunk> all;
  for (const auto& chunks : by_worker_) all.insert(all.end(), chunks.begin(), chunks.end());
  std::stable_sort(all.begin(), all.end(), [](const SeenChunk& a, const SeenChunk& b) { return a.time.start < b.time.start; });
  return all;
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](std::size_t quarters) { return values[(values.size() - 1) * quarters / 4]; };
  return {at(2), values.front(), at(3) - at(1)};
}

std::size_t largest_of(const std::vector<SeenEvaluation>& seen) {
  std::size_t largest = 0;
  for (std::size_t e = 1; e < seen.size(); ++e)
    if (seen[e].recorded.images.size() > seen[largest].recorded.images.size()) largest = e;
  return largest;
}

namespace {

// What the clock says of one kernel in one run, in nanoseconds.
struct Reading {
  std::int64_t first = std::numeric_limits<std::int64_t>::max(), last = 0, work = 0;
};

void hold_against(const Machine& machine, ProfiledKernel& k) {
  const double bandwidth = k.bytes <= machine.cache_bytes ? machine.cache_gbs : machine.memory_gbs;
  const double compute_us = k.flops / machine.gflops / 1e3, memory_us = k.bytes / bandwidth / 1e3;
  if (k.time_us <= 0 || (k.flops <= 0 && k.bytes <= 0)) return;
  k.gflops = k.flops / k.time_us / 1e3;
  k.gbs = k.bytes / k.time_us / 1e3;
  k.bound = compute_us > memory_us ? Bound::compute : Bound::memory;
  k.of_roof = std::max(compute_us, memory_us) / k.time_us;
}

}  // namespace

void assign_kernels(const std::vector<ProfiledKernel>& kernels, std::size_t first, const std::vector<std::vector<int>>& places, ProfiledGraph& graph) {
  for (std::size_t k = 0; k < places.size(); ++k)
    for (int n : places[k]) {
      if (n < 0) continue;
      int& now = graph.nodes[static_cast<std::size_t>(n)].kernel;
      if (now < 0 || kernels[static_cast<std::size_t>(now)].time_us < kernels[first + k].time_us) now = static_cast<int>(first + k);
    }
}

ProfiledSide side_of(const std::vector<SeenEvaluation>& seen, const std::vector<std::vector<SeenChunk>>& runs, const std::vector<double>& seconds,
                     const Machine& machine) {
  ProfiledSide side;
  const Spread whole = spread_of(seconds);
  side.time_us = whole.median * 1e6;
  side.min_us = whole.least * 1e6;
  side.spread_us = whole.between_quartiles * 1e6;
  side.evaluations = static_cast<int>(seen.size());

  std::vector<std::size_t> first_kernel;  // of each evaluation
  for (std::size_t e = 0; e < seen.size(); ++e) {
    const SeenEvaluation& evaluation = seen[e];
    first_kernel.push_back(side.kernel_list.size());
    side.phases += evaluation.report.phases;
    side.peak_bytes = std::max(side.peak_bytes, static_cast<double>(evaluation.report.temporary_bytes + evaluation.report.result_bytes));
    for (const KernelReport& r : evaluation.report.kernels) {
      ProfiledKernel k;
      k.name = r.name;
      k.evaluation = static_cast<int>(e);
      k.phase = r.phase;
      k.chunks = r.chunks;
      k.flops = r.flops;
      k.bytes = r.bytes;
      k.nodes = r.places;
      k.parts = r.parts;
      for (int n : r.nodes) add_line(k.lines, evaluation.recorded.lines[static_cast<std::size_t>(n)]);
      side.flops += r.flops;
      side.bytes += r.bytes;
      side.kernel_list.push_back(std::move(k));
    }
  }
  side.kernels = static_cast<int>(side.kernel_list.size());

  std::vector<std::vector<double>> spans(side.kernel_list.size()), works(side.kernel_list.size());
  std::vector<double> lengths;
  for (const std::vector<SeenChunk>& run : runs) {
    std::vector<Reading> readings(side.kernel_list.size());
    std::int64_t end = 0;
    for (const SeenChunk& c : run) {
      Reading& r = readings[first_kernel[static_cast<std::size_t>(c.evaluation)] + static_cast<std::size_t>(c.time.kernel)];
      r.first = std::min(r.first, c.time.start);
      r.last = std::max(r.last, c.time.end);
      r.work += c.time.end - c.time.start;
      end = std::max(end, c.time.end);
    }
    for (std::size_t k = 0; k < readings.size(); ++k) {
      spans[k].push_back(readings[k].last == 0 ? 0 : static_cast<double>(readings[k].last - readings[k].first) / 1e3);
      works[k].push_back(static_cast<double>(readings[k].work) / 1e3);
    }
    lengths.push_back(run.empty() ? 0 : static_cast<double>(end - run.front().time.start) / 1e3);
  }
  for (std::size_t k = 0; k < spans.size(); ++k) {
    ProfiledKernel& kernel = side.kernel_list[k];
    const Spread span = spread_of(spans[k]);
    kernel.time_us = span.median;
    kernel.min_us = span.least;
    kernel.spread_us = span.between_quartiles;
    kernel.work_us = spread_of(works[k]).median;
    hold_against(machine, kernel);
  }

  side.run_us = spread_of(lengths).median;
  const auto shown = std::find(lengths.begin(), lengths.end(), side.run_us);
  if (shown != lengths.end())
    for (const std::vector<SeenChunk>& run = runs[static_cast<std::size_t>(shown - lengths.begin())]; const SeenChunk& c : run)
      side.timeline.push_back({static_cast<int>(first_kernel[static_cast<std::size_t>(c.evaluation)]) + c.time.kernel, c.time.worker,
                               static_cast<double>(c.time.start - run.front().time.start) / 1e3,
                               static_cast<double>(c.time.end - run.front().time.start) / 1e3});

  const std::size_t largest = largest_of(seen);
  const SeenEvaluation& evaluation = seen[largest];
  for (const PassRecord& pass : evaluation.report.passes) side.passes.push_back({pass.name, pass.changed, pass.seconds * 1e6});
  side.graph = graph_after(evaluation.recorded, explain(evaluation.recorded.function, evaluation.recorded.images, evaluation.options));
  side.graph_evaluation = static_cast<int>(largest);
  std::vector<std::vector<int>> places;
  for (const KernelReport& k : evaluation.report.kernels) places.push_back(k.places);
  side.graph_first_kernel = static_cast<int>(first_kernel[largest]);
  assign_kernels(side.kernel_list, first_kernel[largest], places, side.graph);
  return side;
}

}  // namespace cotan
