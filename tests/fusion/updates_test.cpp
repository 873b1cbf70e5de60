// The updates of all parameters as one kernel: which loops it takes, why it leaves others, and that it computes what they did. Numbers are places in the
// function's order, parameters included.
#include <gmock/gmock.h>

#include <algorithm>

#include "backends/loops/jit/code_cache.h"
#include "graph/passes/pass.h"
#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// With a result that has a parameter's name as the parameter's next value.
CompileOptions options_for(const Function& f, int threads = 2) {
  CompileOptions options;
  options.threads = threads;
  for (std::size_t r = 0; r < f.result_names.size(); ++r)
    for (std::size_t p = 0; p < f.parameters.size(); ++p)
      if (f.parameters[p]->as<LeafSpec>().name == f.result_names[r]) options.updates.push_back({static_cast<int>(r), static_cast<int>(p)});
  return options;
}

// The results with the fusion, which must have the bits of those without it at every number of threads, and all new values in place.
void expect_same_bits(const Function& f) {
  const auto inputs = numbers(f);
  for (const int threads : {1, 2, 3, 4}) {
    CompileOptions options = options_for(f, threads);
    const auto together = run_compiled(f, inputs, options);
    options.passes = PassSwitches("-fuse_updates");
    const auto apart = run_compiled(f, inputs, options);
    for (std::size_t r = 0; r < apart.size(); ++r) EXPECT_EQ(together[r].values, apart[r].values) << "result " << r << " at " << threads << " threads";
  }
}

Fused fused(const Function& f) { return testing::fused(f, {fusion::fuse_kernels, fusion::fuse_updates}, options_for(f)); }

// Of each group that is one loop: what it stores, as its cluster says it.
std::vector<std::string> stores_of(const Function& f) {
  return after({fusion::fuse_kernels}, f, options_for(f), [](const Groups& groups) {
    std::vector<std::string> found;
    for (std::size_t g = 0; g < groups.all().size(); ++g) {
      const Group& group = groups.all()[g];
      const int inside[] = {static_cast<int>(g)};
      if (!group.claim.loop || group.nodes.empty()) continue;
      const std::string text = fusion::loop_cluster(groups, group.nodes, inside, group.claim).text();
      found.push_back(text.substr(text.find("  store")));
    }
    return found;
  });
}

ProgramReport report_of(const Function& f, const CompileOptions& options) { return compile_program(f, topological(f.results), options)->report(); }

// Its kernels that hold several updates.
std::vector<KernelReport> update_kernels(const ProgramReport& report) {
  std::vector<KernelReport> found;
  for (const KernelReport& k : report.kernels)
    if (k.name.find(" updates: ") != std::string::npos) found.push_back(k);
  return found;
}

// Momentum: the state and the parameter, of two parameters of unlike shapes, and of a number.
const char* const momentum = R"(func f(w: f32[9,7], b: f32[7], s: f32[], mw: f32[9,7], mb: f32[7], ms: f32[], g: f32[9,7], h: f32[7], k: f32[], lr: f32[]) {
  %0: f32[9,7] = { 0.9 * mw + g }
  %1: f32[9,7][i,j] = lr[]
  %2: f32[9,7] = { w - %1 * %0 }
  %3: f32[7] = { 0.9 * mb + h }
  %4: f32[7][i] = lr[]
  %5: f32[7] = { b - %4 * %3 }
  %6: f32[] = { 0.9 * ms + k }
  %7: f32[] = { s - lr * %6 }
  return w=%2, mw=%0, b=%5, mb=%3, s=%7, ms=%6
})";

TEST(Updates, MarkParametersThatOthersReadToo) {
  const Function f = parse_function(R"(func f(w: f32[9,7], m: f32[9,7], g: f32[9,7], x: f32[4,9], other: f32[5]) {
    %0: f32[9,7] = { 0.9 * m + g }
    %1: f32[9,7] = { w - 0.1 * %0 }
    %2: f32[4,7][i,j] = x[i,p] * w[p,j]
    %3: f32[5] = exp(other)
    return w = %1, m = %0, %2, %3
  })");
  expect_same_bits(f);
  EXPECT_THAT(stores_of(f), ElementsAre("  store %4 -> out0: f32\n  store %9 -> out1: f32, read elsewhere\n}\n", "  store %1 -> out0: f32\n}\n"));
}

TEST(UpdateKernel, OfAllShapesAreOneKernel) {
  const Function f = parse_function(momentum);
  const Fused made = fused(f);
  EXPECT_EQ(made.text, "fuse_updates: %5 %6 %11 %12 %16 %17\n");
  EXPECT_THAT(made.misses, IsEmpty());
  expect_same_bits(f);
}

