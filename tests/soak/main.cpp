// cotan_soak: checks that fused programs, unfused programs and the reference agree on many random graphs over all rows, values and gradients. Ends with 1
// where one fails, and says its seed.
#include <CLI/CLI.hpp>
#include <chrono>

#include "tests/support/program_checks.h"

int main(int argc, char** argv) {
  using namespace cotan::testing;
  std::uint64_t graphs = 20000, first = 0;
  CLI::App app{"Checks random graphs over all operations: gradients against tangents; fused, unfused and reference against each other."};
  app.add_option("--graphs", graphs, "how many")->capture_default_str();
  app.add_option("--first", first, "the seed of the first one; the others count on")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::set<std::string> rows;
  std::uint64_t failed = 0;
  int undecided = 0;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < graphs; ++i) {
    Failures failures;
    try {
      failures = check_random_graph(first + i, rows, undecided);
    } catch (const std::exception& e) {
      failures = {fmt::format("seed {}: {}", first + i, e.what())};
    }
    failed += !failures.empty();
    for (const std::string& failure : failures) fmt::print(stderr, "{}\n", failure);
    if ((i + 1) % 1000 == 0) {
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      fmt::print("{} graphs, {} failed, {:.0f} s\n", i + 1, failed, seconds);
      std::fflush(stdout);
    }
  }
  const bool too_many = static_cast<std::uint64_t>(undecided) > 1 + graphs / 1000;  // rounding decides now and then, not often
  fmt::print("{} graphs from seed {}: {} failed, {} undecided by rounding; rows that did not occur: {}\n", graphs, first, failed, undecided,
             missing_rows(rows).size());
  return failed == 0 && !too_many ? 0 : 1;
}
