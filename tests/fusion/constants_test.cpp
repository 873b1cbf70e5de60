// What is computed once, when the program is made: numbers in the graph, other constants in the plan.
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/passes/explain.h"
#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

CompileOptions with_passes(const char* switches) {
  CompileOptions options;
  options.passes = PassSwitches(switches);
  return options;
}

std::string after_folding(const char* text) {
  const Function f = parse_function(text);
  return to_text(explain(f, topological(f.results), with_passes("-all,+fold_constants")).function);
}

std::vector<std::string> kernels(const Function& f, const char* switches) {
  const auto program = compile_program(f, topological(f.results), with_passes(switches));
  std::vector<std::string> names;
  for (const KernelReport& k : program->report().kernels) names.push_back(k.name);
  return names;
}

TEST(Constants, OfOneNumberBecomeIt) {
  EXPECT_EQ(after_folding(R"(func f(x: f32[3,4]) {
  %0: f32[3,4] = { 1 }
  %1: f32[3][i] = 0.5 * %0[i,p]
  %2: f32[3,4][i,j] = %1[i]
  %3: f32[3,4] = mul(x, %2)
  return y=%3
})"),
            R"(func f(x: f32[3,4]) {
  %0: f32[3,4] = { 2 }
  %1: f32[3,4] = mul(x, %0)
  return y=%1
}
)");
}

// Sums of nothing but conditions: how often a window meets the tensor is no number where it stands over the edge, and one inside.
TEST(Constants, OfSeveralNumbersStayInTheGraph) {
  const char* text = R"(func f(x: f32[6]) {
  %0: f32[6][i] = 1; 0<=i+p-1<6, p<3
  %1: f32[4][i] = %0[i+1]
  %2: f32[4] = { log(%1) }
  %3: f32[6] = div(x, %0)
  return y=%3, z=%2
})";
  const std::string after = after_folding(text);
  EXPECT_NE(after.find("div(x, %0)"), std::string::npos) << after;
  EXPECT_EQ(after.find("log"), std::string::npos) << after;
  EXPECT_NE(after.find("f32[4] = { 1.09"), std::string::npos) << after;
  expect_right(parse_function(text));
}

TEST(Constants, OfSeveralNumbersAreNoStepsOfTheProgram) {
  const Function f = parse_function(R"(func f(x: f32[6]) {
  %0: f32[6] = iota() {axis=0}
  %1: f32[6] = sin(%0)
  %2: f32[6,6][i,j] = %1[i] * %0[j]
  %3: i32[6] = iota() {axis=0}
  %4: i32[6] = check(%3) {below=6, what="position"}
  %5: f32[6][i] = %2[i,p] * x[%4[p]]
  return y=%5
})");
  EXPECT_EQ(kernels(f, "").size(), 1U);
  EXPECT_GE(kernels(f, "-fold_constants").size(), 4U);
  expect_right(f);
}

TEST(Constants, ThatAreHandedOutAreMadeAtEachRun) {
  const Function f = parse_function("func f() { %0: f32[6] = iota() {axis=0} return y=%0 }");
  const auto program = compile_program(f, topological(f.results), {});
  const StorageRef first = program->run({})[0];
  static_cast<float*>(first->data())[1] = 7;
  EXPECT_EQ(static_cast<const float*>(program->run({})[0]->data())[1], 1);
}

TEST(Constants, ChecksThatFailDoSoAtEachRun) {
  const Function f = parse_function(R"(func f(x: f32[6]) {
  %0: i32[6] = iota() {axis=0}
  %1: i32[6] = check(%0) {below=5, what="position"}
  %2: f32[6][i] = x[%1[i]]
  return y=%2
})");
  const auto program = compile_program(f, topological(f.results), {});
  InputValue in;
  in.storage = allocate(6 * sizeof(float));
  for (int turn = 0; turn < 2; ++turn) EXPECT_THROW((void)program->run(std::span(&in, 1)), CheckFailed);
}

TEST(Constants, AreNeitherLargeNorBehindBarriers) {
  const Function large = parse_function("func f(x: f32[40000]) { %0: f32[40000] = iota() {axis=0} %1: f32[40000] = mul(x, %0) return y=%1 }");
  const std::vector<std::string> names = kernels(large, "");
  EXPECT_EQ(std::count(names.begin(), names.end(), "loops iota"), 1);
  const char* text = R"(func f(x: f32[6]) {
  %0: f32[6] = { 2 }
  %1: f32[6] = barrier(%0, x)
  %2: f32[6] = exp(%1)
  return y=%2
}
)";
  EXPECT_EQ(after_folding(text), text);
}

}  // namespace
}  // namespace cotan::testing
