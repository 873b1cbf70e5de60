// What fusion makes of the training steps of the example models (training/models.h): how many kernels, which of them, and why not fewer. A step is recorded
// here, and compiled for each described machine.
#include "training/models.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/last_evaluation.h"
#include "tests/support/machines.h"

namespace cotan::testing {
namespace {

// The reports of one step of a model, fused and unfused, for a machine.
struct Steps {
  ProgramReport fused, unfused;
  std::vector<ProfiledLine> lines;  // of each node
  int threads = 1;
  TargetMachine target;
  // Work that few workers share is cut by rows, which a product ends as it likes; among many, columns are cut too, and a loop behind it may cost less.
  [[nodiscard]] bool few_workers() const { return threads <= 2; }
};

// Looks at a model's step as each described machine would have it.
void with_steps_of(std::string_view name, const std::function<void(const Steps&)>& look) {
  const LastEvaluation evaluation = last_evaluation({}, [&] { (void)training::model(name).make().step(); });
  on_each_machine(evaluation.options, {1, 2, 16}, [&](const CompileOptions& options) {
    CompileOptions apart = options;
    apart.passes = without_fusion();
    look({evaluation.compiled(options), evaluation.compiled(apart), evaluation.recorded.lines, options.threads, options.backends.target});
  });
}

std::string names(const ProgramReport& report) {
  std::string all;
  for (const auto& k : report.kernels) all += k.name + "\n";
  return all;
}

int count(const ProgramReport& report, std::string_view part) {
  return static_cast<int>(std::count_if(report.kernels.begin(), report.kernels.end(), [&](const auto& k) { return k.name.find(part) != std::string::npos; }));
}

// Whether every reason that a fusion gave is one of the list that are about fusion.
void expect_known_reasons(const ProgramReport& report) {
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

double bytes(const ProgramReport& report) {
  double all = 0;
  for (const auto& k : report.kernels) all += k.bytes;
  return all;
}

// A bias or an activation is part of the product before it or, where that would cost more, of one loop with the other.
void expect_no_kernel_of_a_bias_or_an_activation_alone(const ProgramReport& report) {
  for (const auto& k : report.kernels)
    for (const char* alone : {"map add", "map relu"}) EXPECT_FALSE(k.name.ends_with(alone)) << k.name << ", of\n" << names(report);
}

TEST(Models, C1) {
  with_steps_of("c1", [](const Steps& s) {
    EXPECT_LE(s.fused.kernels.size(), 13U) << names(s.fused);
    EXPECT_GE(s.unfused.kernels.size(), 2 * s.fused.kernels.size()) << names(s.unfused);
    EXPECT_EQ(count(s.fused, "2 updates: "), 1) << "those of the biases\n" << names(s.fused);
    EXPECT_EQ(count(s.fused, "oneDNN matmul"), 2) << "the path from the first layer's activation to its gradient, two products with it, is one region\n"
                                                  << names(s.fused);
    EXPECT_EQ(count(s.fused, "64x784x128, then add, relu"), s.few_workers() ? 1 : 0) << names(s.fused);
    EXPECT_EQ(count(s.fused, s.few_workers() ? "region of 15 nodes" : "region of 17 nodes"), 1) << "the first layer's bias and relu are in it or not\n"
                                                                                                << names(s.fused);
    EXPECT_EQ(count(s.fused, "accumulate"), 1) << "both updates are written by the products that give the gradients\n" << names(s.fused);
    EXPECT_EQ(count(s.fused, "loops matmul 128x64x10, then "), 1) << "the second one by a small product's loops\n" << names(s.fused);
    expect_no_kernel_of_a_bias_or_an_activation_alone(s.fused);
    expect_known_reasons(s.fused);
    EXPECT_LT(bytes(s.fused), 0.8 * bytes(s.unfused));
  });
}

// The misses of the fusion of updates.
std::vector<MissReport> missed_updates(const ProgramReport& report) {
  std::vector<MissReport> found;
  for (const auto& m : report.misses)
    if (m.what == "fuse_updates") found.push_back(m);
  return found;
}

TEST(Models, Mlp) {
  with_steps_of("mlp", [](const Steps& s) {
    EXPECT_LE(s.fused.kernels.size(), 21U) << names(s.fused);
    EXPECT_GE(s.unfused.kernels.size(), 2 * s.fused.kernels.size()) << names(s.unfused);
    EXPECT_EQ(count(s.fused, "4 updates: "), 1) << "all but those of the two large matrices\n" << names(s.fused);
    const auto apart = missed_updates(s.fused);
    ASSERT_EQ(apart.size(), 2U);
    for (const auto& m : apart) {
      EXPECT_EQ(m.reason.code, ReasonCode::not_profitable);
      EXPECT_NE(s.lines.at(static_cast<std::size_t>(m.node)).file.find("models.cpp"), std::string::npos);
    }
    expect_no_kernel_of_a_bias_or_an_activation_alone(s.fused);
    expect_known_reasons(s.fused);
    EXPECT_LT(bytes(s.fused), 0.8 * bytes(s.unfused));
  });
}

TEST(Models, ConvolutionNet) {
  with_steps_of("cnn", [](const Steps& s) {
    // Both have seven copies into blocks of channels and out of them, and two sums of weights' gradients over parts of the batch.
    constexpr std::size_t moved = 9;
    EXPECT_LE(s.fused.kernels.size(), 32U + moved) << names(s.fused);
    EXPECT_GE(s.unfused.kernels.size() - moved, 2 * (s.fused.kernels.size() - moved)) << names(s.unfused);
    // The forward half in front of the matrices is one region: two convolutions with their biases, two poolings, relu of their results, the way out of blocks.
    // A tile is what half of the second cache holds, and many workers want four each. Where half of it does not even hold the second convolution's
    // weights, this is no part of a region.
    const bool holds_weights = s.target.second_cache / 2 >= 4 * 64 * 32 * 5 * 5;
    const std::int64_t tiles = std::max<std::int64_t>((32 << 20) / s.target.second_cache, s.few_workers() ? 1 : 4 * s.threads);
    EXPECT_EQ(count(s.fused, fmt::format("region of 9 nodes, 7 kernels, {} tiles", tiles)), holds_weights ? 1 : 0) << names(s.fused);
    EXPECT_EQ(count(s.fused, "oneDNN convolution"), holds_weights ? 0 : 1) << names(s.fused);
    EXPECT_EQ(count(s.fused, "map add"), 0) << names(s.fused);
    EXPECT_EQ(count(s.fused, "map relu"), 0) << names(s.fused);
    EXPECT_EQ(count(s.fused, "7 updates: "), 1) << names(s.fused);
    EXPECT_EQ(missed_updates(s.fused).size(), 1U) << "the matrix behind the convolutions";
    expect_known_reasons(s.fused);
    EXPECT_LT(bytes(s.fused), 0.9 * bytes(s.unfused));
  });
}

TEST(Models, TransformerBlock) {
  with_steps_of("transformer", [](const Steps& s) {
    EXPECT_LE(s.fused.kernels.size(), !s.few_workers() ? 46U : s.target.second_cache < 1 << 20 ? 41U : 36U) << names(s.fused);
    EXPECT_EQ(count(s.fused, " updates: "), 1) << "of all parameters\n" << names(s.fused);
    EXPECT_EQ(missed_updates(s.fused).size(), 0U);
    if (s.few_workers()) {
      EXPECT_GE(count(s.fused, ", then add, add"), 2) << "the residuals are part of the products before them\n" << names(s.fused);
      EXPECT_EQ(count(s.fused, "map gelu"), 1) << "gelu's derivative asks what it was given, so the product writes that\n" << names(s.fused);
      expect_no_kernel_of_a_bias_or_an_activation_alone(s.fused);
    }
    EXPECT_GE(5 * s.unfused.kernels.size(), 9 * s.fused.kernels.size()) << names(s.unfused);
    expect_known_reasons(s.fused);
    EXPECT_LT(bytes(s.fused), 0.9 * bytes(s.unfused)) << bytes(s.fused) << " " << bytes(s.unfused);
  });
}

}  // namespace
}  // namespace cotan::testing
