#include "tests/support/crossing_checks.h"

#include "graph/fusion/fusion.h"
#include "graph/passes/pass.h"

namespace cotan::testing {
namespace {

// Each pass and fusion that may be off, on or off.
PassSwitches some_passes(Random& random) {
  PassSwitches passes;
  const double on = random.uniform(0.2, 0.9);
  for (const Pass& p : pipeline())
    if (!p.needed && p.on) passes = passes.with(p.name, random.chance(on));
  for (const Fusion& f : fusions()) passes = passes.with(f.name, random.chance(on));
  if (random.chance(0.3)) passes = passes.with("inline_calls", random.chance(0.5));
  return passes;
}

std::vector<Way> ways_of(const std::vector<Update>& updates, std::uint64_t seed) {
  std::vector<Way> ways;
  const auto add = [&](const std::string& name, int threads, const PassSwitches& passes, bool reproducible) {
    CompileOptions o;
    o.threads = threads;
    o.passes = passes;
    o.updates = updates;
    o.backends.reproducible = reproducible;
    ways.push_back({fmt::format("{}, {} threads", name, threads), o});
  };
  Random random(seed ^ 0x50AEull);
  add("fused", 1, {}, false);
  add("fused", 7, {}, false);
  add("unfused", seed % 2 == 0 ? 1 : 7, without_fusion(), false);
  if (seed % 2 == 0) {
    const PassSwitches passes = some_passes(random);
    add(fmt::format("passes {}", passes.text()), seed % 4 == 0 ? 1 : 7, passes, false);
  }
  if (seed % 4 == 1)
    for (const int threads : {1, 7}) add("reproducible", threads, {}, true);
  return ways;
}

}  // namespace

Comparison compare_crossing(const CrossingGraph& g, std::uint64_t seed, std::span<const std::string> off) {
  std::vector<Way> ways = ways_of(g.updates, seed);
  for (Way& way : ways)
    for (const std::string& name : off) way.options.passes = way.options.passes.with(name, false);
  Comparison c = compare_ways(g.function, g.inputs.arrays(), ways);
  for (const std::string& refusal : g.refusals) c.failures.push_back(fmt::format("refused: {}", refusal));
  for (std::string& failure : c.failures) failure = fmt::format("seed {}: {} [{}]", seed, failure, fmt::join(g.blocks, ", "));
  return c;
}

}  // namespace cotan::testing
