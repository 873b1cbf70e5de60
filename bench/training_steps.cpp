// What fusion gains on whole training steps: fused against unfused, interleaved, as medians.
//
//     training_steps [model,...] [seconds each]
//
// Prints for each model of training/models.h the median time of a step, the kernels, the bytes they read and write and the peak of intermediates, both ways,
// and the ratio of the times: the median over pairs of neighbouring steps.
#include <cotan/cotan.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "training/models.h"

namespace cotan {
namespace {

void measure(const training::ModelEntry& entry, double seconds, bool list) {
  const training::Model model = entry.make();
  const Profile p = profile([&] { return model.step(); }, {}, {.name = std::string(entry.name), .repetitions = 1'000'000, .seconds = seconds});
  const auto side = [](const ProfiledSide& s) {
    return fmt::format("{:9.1f} us {:4} kernels {:8.2f} MB  peak {:7.2f} MB", s.time_us, s.kernels, s.bytes / 1e6, s.peak_bytes / 1e6);
  };
  fmt::print("{:12} unfused {} | fused {} | ratio {:.3f}\n", entry.name, side(p.unfused), side(p.fused), p.ratio);
  if (list) fmt::print("{}\n", table(p, {.kernels = 1000, .misses = 1000}));
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
