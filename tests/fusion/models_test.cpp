// What fusion makes of the training steps of the example models (training/models.h): how many kernels, which of them, and why not fewer.
#include "training/models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "autograd/evaluate.h"
#include "graph/executor.h"
#include "graph/threads.h"

namespace cotan::testing {
namespace {

// The reports of one step of a model, fused and unfused, cut for two workers.
struct Steps {
  EvaluationReport fused, unfused;
};

EvaluationReport report_of(std::string_view name, const PassSwitches& passes) {
  ExecutionOptions options;
  options.passes = passes;
  const ExecutionOptions before = set_execution_options(options);
  (void)training::model(name).make().step();
  EvaluationReport report = last_report();
  set_execution_options(before);
  return report;
}

Steps steps_of(std::string_view name) {
  set_threads(2);
  Steps steps{report_of(name, {}), report_of(name, without_fusion())};
  set_threads(0);
  return steps;
}

std::string names(const EvaluationReport& report) {
  std::string all;
  for (const auto& k : report.kernels) all += k.name + "\n";
  return all;
}

int count(const EvaluationReport& report, std::string_view part) {
  return static_cast<int>(std::count_if(report.kernels.begin(), report.kernels.end(), [&](const auto& k) { return k.name.find(part) != std::string::npos; }));
}

// Whether every reason that a fusion gave is one of the list that are about fusion.
void expect_known_reasons(const EvaluationReport& report) {
  const std::set<ReasonCode> about_fusion{ReasonCode::several_readers, ReasonCode::needed_by_gradient,
                                          ReasonCode::broadcast_kind,  ReasonCode::too_long,
                                          ReasonCode::between,         ReasonCode::domain,
                                          ReasonCode::dtype,           ReasonCode::not_recognised,
                                          ReasonCode::layout,          ReasonCode::primitive_refused,
                                          ReasonCode::not_profitable};
  std::set<ReasonCode> given;
  for (const auto& m : report.misses) {
    if (!m.what.starts_with("fuse_")) continue;
    EXPECT_TRUE(about_fusion.contains(m.reason.code)) << m.what << ": " << name_of(m.reason.code);
    given.insert(m.reason.code);
  }
  EXPECT_FALSE(given.empty());
}

double bytes(const EvaluationReport& report) {
  double all = 0;
  for (const auto& k : report.kernels) all += k.bytes;
  return all;
}

// A bias or an activation is part of the product before it or, where that would cost more, of one loop with the other.
void expect_no_kernel_of_a_bias_or_an_activation_alone(const EvaluationReport& report) {
  for (const auto& k : report.kernels)
    for (const char* alone : {"map add", "map relu"}) EXPECT_FALSE(k.name.ends_with(alone)) << k.name << ", of\n" << names(report);
}

TEST(Models, C1) {
  const Steps s = steps_of("c1");
  EXPECT_LE(s.fused.kernels.size(), 13U) << names(s.fused);
  EXPECT_GE(s.unfused.kernels.size(), 2 * s.fused.kernels.size()) << names(s.unfused);
  EXPECT_EQ(count(s.fused, "2 updates: "), 1) << "those of the biases\n" << names(s.fused);
  EXPECT_EQ(count(s.fused, "oneDNN matmul"), 2) << "the path from the first layer's activation to its gradient, two products with it, is one region\n"
                                                << names(s.fused);
  EXPECT_EQ(count(s.fused, "64x784x128, then add, relu"), 1) << names(s.fused);
  EXPECT_EQ(count(s.fused, "region of 15 nodes"), 1) << names(s.fused);
  EXPECT_EQ(count(s.fused, "accumulate"), 1) << "both updates are written by the products that give the gradients\n" << names(s.fused);
  EXPECT_EQ(count(s.fused, "loops matmul 128x64x10, then "), 1) << "the second one by a small product's loops\n" << names(s.fused);
  expect_no_kernel_of_a_bias_or_an_activation_alone(s.fused);
  expect_known_reasons(s.fused);
  EXPECT_LT(bytes(s.fused), 0.8 * bytes(s.unfused));
}

// The misses of the fusion of updates.
std::vector<EvaluationReport::Miss> missed_updates(const EvaluationReport& report) {
  std::vector<EvaluationReport::Miss> found;
  for (const auto& m : report.misses)
    if (m.what == "fuse_updates") found.push_back(m);
  return found;
}

TEST(Models, Mlp) {
  const Steps s = steps_of("mlp");
  EXPECT_LE(s.fused.kernels.size(), 21U) << names(s.fused);
  EXPECT_GE(s.unfused.kernels.size(), 2 * s.fused.kernels.size()) << names(s.unfused);
  EXPECT_EQ(count(s.fused, "4 updates: "), 1) << "all but those of the two large matrices\n" << names(s.fused);
  const auto apart = missed_updates(s.fused);
  ASSERT_EQ(apart.size(), 2U);
  for (const auto& m : apart) {
    EXPECT_EQ(m.reason.code, ReasonCode::not_profitable);
    EXPECT_NE(std::string_view(m.line.file).find("models.cpp"), std::string_view::npos);
  }
  expect_no_kernel_of_a_bias_or_an_activation_alone(s.fused);
  expect_known_reasons(s.fused);
  EXPECT_LT(bytes(s.fused), 0.8 * bytes(s.unfused));
}

TEST(Models, ConvolutionNet) {
  const Steps s = steps_of("cnn");
  // Both have seven copies into blocks of channels and out of them, and two sums of weights' gradients over parts of the batch.
  constexpr std::size_t moved = 9;
  EXPECT_LE(s.fused.kernels.size(), 32U + moved) << names(s.fused);
  EXPECT_GE(s.unfused.kernels.size() - moved, 2 * (s.fused.kernels.size() - moved)) << names(s.unfused);
  // The forward half in front of the matrices is one region: two convolutions with their biases, two poolings, relu of their results, the way out of blocks.
  EXPECT_EQ(count(s.fused, "region of 9 nodes, 7 kernels, 32 tiles"), 1) << names(s.fused);
  EXPECT_EQ(count(s.fused, "oneDNN convolution"), 0) << names(s.fused);
  EXPECT_EQ(count(s.fused, "map add"), 0) << names(s.fused);
  EXPECT_EQ(count(s.fused, "map relu"), 0) << names(s.fused);
  EXPECT_EQ(count(s.fused, "7 updates: "), 1) << names(s.fused);
  EXPECT_EQ(missed_updates(s.fused).size(), 1U) << "the matrix behind the convolutions";
  expect_known_reasons(s.fused);
  EXPECT_LT(bytes(s.fused), 0.9 * bytes(s.unfused));
}

TEST(Models, TransformerBlock) {
  const Steps s = steps_of("transformer");
  EXPECT_LE(s.fused.kernels.size(), 36U) << names(s.fused);
  EXPECT_EQ(count(s.fused, " updates: "), 1) << "of all parameters\n" << names(s.fused);
  EXPECT_EQ(missed_updates(s.fused).size(), 0U);
  EXPECT_GE(count(s.fused, ", then add, add"), 2) << "the residuals are part of the products before them\n" << names(s.fused);
  EXPECT_EQ(count(s.fused, "map gelu"), 1) << "gelu's derivative asks what it was given, so the product writes that\n" << names(s.fused);
  EXPECT_GE(5 * s.unfused.kernels.size(), 9 * s.fused.kernels.size()) << names(s.unfused);
  expect_no_kernel_of_a_bias_or_an_activation_alone(s.fused);
  expect_known_reasons(s.fused);
  EXPECT_LT(bytes(s.fused), 0.9 * bytes(s.unfused)) << bytes(s.fused) << " " << bytes(s.unfused);
}

}  // namespace
}  // namespace cotan::testing