TEST(UpdateKernel, AreOneLineOfTheReport) {
  const Function f = parse_function(momentum);
  const ProgramReport report = report_of(f, options_for(f));
  ASSERT_THAT(report.kernels, SizeIs(1));
  EXPECT_THAT(report.kernels[0].name, HasSubstr("3 updates: "));
  EXPECT_THAT(report.kernels[0].places, ElementsAre(5, 6, 11, 12, 16, 17));
  EXPECT_EQ(report.kernels[0].chunks, 1) << "all of it is little work";
  EXPECT_EQ(report.in_place_updates, 6U);
  CompileOptions apart = options_for(f);
  apart.passes = PassSwitches("-fuse_updates");
  const ProgramReport before = report_of(f, apart);
  EXPECT_THAT(before.kernels, SizeIs(3));
  double bytes = 0, flops = 0;
  for (const KernelReport& k : before.kernels) bytes += k.bytes, flops += k.flops;
  EXPECT_EQ(report.kernels[0].bytes, bytes);
  EXPECT_EQ(report.kernels[0].flops, flops);
}

TEST(UpdateKernel, AreAKernelEachWithoutFusion) {
  const Function f = parse_function(momentum);
  CompileOptions options = options_for(f);
  options.passes = without_fusion();
  EXPECT_THAT(without_fusion().text(), HasSubstr("-fuse_updates"));
  EXPECT_THAT(report_of(f, options).kernels, SizeIs(6));
}

// Where each step of an update is a loop of its own, the first ones are a kernel, and the second ones.
TEST(UpdateKernel, ThatReadEachOtherAreSeveralKernels) {
  const Function f = parse_function(momentum);
  const Fused made = testing::fused(f, {fusion::fuse_updates}, options_for(f));
  EXPECT_EQ(made.text, "fuse_updates: %5 %11 %16\nfuse_updates: %6 %12 %17\n");
  ASSERT_THAT(made.misses, SizeIs(3));
  for (const MissReport& m : made.misses) EXPECT_EQ(m.reason.code, ReasonCode::between);
}

TEST(UpdateKernel, ThatReadWhatAnotherOneOverwritesStayApart) {
  const Function f = parse_function(R"(func f(w: f32[8], v: f32[8,8], g: f32[8], h: f32[8,8], lr: f32[]) {
    %0: f32[8] = { w - 0.5 * g }
    %1: f32[8,8][i,j] = w[j]
    %2: f32[8,8] = { v - %1 * h }
    return w=%0, v=%2
  })");
  const Fused made = fused(f);
  EXPECT_EQ(made.text, "");
  ASSERT_THAT(made.misses, SizeIs(1));
  EXPECT_EQ(made.misses[0].what, "fuse_updates");
  EXPECT_EQ(made.misses[0].reason.code, ReasonCode::operand_in_use);
  expect_same_bits(f);
  expect_right(f);
}

// %1 is no view of a tensor, but one of w, which %0 turns: it is w's memory.
TEST(UpdateKernel, FindTheOldValueBehindViewsOfViews) {
  const Function f = parse_function(R"(func f(w: f32[4,6], v: f32[24], g: f32[4,6]) {
    %0: f32[6,4][i,j] = w[j,i]
    %1: f32[24][6*i+j] = %0[j,i]
    %2: f32[4,6] = { w - 0.5 * g }
    %3: f32[24] = { v - 0.5 * %1 }
    return w=%2, v=%3
  })");
  CompileOptions options = options_for(f);
  options.passes = PassSwitches("-all,+fuse_updates");
  EXPECT_THAT(update_kernels(report_of(f, options)), IsEmpty());
  expect_same_bits(f);
}

TEST(UpdateKernel, ALearningRateThatIsUpdatedTooIsReadBefore) {
  const Function f = parse_function(R"(func f(w: f32[8], b: f32[4], g: f32[8], h: f32[4], lr: f32[]) {
    %0: f32[8][i] = lr[]
    %1: f32[8] = { w - %0 * g }
    %2: f32[4][i] = lr[]
    %3: f32[4] = { b - %2 * h }
    %4: f32[] = { 0.5 * lr }
    return w=%1, b=%3, lr=%4
  })");
  const Fused made = fused(f);
  EXPECT_EQ(made.text, "fuse_updates: %4 %8\n");
  ASSERT_THAT(made.misses, SizeIs(1));
  EXPECT_EQ(made.misses[0].reason.code, ReasonCode::operand_in_use);
  expect_same_bits(f);
}

TEST(UpdateKernel, WithAProductBetweenStayApart) {
  const Function f = parse_function(R"(func f(w: f32[6,6], v: f32[6], g: f32[6,6], h: f32[6], x: f32[6]) {
    %0: f32[6,6] = { w - 0.5 * g }
    %1: f32[6][i] = %0[i,p] * x[p]
    %2: f32[6] = { v - %1 * h }
    return w=%0, v=%2
  })");
  const Fused made = fused(f);
  EXPECT_EQ(made.text, "");
  ASSERT_THAT(made.misses, SizeIs(1));
  EXPECT_EQ(made.misses[0].reason.code, ReasonCode::between);
  expect_same_bits(f);
}

