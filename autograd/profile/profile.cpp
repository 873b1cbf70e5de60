#include "autograd/profile/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "autograd/profile/measured.h"
#include "autograd/profile/options.h"
#include "autograd/tape.h"
#include "graph/threads.h"
#include "ops/error.h"

namespace cotan {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int most_watched = 200;  // runs of which the chunks are kept

// The site is open for the message alone: while it is, all that the function records would carry the line of the call of profile().
[[noreturn]] void refuse(const SourceLine& where, std::string problem, std::string remedy) {
  const CallSite site("profile", where);
  fail(std::move(problem), std::move(remedy));
}

// One of fused and unfused.
class Side {
 public:
  Side(const ProfiledFunction& f, const std::vector<Tensor>& inputs, const ExecutionOptions& options, const SourceLine& where)
      : f_(f), inputs_(inputs), options_(options), where_(where), watcher_(threads()) {}

  // Runs the function; the time is kept.
  double timed() {
    const ScopedOptions scoped(options_);
    const auto start = Clock::now();
    run();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    return seconds.back();
  }

  // Runs the function and looks inside. With `describe` that is what the other runs are compared with; otherwise the chunks are kept.
  void watched(bool describe) {
    ExecutionOptions watching = options_;
    watching.observer = &watcher_;
    const ScopedOptions scoped(watching);
    watcher_.start(describe);
    run();
    std::vector<SeenChunk> chunks = watcher_.finish();
    if (describe) {
      expected_ = watcher_.kernels();
      return;
    }
    if (watcher_.kernels() != expected_)
      refuse(where_, "the function evaluates other graphs in one run than in another",
             "Profile something that does the same in every run, or raise ProfileOptions::warm_up");
    runs.push_back(std::move(chunks));
  }

  [[nodiscard]] const std::vector<SeenEvaluation>& seen() const { return watcher_.seen(); }

  std::vector<double> seconds;
  std::vector<std::vector<SeenChunk>> runs;

 private:
  void run() {
    const std::vector<Tensor> wanted = f_(inputs_);
    if (!wanted.empty()) evaluate_for("profile", wanted, where_);
  }

  const ProfiledFunction& f_;
  const std::vector<Tensor>& inputs_;
  ExecutionOptions options_;
  SourceLine where_;
  Watcher watcher_;
  std::vector<std::size_t> expected_;
};

}  // namespace

std::string ProfiledLine::text() const { return line == 0 ? "" : fmt::format("{}:{}", file.substr(file.find_last_of('/') + 1), line); }

Profile profile(const ProfiledFunction& f, const std::vector<Tensor>& inputs, const ProfileOptions& options, std::source_location where) {
  if (!f) refuse(where, "an empty function", "Give a callable");
  if (options.repetitions < 3 || options.warm_up < 0 || !(options.seconds >= 0))
    refuse(where, fmt::format("{} repetitions, {} runs to warm up, {} seconds", options.repetitions, options.warm_up, options.seconds),
           "Ask for at least 3 repetitions, and no negative numbers");

  Profile p;
  p.name = options.name;
  p.machine = measured_machine();
  ExecutionOptions fused_options = present_options(), unfused_options = fused_options;
  fused_options.mode = unfused_options.mode = ExecutionMode::compiled;
  unfused_options.passes = unfused_passes(fused_options.passes);
  Side fused(f, inputs, fused_options, where), unfused(f, inputs, unfused_options, where);
  for (Side* side : {&unfused, &fused}) {
    for (int i = 0; i < options.warm_up; ++i) side->timed();
    side->watched(true);
    side->seconds.clear();
    if (side->seen().empty())
      refuse(where, "the function evaluates nothing",
             "Return the tensors that are to be computed, or evaluate in the function");
  }

  std::vector<double> ratios;
  const auto start = Clock::now();
  while (p.repetitions < options.repetitions && (p.repetitions < 3 || std::chrono::duration<double>(Clock::now() - start).count() < options.seconds)) {
    const double without = unfused.timed(), with = fused.timed();
    ratios.push_back(without / with);
    if (p.repetitions < most_watched) {
      unfused.watched(false);
      fused.watched(false);
    }
    ++p.repetitions;
  }

  p.ratio = spread_of(ratios).median;
  p.unfused = side_of(unfused.seen(), unfused.runs, unfused.seconds, p.machine);
  p.fused = side_of(fused.seen(), fused.runs, fused.seconds, p.machine);
  for (const SeenEvaluation& e : fused.seen())
    for (const MissReport& m : e.report.misses)
      p.misses.push_back({m.what, std::string(name_of(m.reason.code)), m.reason.detail, e.recorded.lines[static_cast<std::size_t>(m.node)]});

  const SeenEvaluation& largest = unfused.seen()[largest_of(unfused.seen())];
  p.recorded = graph_before(largest.recorded);
  const std::vector<int> place = places_of(largest.recorded);
  std::vector<std::vector<int>> places;
  for (const KernelReport& k : largest.report.kernels) {
    places.emplace_back();
    for (int n : k.nodes) places.back().push_back(place[static_cast<std::size_t>(n)]);
  }
  assign_kernels(p.unfused.kernel_list, static_cast<std::size_t>(p.unfused.graph_first_kernel), places, p.recorded);
  return p;
}

}  // namespace cotan
