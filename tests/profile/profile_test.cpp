// Profiles as values: what they count is what the compiler reports and what the clock allows.
#include <cotan/cotan.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "training/models.h"

namespace cotan {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const ProfileOptions quick{.repetitions = 4, .warm_up = 1};

Tensor numbers(const Shape& shape) {
  Tensor x = uniform(shape, {.low = -1});
  evaluate({x});
  return x;
}

// What must hold of every side, whatever was run.
void expect_sound(const ProfiledSide& side) {
  EXPECT_EQ(side.kernels, static_cast<int>(side.kernel_list.size()));
  EXPECT_GT(side.time_us, 0);
  EXPECT_LE(side.min_us, side.time_us);
  EXPECT_LE(side.run_us, 1.5 * side.time_us + 1000);
  double flops = 0, bytes = 0;
  std::vector<std::int64_t> chunks(side.kernel_list.size());
  for (const ProfiledKernel& k : side.kernel_list) {
    flops += k.flops;
    bytes += k.bytes;
    EXPECT_LE(k.min_us, k.time_us) << k.name;
    EXPECT_GE(k.of_roof, 0) << k.name;
    for (int n : k.nodes) EXPECT_LT(n, static_cast<int>(side.graph.nodes.size())) << k.name;
  }
  EXPECT_EQ(flops, side.flops);
  EXPECT_EQ(bytes, side.bytes);
  std::set<int> workers;
  for (const ProfiledChunk& c : side.timeline) {
    ++chunks[static_cast<std::size_t>(c.kernel)];
    EXPECT_GE(c.start_us, 0);
    EXPECT_GE(c.end_us, c.start_us);
    workers.insert(c.worker);
  }
  EXPECT_LE(static_cast<int>(workers.size()), threads());
  for (std::size_t k = 0; k < chunks.size(); ++k) EXPECT_EQ(chunks[k], side.kernel_list[k].chunks) << "every chunk is seen once: " << side.kernel_list[k].name;
  for (std::size_t n = 0; n < side.graph.nodes.size(); ++n)
    for (int operand : side.graph.nodes[n].operands) EXPECT_LT(operand, static_cast<int>(n));
}

TEST(Profile, SeesAChainFusedIntoOneKernelAndUnfusedAsSeveral) {
  const Tensor x = numbers({64, 32}), y = numbers({64, 32});
  int runs = 0;
  int line = 0;
  const Profile p = profile(
      [&](const std::vector<Tensor>& in) {
        ++runs;
        line = __LINE__ + 1;
        return tanh(in[0] * in[1]) + in[0];
      },
      {x, y}, {.name = "chain", .repetitions = 4, .warm_up = 1});
  EXPECT_EQ(p.name, "chain");
  EXPECT_EQ(p.repetitions, 4);
  EXPECT_EQ(runs, 2 * (1 + 1 + 2 * 4));
  expect_sound(p.fused);
  expect_sound(p.unfused);
  EXPECT_EQ(p.fused.kernels, 1);
  EXPECT_EQ(p.unfused.kernels, 3);
  EXPECT_EQ(p.fused.bytes, 3 * 64 * 32 * 4);
  EXPECT_EQ(p.unfused.bytes, (3 + 2 + 3) * 64 * 32 * 4);
  EXPECT_NEAR(p.fused.peak_bytes, 64 * 32 * 4, 1024) << "the result, and what the kernel works in";
  ASSERT_EQ(p.fused.kernel_list.size(), 1U);
  const ProfiledKernel& k = p.fused.kernel_list[0];
  EXPECT_EQ(k.bound == Bound::none, false);
  EXPECT_EQ(k.nodes.size(), 3U);
  ASSERT_FALSE(k.lines.empty());
  EXPECT_EQ(k.lines[0].text(), fmt::format("profile_test.cpp:{}", line));
  EXPECT_GT(p.ratio, 0);
}

TEST(Profile, DrawsTheGraphBeforeAndAfter) {
  const Tensor x = numbers({8, 4}), w = numbers({4, 3});
  const Profile p = profile([&] { return softmax(relu(matmul(x, w)), {.dim = 1}); }, {}, quick);
  std::vector<std::string> kinds, types;
  for (const ProfiledNode& n : p.recorded.nodes) {
    kinds.push_back(n.kind);
    types.push_back(n.type);
    if (n.kind == "data" || n.kind == "parameter") {
      EXPECT_EQ(n.kernel, -1);
    } else {
      EXPECT_THAT(n.lines, Not(IsEmpty())) << n.text;
      EXPECT_GE(n.kernel, 0) << n.text;
      EXPECT_LT(n.kernel, p.unfused.kernels);
    }
  }
  EXPECT_THAT(kinds, Contains("call"));
  EXPECT_THAT(types, Contains("f32[8,3]"));
  EXPECT_TRUE(p.recorded.nodes.back().result);
  std::set<int> grouped;
  for (const ProfiledGroup& g : p.fused.graph.groups)
    for (int n : g.nodes) EXPECT_TRUE(grouped.insert(n).second) << "in two groups: " << p.fused.graph.nodes[static_cast<std::size_t>(n)].text;
  EXPECT_FALSE(grouped.empty());
}

TEST(Profile, TakesATrainingStepWithItsAssignments) {
  const training::Model model = training::model("c1").make();
  const Profile p = profile([&] { return model.step(); }, {}, quick);
  expect_sound(p.fused);
  expect_sound(p.unfused);
  EXPECT_EQ(p.fused.evaluations, 1);
  EXPECT_LT(p.fused.kernels, p.unfused.kernels);
  EXPECT_LT(p.fused.bytes, p.unfused.bytes);
  std::vector<std::string> passes;
  for (const ProfiledPass& pass : p.fused.passes) passes.push_back(pass.name);
  EXPECT_THAT(passes, Contains("fuse_kernels"));
  for (const ProfiledPass& pass : p.unfused.passes) EXPECT_THAT(pass.name, Not(HasSubstr("fuse_")));
}

TEST(Profile, CountsSeveralEvaluationsOfOneRun) {
  const Tensor x = numbers({16});
  const Profile p = profile(
      [&] {
        const Tensor y = exp(x);
        evaluate({y});
        evaluate({sin(x), cos(x)});
      },
      {}, quick);
  EXPECT_EQ(p.fused.evaluations, 2);
  EXPECT_EQ(p.fused.kernels, 2);
  EXPECT_EQ(p.unfused.kernels, 3);
  EXPECT_EQ(p.fused.kernel_list[1].evaluation, 1);
  EXPECT_EQ(p.fused.graph_evaluation, 1) << "the graph is the largest one's";
  expect_sound(p.unfused);
}

TEST(Profile, LooksIntoCompiledFunctions) {
  const Tensor x = numbers({64, 32}), y = numbers({64, 32});
  int calls = 0;
  const int line = __LINE__ + 3;
  const auto body = [&](const Tensor& a, const Tensor& b) {
    ++calls;
    return tanh(a * b) + a;
  };
  const auto f = compile(body);
  const Profile p = profile(f, {x, y}, quick);
  expect_sound(p.fused);
  expect_sound(p.unfused);
  EXPECT_EQ(p.fused.kernels, 1);
  EXPECT_EQ(p.unfused.kernels, 3);
  EXPECT_EQ(calls, 1);
  ASSERT_EQ(p.fused.kernel_list.size(), 1U);
  EXPECT_THAT(p.fused.kernel_list[0].lines, Contains(::testing::Property(&ProfiledLine::text, fmt::format("profile_test.cpp:{}", line))));
  EXPECT_EQ(p.fused.kernel_list[0].bytes, profile(body, {x, y}, quick).fused.kernel_list[0].bytes);

  const Variable w("w", numbers({32, 8}));
  optim::SGD sgd({w}, {.lr = 0.01});
  const auto step = compile([&](const Tensor& a) {
    const Tensor loss = mean(square(matmul(a, w)));
    loss.backward();
    sgd.step();
    return loss;
  });
  const auto loop = [&] { return step(x) + step(y); };
  const Profile q = profile(loop, {}, quick);
  expect_sound(q.fused);
  EXPECT_EQ(q.fused.evaluations, 3);
  EXPECT_GT(q.unfused.kernels, q.fused.kernels);
  EXPECT_EQ(w.version(), 2U * 2 * (1 + 1 + 2 * 4));
}

TEST(Profile, LeavesTheThreadsOptionsAsTheyWere) {
  ExecutionOptions mine;
  mine.reproducible = true;
  const ExecutionOptions before = set_execution_options(mine);
  const Tensor x = numbers({4});
  static_cast<void>(profile([&] { return exp(x); }, {}, quick));
  EXPECT_THROW(static_cast<void>(profile([&]() -> Tensor { throw std::runtime_error("mine"); }, {}, quick)), std::runtime_error);
  const ExecutionOptions after = set_execution_options(before);
  EXPECT_TRUE(after.reproducible);
  EXPECT_EQ(after.observer, nullptr);
  EXPECT_EQ(after.passes, mine.passes);
}

TEST(Profile, RefusesWhatItCannotMeasure) {
  const auto message = [](auto&& f) {
    try {
      f();
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message([] { static_cast<void>(profile([] {}, {}, quick)); }), HasSubstr("profile: the function evaluates nothing"));
  EXPECT_THAT(message([] { static_cast<void>(profile([] { return zeros({2}); }, {}, {.repetitions = 2})); }), HasSubstr("at least 3 repetitions"));
  EXPECT_THAT(message([] { static_cast<void>(profile(ProfiledFunction())); }), HasSubstr("an empty function"));
  const Tensor x = numbers({4});
  int run = 0;
  EXPECT_THAT(message([&] {
                static_cast<void>(profile([&] { return ++run % 3 == 0 ? exp(matmul(numbers({4, 4}), x)) : exp(x); }, {}, quick));
              }),
              HasSubstr("other graphs"));
}

TEST(Machine, HasFiguresOnTheScaleOfAMachine) {
  const Machine& m = measured_machine();
  EXPECT_EQ(m.threads, threads());
  EXPECT_GT(m.gflops, 0.5);
  EXPECT_LT(m.gflops, 1e5);
  EXPECT_GT(m.memory_gbs, 0.1);
  EXPECT_LT(m.memory_gbs, 1e4);
  EXPECT_GT(m.cache_gbs, m.memory_gbs / 4);
  EXPECT_GT(m.cache_bytes, 0);
  EXPECT_EQ(&m, &measured_machine()) << "measured once";
}

}  // namespace
}  // namespace cotan
