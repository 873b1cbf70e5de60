// Nothing reads memory out of turn: random programs with poisoned memory, and faults planted in plans.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "autograd/random.h"
#include "backends/memory/poison.h"
#include "graph/passes/explain.h"
#include "graph/text/text.h"
#include "graph/threads.h"
#include "tests/memory_plan/plans.h"
#include "tests/support/program_checks.h"

namespace cotan {
namespace {

Plan lowered(const Function& f, int threads, std::string_view passes) {
  CompileOptions options;
  options.threads = threads;
  options.passes = PassSwitches(passes);
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

// How many faults of each kind were planted.
struct Planted {
  int overlaps = 0, early = 0, reused = 0, forgotten = 0, scratch = 0, overwritten = 0, late_checks = 0;
};

// The plan's step i in the phase of step j.
void move_to(Plan& p, std::size_t i, std::size_t j) {
  std::erase(p.phases[at(p.steps[i].phase)], static_cast<int>(i));
  p.steps[i].phase = p.steps[j].phase;
  p.phases[at(p.steps[i].phase)].push_back(static_cast<int>(i));
}

// Whether the step writes a parameter's memory, which the other one reads.
bool writes_over(const Plan& p, std::size_t writer, std::size_t reader) {
  const Step &w = p.steps[writer], &r = p.steps[reader];
  for (std::size_t o = at(w.inputs); o < w.slots.size(); ++o)
    for (std::size_t k = 0; k < at(r.inputs); ++k)
      if (w.slots[o].buffer == r.slots[k].buffer && p.buffers[at(w.slots[o].buffer)].kind == BufferKind::parameter) return true;
  return false;
}

void plant_all(const Plan& good, Planted& planted) {
  ASSERT_TRUE(passes(good));
  // A buffer moved onto another one that lives at the same time.
  planted.overlaps += plant(good, good.buffers.size(), "overlap", [](Plan& p, std::size_t i, std::size_t j) {
    Buffer &a = p.buffers[i], &b = p.buffers[j];
    if (!in_use(a) || !in_use(b) || a.last_phase < b.first_phase || b.last_phase < a.first_phase) return false;
    a.offset = b.offset;
    p.arena_bytes = std::max(p.arena_bytes, a.offset + a.bytes);
    return true;
  });
  // A step moved into the phase of one that it waits for.
  planted.early += plant(good, good.steps.size(), "early", [](Plan& p, std::size_t i, std::size_t j) {
    const std::vector<int>& after = p.steps[i].after;
    if (std::find(after.begin(), after.end(), static_cast<int>(j)) == after.end()) return false;
    move_to(p, i, j);
    return true;
  });
  // A step that also reads what ended before.
  planted.reused += plant(good, good.steps.size(), "read of another value", [](Plan& p, std::size_t i, std::size_t j) {
    if (p.steps[i].inputs == 0 || p.steps[j].phase >= p.steps[i].phase || p.steps[j].slots.size() == at(p.steps[j].inputs)) return false;
    const int b = p.steps[j].slots.back().buffer;
    if (p.buffers[at(b)].kind != BufferKind::arena || p.buffers[at(b)].last_phase >= p.steps[i].phase) return false;
    p.steps[i].slots[0].buffer = b;
    return true;
  });
  // A step that does not wait for the writer of what it reads.
  planted.forgotten += plant(good, good.steps.size(), "no waiting", [](Plan& p, std::size_t i, std::size_t j) {
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
  // An update in place beside a reader of the old value, for which it does not wait.
  planted.overwritten += plant(good, good.steps.size(), "written while it is read", [](Plan& p, std::size_t i, std::size_t j) {
    if (!writes_over(p, i, j) || p.steps[j].phase >= p.steps[i].phase) return false;
    std::erase(p.steps[i].after, static_cast<int>(j));
    move_to(p, i, j);
    return true;
  });
  // A check beside an update in place, for which nobody waits.
  planted.late_checks += plant(good, good.steps.size(), "check after the update", [](Plan& p, std::size_t i, std::size_t j) {
    if (!p.steps[i].is_check || !writes_over(p, j, j)) return false;
    for (Step& s : p.steps) std::erase(s.after, static_cast<int>(i));
    move_to(p, i, j);
    return true;
  });
  // No room to work in, and too little for each of those who work there at once.
  for (const int b : good.scratch_buffers) {
    if (b < 0) continue;
    const std::size_t bytes = good.buffers[at(b)].bytes, less = arena_alignment * at(good.workers);
    for (const std::size_t room : {std::size_t{0}, bytes - std::min(bytes, less)}) {
      Plan bad = good;
      bad.buffers[at(b)].bytes = room;
      ++planted.scratch;
      EXPECT_FALSE(passes(bad)) << room << " bytes to work in instead of " << bytes;
    }
  }
}

// How many of the plan's steps have such a name.
std::int64_t count_steps(const Plan& plan, std::string_view what) {
  return std::ranges::count_if(plan.steps, [&](const Step& s) { return s.kernel->name().find(what) != std::string::npos; });
}

TEST(VerifyPlan, FindsFaultsPlantedInPlansOfSmallSteps) {
  Planted p;
  for (std::uint64_t seed = 40; seed < 60; ++seed) plant_all(lowered(with_gradients(seed), 3, "-fuse_regions"), p);
  for (const int planted : {p.overlaps, p.early, p.reused, p.forgotten, p.scratch}) EXPECT_GT(planted, 20);
}

TEST(VerifyPlan, FindsFaultsPlantedInFusedPlans) {
  Planted p;
  std::int64_t regions = 0;
  for (std::uint64_t seed = 60; seed < 120; ++seed) {
    const Plan plan = lowered(with_gradients(seed), 3, "");
    regions += count_steps(plan, "region of");
    plant_all(plan, p);
  }
  EXPECT_GT(regions, 20);
  for (const int planted : {p.overlaps, p.early, p.reused, p.forgotten, p.scratch}) EXPECT_GT(planted, 20);
}

// Regions, the pieces of updates, weights that are written in place, checks of labels.
TEST(VerifyPlan, FindsFaultsPlantedInPlansOfTrainingSteps) {
  set_threads(3);
  testing::PlanOfEvaluation planned;
  ExecutionOptions options;
  options.observer = &planned;
  const ExecutionOptions before = set_execution_options(options);
  Planted p;
  for (const char* name : {"c1", "mlp", "cnn", "transformer"}) {
    const training::Model model = training::model(name).make();
    planned.plans.clear();
    evaluate({model.step()});
    ASSERT_EQ(planned.plans.size(), 1U);
    EXPECT_GT(count_steps(planned.plans[0], "region of"), 2) << name;
    EXPECT_GT(count_steps(planned.plans[0], "updates: "), 0) << name;
    plant_all(planned.plans[0], p);
  }
  set_execution_options(before);
  set_threads(0);
  for (const int planted : {p.overlaps, p.early, p.reused, p.forgotten, p.scratch, p.overwritten}) EXPECT_GT(planted, 20);
  EXPECT_GT(p.late_checks, 5);
}

// What a region runs tile by tile: a plan of its own, one step a phase.
TEST(VerifyPlan, FindsFaultsPlantedInPlansOfTiles) {
  CompileOptions options;
  options.passes = PassSwitches("-fuse_regions");
  std::vector<Function> tiles{parse_function(R"(func attention(q: f32[2,64,32], k: f32[2,64,32], v: f32[2,64,32]) {
        %0: f32[2,64,64][i,j,l] = q[i,j,p] * k[i,l,p]
        %1: f32[2,64][i,j] = max %0[i,j,p]
        %2: f32[2,64,64][i,j,l] = %1[i,j]
        %3: f32[2,64,64] = { exp(%0 - %2) }
        %4: f32[2,64][i,j] = %3[i,j,p]
        %5: f32[2,64,64][i,j,l] = %4[i,j]
        %6: f32[2,64,64] = div(%3, %5)
        %7: f32[2,64,32][i,j,l] = %6[i,j,p] * v[i,p,l]
        return y=%7, p=%6
      })"),
                              parse_function(R"(func images(x: f32[3,3,16,16], k: f32[8,3,3,3], b: f32[8], q: f32[16,8,3,3]) {
        %0: f32[3,8,16,16][i,j,l,m] = k[j,p,q,r] * x[i,p,l+q-1,m+r-1]
        %1: f32[3,8,16,16][i,j,l,m] = b[j]
        %2: f32[3,8,16,16] = add(%0, %1)
        %3: f32[3,8,16,16] = relu(%2)
        %4: f32[3,8,8,8][i,j,l,m] = max %3[i,j,2*l+p,2*m+q]; p<2, q<2
        %5: f32[3,16,8,8][i,j,l,m] = q[j,p,r,s] * %4[i,p,l+r-1,m+s-1]
        %6: f32[3,16,8,8] = relu(%5)
        return y=%6
      })")};
  for (std::uint64_t seed = 120; seed < 130; ++seed) {
    const Function f = with_gradients(seed);
    tiles.push_back(explain(f, topological(f.results), options).function);  // after the passes, as a region's nodes are
  }
  Planted p;
  for (const Function& f : tiles) {
    std::vector<View> views;
    for (const Ref& r : f.parameters) views.push_back(View::dense(r.dtype(), r.shape()));
    const Plan plan = lower_tile(f, {}, views, options);
    for (const auto& phase : plan.phases) EXPECT_EQ(phase.size(), 1U);
    plant_all(plan, p);
  }
  for (const int planted : {p.overlaps, p.early, p.reused, p.forgotten, p.scratch}) EXPECT_GT(planted, 20);
}

TEST(VerifyPlan, FindsStepsThatRunTwiceOrNeverAndMemoryOutside) {
  for (const char* switches : {"-fuse_regions", ""}) {
    const Plan good = lowered(with_gradients(41), 3, switches);
    for (std::size_t p = 0; p < good.phases.size(); ++p) {
      Plan twice = good, never = good;
      twice.phases[p].push_back(good.phases[p][0]);
      never.phases[p].erase(never.phases[p].begin());
      EXPECT_FALSE(passes(twice));
      EXPECT_FALSE(passes(never));
    }
    Plan outside = good;
    ASSERT_GT(outside.arena_bytes, 0U);
    outside.arena_bytes -= arena_alignment;
    EXPECT_FALSE(passes(outside));
  }
}

}  // namespace
}  // namespace cotan
