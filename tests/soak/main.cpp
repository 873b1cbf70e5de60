// cotan_soak: checks that fused programs, unfused programs and the reference agree on many random graphs: small ones over all rows, values and gradients, and
// ones that cross the compiler's thresholds. Ends with 1 where one fails, and says its seed.
#include <CLI/CLI.hpp>
#include <chrono>

#include "graph/target.h"
#include "graph/fusion/fusion.h"
#include "graph/passes/pass.h"
#include "graph/text/text.h"
#include "tests/soak/children.h"
#include "tests/support/crossing_checks.h"
#include "tests/support/program_checks.h"
#include "tests/support/tally.h"

namespace {

using namespace cotan;
using namespace cotan::testing;

// What was found in all children.
struct Found {
  std::uint64_t undecided = 0;
  std::set<std::uint64_t> failed;
  std::set<std::string> rows;
  Tally tally;

  void take(char kind, const std::string& text) {
    if (kind == 'U') ++undecided;
    if (kind == 'R') rows.insert(text);
    if (kind == 'T') tally.add_line(text);
    if (kind != 'F' && kind != 'X') return;
    if (text.starts_with("seed ")) failed.insert(std::stoull(text.substr(5)));
    fmt::print("{}\n", text);
    std::fflush(stdout);
  }
};

// Which instructions a child's generated code has: those that the processor has, in half of them; none, and AVX2, in a quarter each.
std::string instructions_of(std::uint64_t seed) {
  const std::uint64_t kind = seed / soak::seeds_of_child % 4;
  if (kind == 1) return "0";
  return kind == 3 && best_instructions() >= InstructionSet::avx2 ? "avx2" : "";
}

void choose_instructions(std::uint64_t seed) {
  const std::string chosen = instructions_of(seed);
  if (!chosen.empty()) setenv("COTAN_JIT", chosen.c_str(), 1);
}

// `check` with what it throws as a failure.
void guarded(std::uint64_t seed, const soak::Report& report, const std::function<Failures()>& check) {
  Failures failures;
  try {
    failures = check();
  } catch (const std::exception& e) {
    failures = {fmt::format("seed {}: {}", seed, e.what())};
  }
  const std::string instructions = instructions_of(seed);
  const std::string with = instructions.empty() ? "" : fmt::format(" (COTAN_JIT={})", instructions);
  for (std::size_t i = 0; i < failures.size() && i < 4; ++i) report.line('F', i == 0 ? failures[i] + with : "    " + failures[i]);
}

soak::ChildWork small_graphs() {
  auto* rows = new std::set<std::string>;
  return {choose_instructions,
          [rows](std::uint64_t seed, const soak::Report& report) {
            guarded(seed, report, [&] {
              int undecided = 0;
              Failures failures = check_random_graph(seed, *rows, undecided);
              if (undecided > 0) report.line('U', "");
              return failures;
            });
          },
          [rows](const soak::Report& report) {
            for (const std::string& row : *rows) report.line('R', row);
          }};
}

soak::ChildWork crossing_graphs(const std::vector<std::string>& off) {
  return {choose_instructions,
          [off](std::uint64_t seed, const soak::Report& report) {
            guarded(seed, report, [&] {
              const CrossingGraph g = crossing_graph(seed);
              Comparison c = compare_crossing(g, seed, off);
              if (c.undecided) report.line('U', "");
              if (!c.failures.empty()) return c.failures;
              CompileOptions options;
              options.threads = seed % 2 == 0 ? 1 : 7;
              options.updates = g.updates;
              for (const std::string& name : off) options.passes = options.passes.with(name, false);
              Tally tally;
              count_graph(g.function, options, tally);
              for (const std::string& line : tally.lines()) report.line('T', line);
              return c.failures;
            });
          },
          [](const soak::Report&) {}};
}

Found run(std::string_view what, const soak::Share& share, const soak::ChildWork& work) {
  Found found;
  const auto start = std::chrono::steady_clock::now();
  if (share.count > 0) soak::in_children(share, work, [&](char kind, const std::string& text) { found.take(kind, text); });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{} {} graphs from seed {}: {} failed, {} undecided by rounding, {:.0f} s\n", share.count, what, share.first, found.failed.size(), found.undecided,
             seconds);
  return found;
}

// Which passes and fusions a failing graph is right without, each by itself; "kernels" where there is none.
std::string culprits_of(std::uint64_t seed, const std::vector<std::string>& without) {
  std::vector<std::string> names;
  const auto right_without = [&](std::string_view name) {
    bool right = true;
    std::vector<std::string> off = without;
    off.emplace_back(name);
    soak::in_children({seed, 1, 1}, crossing_graphs(off), [&](char kind, const std::string&) { right &= kind != 'F' && kind != 'X'; });
    if (right) names.emplace_back(name);
  };
  for (const Pass& p : pipeline())
    if (!p.needed && p.on) right_without(p.name);
  for (const Fusion& f : fusions()) right_without(f.name);
  return names.empty() ? "kernels" : fmt::format("{}", fmt::join(names, " or "));
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t graphs = 18000, crossing = 2000, first = 0, shown = 0;
  bool culprits = false;
  std::vector<std::string> without;
  soak::Share share;
  CLI::App app{"Checks random graphs: gradients against tangents; fused, unfused and reference against each other."};
  app.add_option("--graphs", graphs, "how many small ones over all operations")->capture_default_str();
  app.add_option("--crossing", crossing, "how many that cross the compiler's thresholds")->capture_default_str();
  app.add_option("--first", first, "the seed of the first one; the others count on")->capture_default_str();
  app.add_option("--jobs", share.jobs, "processes at a time")->capture_default_str();
  app.add_flag("--culprits", culprits, "name, for each failing threshold-crossing graph, the passes without which it is right");
  app.add_option("--without", without, "passes and fusions that are off in threshold-crossing graphs")->delimiter(',');
  auto* show = app.add_option("--show", shown, "prints the threshold-crossing graph of this seed, and runs nothing");
  CLI11_PARSE(app, argc, argv);
  if (show->count() > 0) {
    const CrossingGraph g = crossing_graph(shown);
    fmt::print("# {}{}{}\n{}", fmt::join(g.blocks, ", "), g.exact ? "; exact" : "", g.nonfinite ? "; not finite" : "", to_text(g.function));
    return 0;
  }

  share.first = first;
  share.count = graphs;
  const Found small = run("small", share, small_graphs());
  share.count = crossing;
  const Found large = run("threshold-crossing", share, crossing_graphs(without));
  std::vector<std::string> missing;
  if (crossing > 0) fmt::print("{}", large.tally.text());
  if (crossing >= 2000) missing = large.tally.missing();
  for (const std::string& m : missing) fmt::print("{}\n", m);
  if (culprits)
    for (const std::uint64_t seed : large.failed) fmt::print("seed {}: {}\n", seed, culprits_of(seed, without));
  fmt::print("rows that did not occur: {}\n", missing_rows(small.rows).size());
  // Rounding decides now and then, not often.
  const bool too_many = small.undecided > 1 + graphs / 1000 || large.undecided > 2 + crossing / 20;
  return small.failed.empty() && large.failed.empty() && missing.empty() && !too_many ? 0 : 1;
}
