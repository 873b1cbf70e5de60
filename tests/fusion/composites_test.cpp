// Composites by a primitive or inlined: the two figures, and where they are reported.
#include <gmock/gmock.h>

#include <algorithm>

#include "graph/passes/composite_cost.h"
#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

using ::testing::HasSubstr;

Function softmax(const std::string& before, const std::string& behind) {
  return parse_function(fmt::format(R"(func f(x: f32[64,128], z: f32[64,128]) {{
    %0: f32[64,128] = {}
    %1: f32[64,128] = call softmax(%0) {{dim=1}}
    %2: f32[64,128] = {}
    return %2
  }})",
                                    before, behind));
}

std::vector<MissReport> about_calls(const ProgramReport& report) {
  std::vector<MissReport> misses;
  for (const MissReport& m : report.misses)
    if (m.what == "inline_calls") misses.push_back(m);
  return misses;
}

TEST(Composites, BothFiguresAreInTheReport) {
  const Function f = softmax("mul(x, z)", "mul(%1, z)");
  const std::vector<Node*> order = topological(f.results);
  CompileOptions options;
  options.passes = PassSwitches("-fuse_regions");  // in which the primitive would be
  const auto program = compile_program(f, order, options);
  const std::vector<MissReport> misses = about_calls(program->report());
  ASSERT_EQ(misses.size(), 1U);
  EXPECT_EQ(order[static_cast<std::size_t>(misses[0].node)]->kind, Kind::call);
  EXPECT_EQ(misses[0].reason.code, ReasonCode::not_profitable);
  const auto cost = passes::composite_cost(*order[static_cast<std::size_t>(misses[0].node)], 2, 1);
  ASSERT_TRUE(cost);
  EXPECT_EQ(misses[0].reason.detail, fmt::format("softmax: {:.0f} cycles by a primitive, {:.0f} inlined", cost->primitive, cost->inlined));
  EXPECT_THAT(program->report().kernels[1].name, HasSubstr("oneDNN softmax"));
  expect_right(f);
}

// A sum behind the call and a value that others read before it are no loops that would join.
TEST(Composites, NeighboursCount) {
  const auto figures = [](const Function& f) { return about_calls(compile_program(f, topological(f.results), {})->report()).at(0).reason.detail; };
  const auto expected = [](const Function& f, int neighbours) {
    for (const Node* n : topological(f.results)) {
      if (n->kind != Kind::call) continue;
      const auto cost = passes::composite_cost(*n, neighbours, 1);
      return fmt::format("softmax: {:.0f} cycles by a primitive, {:.0f} inlined", cost->primitive, cost->inlined);
    }
    return std::string();
  };
  const Function read = softmax("mul(x, z)", "mul(%1, %0)");
  const Function sum = parse_function("func f(x: f32[64,128]) { %0: f32[64,128] = call softmax(x) {dim=1} %1: f32[64][i] = %0[i,p] return %1 }");
  EXPECT_EQ(figures(read), expected(read, 1));
  EXPECT_EQ(figures(sum), expected(sum, 0));
}

TEST(Composites, ManyLoopsAroundMakeInliningCheaper) {
  const Function f = softmax("mul(x, z)", "mul(%1, z)");
  for (const Node* n : topological(f.results)) {
    if (n->kind != Kind::call) continue;
    const auto none = passes::composite_cost(*n, 0, 1), many = passes::composite_cost(*n, 20, 1);
    EXPECT_LT(none->primitive, none->inlined);
    EXPECT_GT(many->primitive, many->inlined);
  }
}

// Why a primitive does not take a composite is reported at the call, which becomes its body.
TEST(Composites, RefusalsAreReported) {
  const Function f = softmax("mul(x, z)", "mul(%1, z)");
  CompileOptions options;
  options.backends.strict_nan = true;
  const auto program = compile_program(f, topological(f.results), options);
  const auto& misses = program->report().misses;
  EXPECT_TRUE(std::any_of(misses.begin(), misses.end(), [](const MissReport& m) { return m.what == "oneDNN" && m.reason.code == ReasonCode::nonfinite; }));
  for (const KernelReport& k : program->report().kernels) EXPECT_EQ(k.name.find("oneDNN"), std::string::npos) << k.name;
}

}  // namespace
}  // namespace cotan::testing
