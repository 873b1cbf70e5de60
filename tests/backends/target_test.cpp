// Programs for described machines: what is compiled follows the description, and runs here where this machine has the instructions.
#include "graph/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "graph/plan.h"
#include "graph/text/text.h"
#include "tests/support/machines.h"
#include "tests/support/program_checks.h"

namespace cotan::testing {
namespace {

using ::testing::HasSubstr;

TEST(InstructionSets, AreTheBestOneUnlessTheEnvironmentNamesAnother) {
  using enum InstructionSet;
  EXPECT_EQ(instructions_by("", avx512), avx512);
  EXPECT_EQ(instructions_by("", none), none);
  EXPECT_EQ(instructions_by("0", avx512), none);
  EXPECT_EQ(instructions_by("avx2", avx512), avx2);
  EXPECT_EQ(instructions_by("avx512", avx512), avx512);
  for (const auto& [setting, best] : {std::pair("avx512", avx2), {"avx2", none}, {"none", avx512}, {"yes", avx512}})
    EXPECT_THROW((void)instructions_by(setting, best), Error) << setting;
}

// Held to what the system says of its processors.
TEST(InstructionSets, AreWhatTheProcessorHas) {
  std::set<std::string> flags;
  std::ifstream processors("/proc/cpuinfo");
  for (std::string line; flags.empty() && std::getline(processors, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word;) flags.insert(word);
  }
  const auto all = [&](std::initializer_list<const char*> names) { return std::ranges::all_of(names, [&](const char* n) { return flags.contains(n); }); };
  const bool avx2 = all({"avx2", "fma"}), avx512 = avx2 && all({"avx512f", "avx512bw", "avx512dq", "avx512vl", "bmi2"});
  EXPECT_EQ(best_instructions(), avx512 ? InstructionSet::avx512 : avx2 ? InstructionSet::avx2 : InstructionSet::none);
  EXPECT_LE(this_machine().instructions, best_instructions());
  EXPECT_GT(this_machine().second_cache, 0);
}

// Loops, sums behind them, a constant that is computed when the program is made, a product with what follows it.
Function example() {
  return parse_function(R"(func f(x: f32[96,128], w: f32[128,40], b: f32[40]) {
    %0: f32[96,40][i,j] = x[i,p] * w[p,j]
    %1: f32[96,40][i,j] = b[j]
    %2: f32[96,40] = add(%0, %1)
    %3: f32[96,40] = tanh(%2)
    %4: f32[40] = iota() {axis=0}
    %5: f32[40] = sin(%4)
    %6: f32[96,40][i,j] = %5[j]
    %7: f32[96,40] = mul(%3, %6)
    %8: f32[96][i] = %7[i,p]
    return %7, %8
  })");
}

std::vector<reference::Array> numbers_for(const Function& f) { return rounded(random_inputs(f, 1)); }

TEST(Target, IsThisMachineUnlessOneIsHandedIn) {
  const CompileOptions usual;
  EXPECT_EQ(usual.backends.target, this_machine());
  for (const DescribedMachine& m : described_machines) {
    CompileOptions other;
    other.backends.target = m.target;
    EXPECT_EQ(other == usual, m.target == this_machine()) << "options of another machine compile otherwise: " << m.target.text();
  }
}

TEST(Target, NamesTheKernelsWhateverThisMachineHas) {
  const Function f = parse_function("func f(x: f32[2000]) { %0: f32[2000] = tanh(x) return %0 }");
  on_each_machine([&](const CompileOptions& here) {
    const auto program = compile_program(f, topological(f.results), here);
    EXPECT_EQ(program->report().kernels.at(0).name, here.backends.target.instructions == InstructionSet::none ? "loops map tanh" : "jit map tanh");
  });
}

// Machines that differ in nothing but their caches: the larger one has larger tiles, and fewer.
TEST(Target, SaysHowLargeTilesAre) {
  const Function f = parse_function(R"(func f(x: f32[65536,256]) {
    %0: f32[65536][i] = max x[i,p]
    %1: f32[65536,256][i,j] = %0[i]
    %2: f32[65536,256] = sub(x, %1)
    return %2
  })");
  std::vector<std::int64_t> tiles;
  for (const std::int64_t cache : {std::int64_t{256} << 10, std::int64_t{1} << 20, std::int64_t{4} << 20}) {
    CompileOptions options;
    options.backends.target = {InstructionSet::avx2, cache};
    const auto program = compile_program(f, topological(f.results), options);
    ASSERT_EQ(program->report().kernels.size(), 1U);
    const std::string& name = program->report().kernels[0].name;  // "region of 2 nodes, 2 kernels, 64 tiles"
    ASSERT_TRUE(name.starts_with("region of ") && name.ends_with(" tiles")) << name;
    tiles.push_back(std::stoll(name.substr(name.rfind(", ") + 2)));
  }
  EXPECT_TRUE(tiles[0] > tiles[1] && tiles[1] > tiles[2]) << fmt::format("{}", fmt::join(tiles, ", "));
}

// The plan can be looked at on any machine; whether it runs depends on the instructions.
TEST(Target, RunsHereOrIsRefused) {
  const Function f = example();
  const auto inputs = numbers_for(f);
  const auto want = reference::evaluate(f, inputs, {.exact = true});
  on_each_machine([&](const CompileOptions& here) {
    EXPECT_FALSE(compile_program(f, topological(f.results), here)->report().kernels.empty());
    if (here.backends.target.instructions <= this_machine().instructions) {
      EXPECT_TRUE(none(compare_results("compiled", run_compiled(f, inputs, here), want, 1e-5)));
      return;
    }
    try {
      (void)run_compiled(f, inputs, here);
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_THAT(e.problem(), HasSubstr(std::string(name_of(here.backends.target.instructions)) + " instructions"));
      EXPECT_THAT(e.problem(), HasSubstr(std::string(name_of(this_machine().instructions))));
    }
  });
}

// What is computed when a program is made is no reason for another plan where it cannot be.
TEST(Target, HasOnePlanHereAndElsewhere) {
  const Function f = example();
  std::set<std::string> plans;
  for (const InstructionSet set : {InstructionSet::avx2, InstructionSet::avx512}) {
    CompileOptions options;
    options.backends.target = {set, 1 << 20};
    std::string text;
    const auto program = compile_program(f, topological(f.results), options);
    for (const KernelReport& k : program->report().kernels) text += k.name + "\n";
    plans.insert(text);
  }
  EXPECT_EQ(plans.size(), 1U) << fmt::format("{}", fmt::join(plans, "\n"));
}

}  // namespace
}  // namespace cotan::testing
