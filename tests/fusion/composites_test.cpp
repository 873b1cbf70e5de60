// Composites by a primitive or inlined: the two figures, and where they are reported.
#include "graph/composites/composites.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "autograd/differentiate.h"
#include "graph/builder.h"
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

// What the report says of a softmax among so many loops.
std::string figures_of(const Node& call, int neighbours) {
  const auto cost = passes::composite_cost(call, neighbours, 1);
  return fmt::format("softmax: {:.0f} cycles by a primitive, {:.0f} inlined{}", cost->primitive, cost->inlined,
                     cost->primitive <= cost->inlined ? "" : ", so no primitive");
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
  EXPECT_EQ(misses[0].reason.detail, figures_of(*order[static_cast<std::size_t>(misses[0].node)], 2));
  expect_right(f);
}

// A sum behind the call and a value that others read before it are no loops that would join.
TEST(Composites, NeighboursCount) {
  const auto figures = [](const Function& f) { return about_calls(compile_program(f, topological(f.results), {})->report()).at(0).reason.detail; };
  const auto expected = [](const Function& f, int neighbours) {
    for (const Node* n : topological(f.results))
      if (n->kind == Kind::call) return figures_of(*n, neighbours);
    return std::string();
  };
  const Function read = softmax("mul(x, z)", "mul(%1, %0)");
  const Function sum = parse_function("func f(x: f32[64,128]) { %0: f32[64,128] = call softmax(x) {dim=1} %1: f32[64][i] = %0[i,p] return %1 }");
  EXPECT_EQ(figures(read), expected(read, 1));
  EXPECT_EQ(figures(sum), expected(sum, 0));
}

TEST(Composites, ManyLoopsAroundMakeInliningCheaper) {
  const Ref x = graph::parameter("x", f32, {256, 512}), w = graph::parameter("w", f32, {512});
  const Ref call = graph::layer_norm(x, w, w);
  const auto none = passes::composite_cost(*call.node(), 0, 1), many = passes::composite_cost(*call.node(), 20, 1);
  EXPECT_LT(none->primitive, none->inlined);
  EXPECT_GT(many->primitive, many->inlined);
}

// A composite and its gradient by all its operands, each with its own choice.
Function with_gradient(std::string_view name, const Shape& shape) {
  const auto input = [](const char* of, const Shape& s) { return graph::parameter(of, f32, s); };
  const Shape vector{name == "layer_norm" ? shape.back() : shape[1]};
  const Ref x = input("x", shape), w = input("w", vector), b = input("b", vector), g = input("g", shape);
  const bool plain = name == "softmax";
  const Ref y = plain ? graph::softmax(x) : name == "layer_norm" ? graph::layer_norm(x, w, b) : graph::batch_norm_training(x, w, b).y;
  const std::vector<Ref> wrt = plain ? std::vector{x} : std::vector{x, w, b};
  const Ref outputs[] = {y}, seeds[] = {g};
  Function f{"f", wrt, vjp(outputs, seeds, wrt), {}};
  f.parameters.push_back(g);
  f.results.push_back(y);
  return f;
}

ProgramReport report_of(const Function& f, const std::string& passes = "") {
  CompileOptions options;
  options.passes = PassSwitches(passes);
  return compile_program(f, topological(f.results), options)->report();
}

// "softmax by a primitive, softmax.vjp inlined": what is chosen for calls that have no loops around them, where the library has a primitive.
std::string choices(const Function& f) {
  std::vector<std::string> texts;
  for (const Node* n : topological(f.results)) {
    if (n->kind != Kind::call) continue;
    std::optional<passes::CompositeCost> cost;
    texts.push_back(std::string(n->as<CallSpec>().name) + (passes::by_primitive(*n, 0, {}, cost) ? " by a primitive" : " inlined"));
  }
  std::sort(texts.begin(), texts.end());
  return fmt::format("{}", fmt::join(texts, ", "));
}

bool has_primitives(const ProgramReport& report) {
  return std::any_of(report.kernels.begin(), report.kernels.end(), [](const KernelReport& k) {
    const auto is_one = [](const std::string& name) { return name.find("oneDNN") != std::string::npos; };
    return is_one(k.name) || std::any_of(k.parts.begin(), k.parts.end(), is_one);
  });
}

