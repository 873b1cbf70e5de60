// What fusion gains on whole training steps: fused against unfused, interleaved, as medians.
//
//     training_steps [model,...] [seconds each]
//     training_steps --long MODEL [steps]
//     training_steps --serve
//
// Prints for each model of training/models.h the median time of a step, the kernels, the bytes they read and write and the peak of intermediates, both ways,
// and the ratio of the times: the median over pairs of neighbouring steps.
//
// --long runs one model for 3,000 steps, or so many, compiled, and prints the median time of a step in each tenth of them, and the last tenth's as a multiple of
// the first's: a step costs the same however long a run lasts, also where averages and dead units have decayed to nothing. MODEL may end in _adam or _sgd, which
// takes the place of its optimizer; --keep-subnormals shows what programs cost that keep numbers below the smallest normal one.
//
// --serve is for peers/compare.py: each line of standard input, "MODEL SIDE SECONDS" with the side fused or unfused, is answered by one line of JSON with the
// median and the least time of a step, its processor time, the number of steps, kernels and bytes, and the peak of memory of one step beside what lives between
// steps, as the pool of buffers counts it. MODEL is as for --long.
#include <cotan/cotan.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backends/memory/pool.h"
#include "training/models.h"

namespace cotan {
namespace {

void measure(const training::ModelEntry& entry, double seconds, bool list) {
  const training::Model model = entry.make();
  const Profile p = profile(model.compiled(), model.inputs, {.name = std::string(entry.name), .repetitions = 1'000'000, .seconds = seconds});
  const auto side = [](const ProfiledSide& s) {
    return fmt::format("{:9.1f} us {:4} kernels {:8.2f} MB  peak {:7.2f} MB", s.time_us, s.kernels, s.bytes / 1e6, s.peak_bytes / 1e6);
  };
  fmt::print("{:12} unfused {} | fused {} | ratio {:.3f}\n", entry.name, side(p.unfused), side(p.fused), p.ratio);
  if (list) fmt::print("{}\n", table(p, {.kernels = 1000, .misses = 1000}));
  std::fflush(stdout);
}

// The model of that name, or with _sgd or _adam behind it.
training::Model make(std::string name) {
  const bool sgd = name.ends_with("_sgd"), adam = name.ends_with("_adam");
  if (sgd || adam) name.resize(name.rfind('_'));
  training::Model model = training::model(name).make();
  if (sgd) model.optimizer = std::make_shared<optim::SGD>(model.optimizer->parameters(), optim::SGDOptions{.lr = 0.01});
  if (adam) model.optimizer = std::make_shared<optim::Adam>(model.optimizer->parameters(), optim::AdamOptions{.lr = 1e-3});
  return model;
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// A whole run, by tenths.
void run_long(const std::string& name, std::size_t steps) {
  using Clock = std::chrono::steady_clock;
  const training::Model model = make(name);
  const auto step = model.compiled();
  for (int i = 0; i < 20; ++i) static_cast<void>(step(model.inputs));
  std::vector<double> medians;
  for (std::size_t tenth = 0; tenth < 10; ++tenth) {
    std::vector<double> times;
    while (times.size() < std::max<std::size_t>(1, steps / 10)) {
      const auto start = Clock::now();
      static_cast<void>(step(model.inputs));
      times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
    medians.push_back(median(std::move(times)));
    fmt::print("{:12} steps {:6} to {:6}: {:9.1f} us\n", name, tenth * steps / 10, (tenth + 1) * steps / 10, medians.back() * 1e6);
  }
  fmt::print("{:12} last/first {:.2f}\n", name, medians.back() / medians.front());
}

// One slice of steps of one side.
nlohmann::json answer(const training::Model& model, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); };
  model.step();
  double bytes = 0;
  for (const auto& kernel : last_report().kernels) bytes += kernel.bytes;
  const std::size_t kernels = last_report().kernels.size(), temporary = last_report().temporary_bytes;

  memory::pool().reset_peak();
  const std::size_t before = memory::pool().statistics().live;
  model.step();
  const std::size_t peak = memory::pool().statistics().peak - before;

  std::vector<double> times;
  const std::clock_t busy = std::clock();
  const auto begin = Clock::now();
  while (since(begin) < seconds || times.size() < 5) {
    const auto start = Clock::now();
    model.step();
    times.push_back(since(start));
  }
  const double cpu = static_cast<double>(std::clock() - busy) / CLOCKS_PER_SEC / static_cast<double>(times.size());
  return {{"time_us", median(times) * 1e6},
          {"min_us", *std::min_element(times.begin(), times.end()) * 1e6},
          {"cpu_us", cpu * 1e6},
          {"steps", times.size()},
          {"kernels", kernels},
          {"bytes", bytes},
          {"temporary_bytes", temporary},
          {"peak_bytes", peak}};
}

void serve() {
  std::map<std::string, training::Model> models;
  std::string name, side;
  for (double seconds = 0; std::cin >> name >> side >> seconds;) {
    if (side != "fused" && side != "unfused") fail(fmt::format("no side '{}'", side), "There are fused and unfused");
    if (!models.contains(name)) models.emplace(name, make(name));
    ExecutionOptions options;
    options.passes = side == "fused" ? standard_passes() : without_fusion();
    set_execution_options(options);
    std::cout << answer(models.at(name), seconds).dump() << std::endl;
  }
}

}  // namespace
}  // namespace cotan

int main(int argc, char** argv) {
  using namespace cotan;
  const std::string names = argc > 1 ? argv[1] : "all";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 2;
  try {
    if (names == "--serve") {
      serve();
      return 0;
    }
    if (names == "--long") {
      if (argc < 3) fail("no model is named", "Write training_steps --long MODEL [steps] [--keep-subnormals]");
      const std::string last = argv[argc - 1];
      if (last == "--keep-subnormals") set_flush_subnormals(false);
      const long asked = argc > 3 ? std::atol(argv[3]) : 0;
      run_long(argv[2], static_cast<std::size_t>(asked > 0 ? asked : 3000));
      return 0;
    }
    for (const training::ModelEntry& m : training::models())
      if (names == "all" || ("," + names + ",").find("," + std::string(m.name) + ",") != std::string::npos) measure(m, seconds, argc > 3);
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
