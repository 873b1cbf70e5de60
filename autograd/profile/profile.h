// A profile: where the time of a piece of program goes, fused beside unfused, and what was not fused and why.
//
//   const Profile p = profile([&] { model.step(); }, {}, {.name = "my model"});
//   fmt::print("{}", table(p));
//   write_page(p, "profile.html");          // everything, as one page for a browser
//
// The function is run many times, fused and unfused in turn, so that what disturbs the machine disturbs both. A training step trains while it is profiled. What
// the function returns is evaluated; evaluations inside it count as well, and so do calls of functions that compile() made, which may be what is profiled. The
// thread's other execution options hold.
//
// The value holds numbers and text only: it outlives tensors and graphs. Printers are in autograd/profile/report.h.
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "autograd/evaluate.h"
#include "autograd/function.h"
#include "autograd/tensor.h"
#include "graph/machine.h"

namespace cotan {

// How a profile is taken.
struct ProfileOptions {
  std::string name = "profile";  // stands above the reports
  int repetitions = 30;          // of each of fused and unfused, timed without looking inside; as many again, up to 200, are looked into
  int warm_up = 3;               // runs of each before: the first compiles
  double seconds = 3;            // stop repeating after about so long; at least three repetitions are made
};

// Where something in the user's program stands.
struct ProfiledLine {
  std::string file;
  int line = 0;  // 0: unknown
  // "file.cpp:12", without folders; "" where unknown.
  [[nodiscard]] std::string text() const;
  bool operator==(const ProfiledLine&) const = default;
};

// What bounds a kernel at best.
enum class Bound : std::uint8_t { none, compute, memory };

// One kernel of a side. Times are in microseconds: medians, the least, and the spread over the repetitions, which is the distance between the quartiles.
struct ProfiledKernel {
  std::string name;         // what ran: "oneDNN matmul brg:avx512_core"
  int evaluation = 0;       // of the function's evaluations, which one
  std::int64_t phase = 0;   // kernels of one phase of an evaluation run at the same time
  std::int64_t chunks = 0;  // parts that workers take
  double time_us = 0;       // from the start of its first chunk to the end of its last one
  double min_us = 0;        // the least of that
  double spread_us = 0;     // and its spread
  double work_us = 0;       // its chunks' times added up, over all workers
  double flops = 0;         // operations
  double bytes = 0;         // that it must read and write
  double gflops = 0;        // 10^9 operations a second, by time_us
  double gbs = 0;           // 10^9 bytes a second
  // What would bound it at best; none where it neither computes nor moves anything.
  Bound bound = Bound::none;
  // The least time that the machine's figures allow, divided by time_us.
  double of_roof = 0;
  // Nodes that it computes: in the side's graph, where that is of its evaluation.
  std::vector<int> nodes;
  // The user's lines that it computes, each once.
  std::vector<ProfiledLine> lines;
  // The kernels that it consists of, tile by tile or one behind the other.
  std::vector<std::string> parts;
};

// One chunk of one run, for timelines.
struct ProfiledChunk {
  int kernel = 0;  // in kernel_list
  int worker = 0;
  double start_us = 0;  // after the first chunk's start
  double end_us = 0;    // likewise
};

// A node of a graph as it is drawn.
struct ProfiledNode {
  std::string name;           // "%3", "x"
  std::string kind;           // "map", "sum", "parameter", ...
  std::string type;           // "f32[64,128]"
  std::string text;           // what stands on the right of its statement
  std::vector<int> operands;  // nodes of the same graph
  std::vector<ProfiledLine> lines;
  int kernel = -1;  // that computes it, in kernel_list; -1: none does, as for views and parameters
  bool result = false;
};

// Nodes that one kernel computes, as the compiler groups them.
struct ProfiledGroup {
  std::string name;  // the fusion's, or the backend's
  bool fused = false;
  std::vector<int> nodes;
};

// A graph: before the passes, or after them.
struct ProfiledGraph {
  std::vector<ProfiledNode> nodes;    // operands before readers
  std::vector<ProfiledGroup> groups;  // after the passes only
};

// A pass or a fusion that ran.
struct ProfiledPass {
  std::string name;
  bool changed = false;
  double time_us = 0;
};

// One way of running the function.
struct ProfiledSide {
  double time_us = 0;                       // of a whole run: recording, looking up and computing
  double min_us = 0;                        // the least of that
  double spread_us = 0;                     // and its spread
  double run_us = 0;                        // of it, the kernels, from the first chunk to the last; median of the runs looked into
  int kernels = 0;                          // how many
  int evaluations = 0;                      // of one run
  std::int64_t phases = 0;                  // of all evaluations
  double bytes = 0;                         // of all kernels
  double flops = 0;                         // of all kernels
  double peak_bytes = 0;                    // intermediates and new results; the most of any evaluation
  int graph_evaluation = 0;                 // the largest evaluation, which `graph` and `passes` are of
  int graph_first_kernel = 0;               // where its kernels begin in kernel_list
  ProfiledGraph graph;                      // after the passes
  std::vector<ProfiledPass> passes;         // in order
  std::vector<ProfiledKernel> kernel_list;  // in the order of the plan, evaluation by evaluation
  std::vector<ProfiledChunk> timeline;      // of the run whose run time was the median
};

// Something that was not fused or not done otherwise as hoped, and why, in the fused run.
struct ProfiledMiss {
  std::string what;    // the fusion or backend: "fuse_kernels", "oneDNN", "view", "in place"
  std::string reason;  // of the closed list: "several_readers"
  std::string detail;
  ProfiledLine line;
};

// What profile() found out.
struct Profile {
  std::string name;
  Machine machine;
  int repetitions = 0;  // that were made of each side
  ProfiledSide fused, unfused;
  double ratio = 0;  // unfused to fused: the median over pairs of neighbouring runs
  std::vector<ProfiledMiss> misses;
  ProfiledGraph recorded;  // the largest evaluation before the passes; its nodes' kernels are those of `unfused`
};

// What is profiled: is given the inputs and returns what is to be evaluated, if anything.
using ProfiledFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

// Profiles a function; how it is run is said above. Throws Error for options out of range, a function that evaluates nothing, and what the function throws.
[[nodiscard]] Profile profile(const ProfiledFunction& f, const std::vector<Tensor>& inputs = {}, const ProfileOptions& options = {},
                              std::source_location where = std::source_location::current());

// What can be profiled beside that: a callable that takes the inputs, as a list or one by one, or nothing.
template <class F>
concept Profilable = !std::same_as<F, ProfiledFunction> && (functions::OfTensors<const F> || std::invocable<const F&>);

// Such a callable as a ProfiledFunction. It may return what a function of tensors may (autograd/function.h).
template <class F>
  requires Profilable<std::remove_cvref_t<F>>
[[nodiscard]] ProfiledFunction profiled_function(F&& f) {
  return [f = std::forward<F>(f)](const std::vector<Tensor>& inputs) {
    if constexpr (functions::OfTensors<const std::remove_cvref_t<F>>)
      return functions::as_list(f)(inputs);
    else
      return functions::listed(f);
  };
}
template <class F>
  requires Profilable<std::remove_cvref_t<F>>
[[nodiscard]] Profile profile(F&& f, const std::vector<Tensor>& inputs = {}, const ProfileOptions& options = {},
                              std::source_location where = std::source_location::current()) {
  return profile(profiled_function(std::forward<F>(f)), inputs, options, where);
}

}  // namespace cotan