// What bench/composites measures as the faster one by more than a quarter.
TEST(Composites, TheFasterWayIsChosen) {
  EXPECT_EQ(choices(with_gradient("layer_norm", {256, 512})), "layer_norm by a primitive, layer_norm.vjp by a primitive");
  EXPECT_THAT(choices(with_gradient("layer_norm", {16, 32})), HasSubstr("layer_norm inlined"));
  EXPECT_THAT(choices(with_gradient("softmax", {256, 8})), HasSubstr("softmax inlined"));
  EXPECT_THAT(choices(with_gradient("softmax", {16, 8})), HasSubstr("softmax.vjp inlined"));
  EXPECT_THAT(choices(with_gradient("softmax", {256, 1024})), HasSubstr("softmax.vjp by a primitive"));
  EXPECT_EQ(choices(with_gradient("batch_norm_training", {64, 512})), "batch_norm_training inlined, batch_norm_training.vjp inlined");
  EXPECT_THAT(choices(with_gradient("batch_norm_training", {64, 16, 7, 7})), HasSubstr("batch_norm_training by a primitive"));
  EXPECT_THAT(choices(with_gradient("batch_norm_training", {8, 64, 28, 28})), HasSubstr("batch_norm_training inlined"));
}

// Values do not depend on the choice, beyond rounding.
TEST(Composites, EitherWayIsRight) {
  for (const auto& [name, shape] : {std::pair<std::string, Shape>{"softmax", {16, 8}},
                                    {"layer_norm", {16, 32}},
                                    {"layer_norm", {40, 72}},
                                    {"batch_norm_training", {64, 48}},
                                    {"batch_norm_training", {16, 20, 7, 7}}}) {
    SCOPED_TRACE(name + shape.text());
    const Function f = with_gradient(name, shape);
    const auto inputs = numbers(f);
    const auto want = reference::evaluate(f, inputs, {.exact = true});
    for (const char* passes : {"", "+inline_calls", "-inline_calls"}) {
      CompileOptions options;
      options.passes = PassSwitches(passes);
      const auto got = run_compiled(f, inputs, options);
      for (std::size_t r = 0; r < want.size(); ++r)
        EXPECT_TRUE(none(differences(fmt::format("result {} with {}", r, passes), got[r].values, want[r].values, 2e-5)));
    }
  }
}

TEST(Composites, TheSwitchForcesEither) {
  for (const auto& [name, shape] : {std::pair<std::string, Shape>{"softmax", {16, 8}},
                                    {"layer_norm", {256, 512}},
                                    {"batch_norm_training", {64, 512}},
                                    {"batch_norm_training", {16, 20, 7, 7}}}) {
    const Function f = with_gradient(name, shape);
    const ProgramReport inlined = report_of(f, "+inline_calls"), primitives = report_of(f, "-inline_calls");
    EXPECT_FALSE(has_primitives(inlined)) << name;
    EXPECT_TRUE(has_primitives(primitives)) << name;
    EXPECT_TRUE(about_calls(inlined).empty() && about_calls(primitives).empty()) << name;
    EXPECT_FALSE(about_calls(report_of(f, "+all")).empty()) << name;
    EXPECT_FALSE(about_calls(report_of(f, "-all")).empty()) << name;
  }
}

// Why a primitive does not take a composite is reported at the call, which becomes its body.
TEST(Composites, RefusalsAreReported) {
  const Ref x = graph::parameter("x", f64, {64, 128});
  const Function f{"f", {x}, {graph::softmax(x)}, {}};
  const auto program = compile_program(f, topological(f.results), {});
  const auto& misses = program->report().misses;
  EXPECT_TRUE(std::any_of(misses.begin(), misses.end(), [](const MissReport& m) { return m.what == "oneDNN" && m.reason.code == ReasonCode::dtype; }));
  for (const KernelReport& k : program->report().kernels) EXPECT_EQ(k.name.find("oneDNN"), std::string::npos) << k.name;
}

}  // namespace
}  // namespace cotan::testing
