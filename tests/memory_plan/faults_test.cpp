// Nothing reads memory out of turn: random programs with poisoned memory, and faults planted in plans.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/random.h"
#include "backends/memory/poison.h"
#include "tests/memory_plan/plans.h"
#include "tests/support/program_checks.h"

namespace cotan {
namespace {

Plan lowered(const Function& f, int threads) {
  CompileOptions options;
  options.threads = threads;
  options.passes = PassSwitches("-fuse_regions");  // many small steps
  Plan plan = lower(f, topological(f.results), options);
  schedule(plan, options);
  return plan;
}

Function with_gradients(std::uint64_t seed) {
  testing::Random random(seed);
  const testing::RandomGraph g = testing::random_graph(seed, {.nodes = static_cast<int>(random.integer(10, 60))});
  return testing::with_gradients(g.inputs, g.function.results, random);
}

TEST(ReleasedMemory, IsReadByNoStepOfRandomPrograms) {
  memory::set_poison(true);
  std::set<std::string> rows;
  int undecided = 0;
  for (std::uint64_t seed = 5000; seed < 5200; ++seed) EXPECT_THAT(testing::check_random_graph(seed, rows, undecided), ::testing::IsEmpty());
  EXPECT_LE(undecided, 3);
  memory::set_poison(false);
}

TEST(ReleasedMemory, IsReadByNoStepOfTrainingSteps) {
  auto losses = [](bool poisoned) {
    memory::set_poison(poisoned);
    set_reproducible(true);
    std::vector<float> values;
    for (const char* name : {"c1", "transformer"}) {
      manual_seed(3);
      const training::Model model = training::model(name).make();
      for (int i = 0; i < 2; ++i) values.push_back(model.step().item());
    }
    set_reproducible(false);
    memory::set_poison(false);
    return values;
  };
  EXPECT_EQ(losses(true), losses(false));
}

// ---- faults

bool passes(const Plan& plan) {
  try {
    verify_plan(plan);
    return true;
  } catch (const InternalError&) {
    return false;
  }
}

std::size_t at(int i) { return static_cast<std::size_t>(i); }
bool in_use(const Buffer& b) { return in_arena(b.kind) && b.bytes > 0 && b.first_phase >= 0; }

// Calls fault(plan, i, j) with a fresh copy of the plan for pairs of its buffers or steps; where it says that it did something, the plan must not pass. Returns
// how often that was.
template <class Fault>
int plant(const Plan& good, std::size_t count, const char* what, Fault&& fault) {
  int planted = 0;
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < count; ++j) {
      Plan bad = good;
      if (i == j || !fault(bad, i, j)) continue;
      ++planted;
      EXPECT_FALSE(passes(bad)) << what << " at " << i << ", " << j;
    }
  return planted;
}

TEST(VerifyPlan, FindsPlantedFaults) {
  int overlaps = 0, early = 0, reused = 0, forgotten = 0, scratch = 0;
  for (std::uint64_t seed = 40; seed < 60; ++seed) {
    const Plan good = lowered(with_gradients(seed), 3);
    ASSERT_TRUE(passes(good));
    // A buffer moved onto another one that lives at the same time.
    overlaps += plant(good, good.buffers.size(), "overlap", [](Plan& p, std::size_t i, std::size_t j) {
      Buffer &a = p.buffers[i], &b = p.buffers[j];
      if (!in_use(a) || !in_use(b) || a.last_phase < b.first_phase || b.last_phase < a.first_phase) return false;
      a.offset = b.offset;
      p.arena_bytes = std::max(p.arena_bytes, a.offset + a.bytes);
      return true;
    });
    // A step moved into the phase of one that it waits for.
    early += plant(good, good.steps.size(), "early", [](Plan& p, std::size_t i, std::size_t j) {
      const std::vector<int>& after = p.steps[i].after;
      if (std::find(after.begin(), after.end(), static_cast<int>(j)) == after.end()) return false;
      std::erase(p.phases[at(p.steps[i].phase)], static_cast<int>(i));
      p.steps[i].phase = p.steps[j].phase;
      p.phases[at(p.steps[i].phase)].push_back(static_cast<int>(i));
      return true;
    });
    // A step that also reads what ended before.
    reused += plant(good, good.steps.size(), "read of another value", [](Plan& p, std::size_t i, std::size_t j) {
      if (p.steps[i].inputs == 0 || p.steps[j].phase >= p.steps[i].phase || p.steps[j].slots.size() == at(p.steps[j].inputs)) return false;
      const int b = p.steps[j].slots.back().buffer;
      if (p.buffers[at(b)].kind != BufferKind::arena || p.buffers[at(b)].last_phase >= p.steps[i].phase) return false;
      p.steps[i].slots[0].buffer = b;
      return true;
    });
    // A step that does not wait for the writer of what it reads.
    forgotten += plant(good, good.steps.size(), "no waiting", [](Plan& p, std::size_t i, std::size_t j) {
      const Slot* read = nullptr;
      for (std::size_t k = 0; k < at(p.steps[i].inputs); ++k)
        for (std::size_t w = at(p.steps[j].inputs); w < p.steps[j].slots.size(); ++w)
          if (p.steps[i].slots[k].buffer == p.steps[j].slots[w].buffer) read = &p.steps[i].slots[k];
      if (read == nullptr || p.steps[j].phase >= p.steps[i].phase) return false;
      for (const Step& s : p.steps)  // another writer in between is what it waits for
        for (std::size_t w = at(s.inputs); w < s.slots.size(); ++w)
          if (s.slots[w].buffer == read->buffer && s.phase > p.steps[j].phase && s.phase < p.steps[i].phase) return false;
      return std::erase(p.steps[i].after, static_cast<int>(j)) > 0;
    });
    for (const int b : good.scratch_buffers) {
      if (b < 0) continue;
      Plan bad = good;
      bad.buffers[at(b)].bytes = 0;
      ++scratch;
      EXPECT_FALSE(passes(bad)) << "no room to work in";
    }
  }
  for (const int planted : {overlaps, early, reused, forgotten, scratch}) EXPECT_GT(planted, 20);
}

TEST(VerifyPlan, FindsStepsThatRunTwiceOrNeverAndMemoryOutside) {
  const Plan good = lowered(with_gradients(41), 3);
  for (std::size_t p = 0; p < good.phases.size(); ++p) {
    Plan twice = good, never = good;
    twice.phases[p].push_back(good.phases[p][0]);
    never.phases[p].erase(never.phases[p].begin());
    EXPECT_FALSE(passes(twice));
    EXPECT_FALSE(passes(never));
  }
  Plan outside = good;
  ASSERT_GT(outside.arena_bytes, 0U);
  outside.arena_bytes -= 64;
  EXPECT_FALSE(passes(outside));
}

}  // namespace
}  // namespace cotan
