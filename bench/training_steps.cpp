// What fusion gains on whole training steps: fused against unfused, interleaved, as medians.
//
//     training_steps [model,...] [seconds each]
//
// Prints for each model of training/models.h the median time of a step, the kernels, the bytes they read and write and the peak of intermediates, both ways,
// and the ratio of the times: the median over pairs of neighbouring steps.
#include <cotan/cotan.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include "training/models.h"

namespace cotan {
namespace {

using Clock = std::chrono::steady_clock;

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

struct Side {
  PassSwitches passes;
  std::vector<double> times;
  std::size_t kernels = 0, temporary = 0;
  double bytes = 0, flops = 0;

  double step(const training::Model& model) {
    ExecutionOptions options;
    options.passes = passes;
    set_execution_options(options);
    const auto start = Clock::now();
    model.step();
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  void describe(bool all) {
    const EvaluationReport& r = last_report();
    kernels = r.kernels.size();
    temporary = r.temporary_bytes;
    bytes = flops = 0;
    for (const auto& k : r.kernels) {
      bytes += k.bytes;
      flops += k.flops;
      if (all) fmt::print("    {:3} {:5} chunks {:9.1f} KB {:9.2f} MFLOP  {}\n", k.phase, k.chunks, k.bytes / 1e3, k.flops / 1e6, k.name);
    }
    if (all)
      for (const auto& m : r.misses) fmt::print("    miss {} {}: {}: {}\n", m.what, m.line.text(), name_of(m.reason.code), m.reason.detail);
  }
};

void measure(const training::ModelEntry& entry, double seconds, bool list) {
  const training::Model model = entry.make();
  Side fused{standard_passes(), {}}, unfused{without_fusion(), {}};
  for (Side* side : {&unfused, &fused}) {
    side->step(model);
    side->step(model);
    if (list) fmt::print("  {}\n", side == &fused ? "fused" : "unfused");
    side->describe(list);
  }
  std::vector<double> ratios;
  const auto start = Clock::now();
  while (std::chrono::duration<double>(Clock::now() - start).count() < seconds || ratios.size() < 5) {
    unfused.times.push_back(unfused.step(model));
    fused.times.push_back(fused.step(model));
    ratios.push_back(unfused.times.back() / fused.times.back());
  }
  fmt::print("{:12} unfused {:9.1f} us {:4} kernels {:8.2f} MB  peak {:7.2f} MB | fused {:9.1f} us {:4} kernels {:8.2f} MB  peak {:7.2f} MB | ratio {:.3f}\n",
             entry.name, median(unfused.times) * 1e6, unfused.kernels, unfused.bytes / 1e6, static_cast<double>(unfused.temporary) / 1e6,
             median(fused.times) * 1e6, fused.kernels, fused.bytes / 1e6, static_cast<double>(fused.temporary) / 1e6, median(ratios));
  std::fflush(stdout);
}

}  // namespace
}  // namespace cotan

int main(int argc, char** argv) {
  using namespace cotan;
  const std::string names = argc > 1 ? argv[1] : "all";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 2;
  try {
    for (const training::ModelEntry& m : training::models())
      if (names == "all" || ("," + names + ",").find("," + std::string(m.name) + ",") != std::string::npos) measure(m, seconds, argc > 3);
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