TEST(UpdateKernel, OfALargeGradientComeRightBehindIt) {
  const Function f = parse_function(R"(func f(w: f32[600,500], b: f32[500], c: f32[600], m: f32[600,500], x: f32[8,600], d: f32[8,500]) {
    %0: f32[600,500][i,j] = x[p,i] * d[p,j]
    %1: f32[600,500] = { 0.5 * m + %0 }
    %2: f32[600,500] = { w - (%1 + %0) }
    %3: f32[500][i] = d[p,i]
    %4: f32[500] = { b - 0.5 * %3 }
    %5: f32[600][i] = x[p,i]
    %6: f32[600] = { c - 0.5 * %5 }
    return w=%2, m=%1, b=%4, c=%6
  })");
  const Fused made = fused(f);
  EXPECT_EQ(made.text, "fuse_kernels: %5 %6\nfuse_updates: %9 %12\n");
  std::vector<Reason> reasons;
  for (const MissReport& m : made.misses)
    if (m.what == "fuse_updates") reasons.push_back(m.reason);
  ASSERT_THAT(reasons, SizeIs(1));
  EXPECT_EQ(reasons[0].code, ReasonCode::not_profitable);
  EXPECT_EQ(reasons[0].detail, "its 1.2 MB of gradient would wait: 60 us to read them again, where a kernel of its own costs 2 us");
  expect_same_bits(f);
}

// Of ten gradients of 1 MiB eight wait for one kernel, the others for the next.
TEST(UpdateKernel, DoesNotHoldMoreThanEightMebibytes) {
  std::string parameters = "x: f32[8,512], d: f32[8,512]", body, results;
  for (int i = 0; i < 10; ++i) {
    parameters += fmt::format(", p{}: f32[512,512]", i);
    body += fmt::format("%{}: f32[512,512][i,j] = {}.5 * x[p,i] * d[p,j]\n%{}: f32[512,512] = {{ p{} - 0.01 * (%{} * %{}) }}\n", 2 * i, i, 2 * i + 1, i, 2 * i,
                        2 * i);
    results += fmt::format("{}p{}=%{}", i == 0 ? "" : ", ", i, 2 * i + 1);
  }
  const Function f = parse_function("func f(" + parameters + ") {\n" + body + "return " + results + "}");
  const Fused made = fused(f);
  EXPECT_EQ(std::count(made.text.begin(), made.text.end(), '\n'), 2) << made.text;
  EXPECT_EQ(std::count(made.text.begin(), made.text.end(), '%'), 10) << made.text;
  EXPECT_EQ(std::count(made.text.begin(), made.text.begin() + static_cast<std::ptrdiff_t>(made.text.find('\n')), '%'), 8) << made.text;
  ASSERT_THAT(made.misses, SizeIs(2));
  EXPECT_EQ(made.misses[0].reason.code, ReasonCode::not_profitable);
  EXPECT_EQ(made.misses[0].reason.detail, "9.4 MB of gradients would wait, in one kernel");
}

// So many vectors of these lengths, each with its update.
Function vectors(const std::vector<std::int64_t>& lengths) {
  std::string parameters, body, results;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    parameters += fmt::format("{}p{}: f32[{}], g{}: f32[{}]", i == 0 ? "" : ", ", i, lengths[i], i, lengths[i]);
    body += fmt::format("%{}: f32[{}] = {{ p{} - 0.0123 * g{} }}\n", i, lengths[i], i, i);
    results += fmt::format("{}p{}=%{}", i == 0 ? "" : ", ", i, i);
  }
  return parse_function("func f(" + parameters + ") {\n" + body + "return " + results + "}");
}

TEST(UpdateKernel, AreCutByBytes) {
  const auto chunks = [](const std::vector<std::int64_t>& lengths) {
    const Function f = vectors(lengths);
    const auto kernels = update_kernels(report_of(f, options_for(f)));
    EXPECT_THAT(kernels, SizeIs(1));
    return kernels.empty() ? 0 : kernels[0].chunks;
  };
  EXPECT_EQ(chunks(std::vector<std::int64_t>(40, 100)), 1);
  EXPECT_EQ(chunks({65536, 10, 65536, 10}), 4) << "the small ones are no chunks of their own";
  EXPECT_EQ(chunks({10, 65536, 10, 65536}), 4);
  expect_same_bits(vectors({65536, 10, 3000, 3000, 3000, 40000, 1, 0, 7}));
}

TEST(UpdateKernel, OfOneStructureShareTheirCode) {
  const Function f = vectors({300, 20, 4000});
  const std::uint64_t before = loops::jit::code_counts().made;
  const ProgramReport report = report_of(f, options_for(f));
  EXPECT_LE(loops::jit::code_counts().made - before, 1U);
  const auto kernels = update_kernels(report);
  ASSERT_THAT(kernels, SizeIs(1));
  EXPECT_THAT(kernels[0].name, ::testing::StartsWith("3 updates: "));
  EXPECT_EQ(kernels[0].name.find(','), std::string::npos) << "one name for the loops of all three: " << kernels[0].name;
}

// A thousand parameters are compiled in a moment, and their kernel waits for nothing.
TEST(UpdateKernel, OfManyParameters) {
  const Function f = vectors(std::vector<std::int64_t>(1000, 16));
  const ProgramReport report = report_of(f, options_for(f));
  EXPECT_THAT(report.kernels, SizeIs(1));
  EXPECT_EQ(report.in_place_updates, 1000U);
}

}  // namespace
}  // namespace cotan::testing
