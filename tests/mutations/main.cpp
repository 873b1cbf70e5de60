// cotan_mutations: mutates texts of graphs, and holds each one that still parses to what a legal graph is held to
// (tests/support/mutations.h). Ends with 1 where one fails, and prints its seed and its text. A crash prints the seed as well.
#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>

#include <unistd.h>

#include "tests/support/mutations.h"

namespace {

volatile std::uint64_t current_seed = 0;

// Nothing here may allocate.
void tell_seed(int signal) {
  char digits[24];
  int n = 0;
  for (std::uint64_t s = current_seed; s > 0 || n == 0; s /= 10) digits[n++] = static_cast<char>('0' + s % 10);
  const char prefix[] = "crashed at seed ";
  ssize_t written = write(2, prefix, sizeof prefix - 1);
  while (n > 0) written += write(2, &digits[--n], 1);
  written += write(2, "\n", 1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace cotan::testing;
  std::uint64_t wanted = 200000, first = 0;
  std::string docs = COTAN_SOURCE_DIR "/docs", file, passes;
  bool print = false;
  double slow = 5;
  CLI::App app{"Checks mutated texts: errors or legal graphs, which compile and compute what the reference computes."};
  app.add_option("--texts", wanted, "how many that parse")->capture_default_str();
  app.add_option("--first", first, "the seed of the first one; the others count on")->capture_default_str();
  app.add_option("--slow", slow, "seconds that no text may take")->capture_default_str();
  app.add_option("--passes", passes, "passes and fusions that are switched, as cotan opt takes them");
  app.add_flag("--print", print, "prints the text of the first seed, and stops");
  app.add_option("--file", file, "checks this text alone");
  CLI11_PARSE(app, argc, argv);
  setenv("COTAN_VERIFY", "1", 1);

  if (!file.empty()) {
    std::ifstream in(file);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    const MutationOutcome outcome = check_text(text, first, passes);
    for (const std::string& failure : outcome.failures) fmt::print("{}\n", failure);
    fmt::print("{}\n", !outcome.parsed ? "refused" : outcome.undecided ? "undecided" : outcome.compared ? "compared" : "compiled");
    return outcome.failures.empty() ? 0 : 1;
  }
  const std::vector<std::string> texts = texts_to_mutate(docs);
  if (print) {
    Random random(first);
    fmt::print("{}\n", mutated_text(texts, random));
    return 0;
  }
  for (int signal : {SIGSEGV, SIGFPE, SIGABRT, SIGBUS, SIGILL}) std::signal(signal, tell_seed);
  std::uint64_t parsed = 0, compared = 0, undecided = 0, failed = 0, seed = first;
  const auto start = std::chrono::steady_clock::now();
  const auto since = [](auto then) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count(); };
  const auto cpu = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  for (; parsed < wanted; ++seed) {
    current_seed = seed;
    const double began = cpu();  // a busy machine is not slow
    MutationOutcome outcome = check_mutation(texts, seed, passes);
    if (const double took = cpu() - began; took > slow) outcome.failures.push_back(fmt::format("seed {}: {:.1f} s", seed, took));
    parsed += outcome.parsed;
    compared += outcome.compared;
    undecided += outcome.undecided;
    failed += !outcome.failures.empty();
    for (const std::string& failure : outcome.failures) fmt::print("{}\n", failure);
    if ((seed + 1) % 10000 == 0 || !outcome.failures.empty()) {
      fmt::print("{} texts, {} parsed, {} compared, {} undecided, {} failed, {:.0f} s\n", seed + 1 - first, parsed, compared, undecided, failed, since(start));
      std::fflush(stdout);
    }
  }
  fmt::print("{} texts from seed {} of {}: {} parsed, {} compared with the reference, {} undecided, {} failed\n", seed - first, first, texts.size(), parsed,
             compared, undecided, failed);
  return failed == 0 ? 0 : 1;
}
