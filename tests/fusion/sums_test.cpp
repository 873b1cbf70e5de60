// Loops that end in sums: which sums join, why others do not, and that no bit changes.
#include <gmock/gmock.h>

#include "graph/passes/explain.h"
#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

using ::testing::HasSubstr;

Fused closed(const Function& f, int threads = 2) {
  CompileOptions options;
  options.threads = threads;
  return fused(f, {fusion::fuse_kernels, fusion::fuse_sums}, options);
}

// A loop over [32,48] with these further lines, and what is returned.
Function loop_with(std::string_view lines, std::string_view results) {
  return parse_function(fmt::format(R"(func f(x: f32[32,48], b: f32[48]) {{
    %0: f32[32,48][i,j] = b[j]
    %1: f32[32,48] = mul(x, %0)
    {}
    return {}
  }})",
                                    lines, results));
}

TEST(Sums, OfRowsColumnsBlocksAndAll) {
  for (const char* sum : {"f32[32][i] = 0.5 * %1[i,p]", "f32[48][j] = %1[p,j]", "f32[][] = 0.25 * %1[p,q]", "f32[4,48][i,j] = %1[8*i+p,j]; p<8",
                          "f32[4][i] = %1[8*i+p,q]; p<8", "f32[32,1][i,0] = %1[i,p]", "f32[4,8][i,j] = %1[8*i+j,p]"}) {
    SCOPED_TRACE(sum);
    const Function f = loop_with(fmt::format("%2: {}", sum), "%2");
    EXPECT_EQ(closed(f).text, "fuse_sums: %3 %4\n");
    expect_right(f);
  }
}

TEST(Sums, SeveralEndOneLoopWithItsOtherResults) {
  const Function f = loop_with(R"(%2: f32[32,48] = sub(%1, x)
    %3: f32[32][i] = %1[i,p]
    %4: f32[48][j] = %2[p,j]
    %5: f32[][] = %1[p,q]
    %6: f32[32] = sqrt(%3))",
                               "%2, %4, %5, %6");
  EXPECT_EQ(closed(f).text, "fuse_sums: %3 %4 %5 %6 %7\n");
  expect_right(f, 1e-5);
}

TEST(Sums, OfOneMapOrCast) {
  const Function f = parse_function(R"(func f(n: i32[16,20]) {
    %0: f32[16,20] = cast(n)
    %1: f32[16][i] = %0[i,p]
    return %1
  })");
  EXPECT_EQ(closed(f).text, "fuse_sums: %1 %2\n");
  expect_right(f);
}

// It has no sizes: they are those of what a loop reads or writes.
TEST(Sums, ALoopThatReadsNothingIsLeft) {
  const Function f = parse_function(R"(func f() {
    %0: f64[16,20] = { 1.5 }
    %1: f32[16,20] = cast(%0)
    %2: f32[16][i] = %1[i,p]
    return %2
  })");
  EXPECT_EQ(closed(f).text.find("fuse_sums"), std::string::npos);
  expect_right(f);
}

struct Miss {
  const char* lines;
  ReasonCode code;
  const char* detail;
};

TEST(Sums, WhatStaysApartSaysWhy) {
  for (const Miss& miss :
       {Miss{"%2: f32[48,4][j,i] = %1[8*i+p,j]; p<8", ReasonCode::domain, "neighbouring"},
        Miss{"%2: f32[47][j] = %1[p,j+1]", ReasonCode::domain, "neighbouring"}, Miss{"%2: f32[32][i] = %1[i,2*p]; p<24", ReasonCode::domain, "neighbouring"}}) {
    SCOPED_TRACE(miss.lines);
    const Function f = loop_with(miss.lines, "%2");
    const Fused made = closed(f);
    EXPECT_EQ(made.text, "");
    ASSERT_EQ(made.misses.size(), 1U);
    EXPECT_EQ(made.misses[0].what, "fuse_sums");
    EXPECT_EQ(made.misses[0].node, 4);
    EXPECT_EQ(made.misses[0].reason.code, miss.code);
    EXPECT_THAT(made.misses[0].reason.detail, HasSubstr(miss.detail));
    expect_right(f);
  }
}

TEST(Sums, ALongFormulaClosesOnlyWhereItsValueWouldGoToMemory) {
  for (const bool large : {false, true}) {
    const Function f = parse_function(fmt::format(R"(func f(x: f32[{0},512]) {{
    %0: f32[{0},512] = tanh(x)
    %1: f32[{0}][i] = %0[i,p]
    return %1
  }})",
                                                  large ? 512 : 64));
    const Fused made = closed(f);
    EXPECT_EQ(made.text, large ? "fuse_sums: %1 %2\n" : "");
    EXPECT_EQ(made.misses.size(), large ? 0U : 1U);
    for (const MissReport& m : made.misses) {
      EXPECT_EQ(m.reason.code, ReasonCode::not_profitable);
      EXPECT_EQ(m.reason.detail, "6 cycles for 16 elements, 7 in the loop");
    }
    expect_right(f, 1e-5);
  }
}

// Alone, the sum would be shared out by columns.
TEST(Sums, OneBlockForSeveralWorkersStaysApart) {
  const Function f = parse_function(R"(func f(x: f32[512,256]) {
    %0: f32[512,256] = square(x)
    %1: f32[256][j] = %0[p,j]
    return %1
  })");
  EXPECT_EQ(closed(f, 1).text, "fuse_sums: %1 %2\n");
  const Fused made = closed(f, 2);
  EXPECT_EQ(made.text, "");
  ASSERT_EQ(made.misses.size(), 1U);
  EXPECT_EQ(made.misses[0].reason.code, ReasonCode::not_profitable);
  EXPECT_EQ(made.misses[0].reason.detail, "1 blocks for 2 workers");
  expect_right(f, 1e-5);
}

TEST(Sums, NineAreTooMany) {
  std::string lines, results;
  for (int k = 2; k < 11; ++k) {
    lines += fmt::format("%{}: f32[32][i] = {} * %1[i,p]\n", k, k);
    results += fmt::format("{}%{}", k == 2 ? "" : ", ", k);
  }
  const Function f = loop_with(lines, results);
  const Fused made = closed(f);
  EXPECT_EQ(made.text, "fuse_sums: %3 %4 %5 %6 %7 %8 %9 %10 %11\n");
  ASSERT_EQ(made.misses.size(), 1U);
  EXPECT_EQ(made.misses[0].reason.code, ReasonCode::too_long);
  expect_right(f, 1e-5);
}

// In the compiled program too, alone and in tiles, with every number of threads; with and without the sums in the loop the bits are the same.
TEST(Sums, ChangeNoBits) {
  for (const char* type : {"f32", "f64", "i32"})
    for (const auto& [rows, columns] : {std::pair{64, 48}, {1000, 300}, {4, 20000}, {3000, 7}}) {
      const Function f = parse_function(fmt::format(R"(func f(x: {0}[{1},{2}], b: {0}[{2}]) {{
    %0: {0}[{1},{2}][i,j] = b[j]
    %1: {0}[{1},{2}] = mul(x, %0)
    %2: {0}[{1},{2}] = add(%1, x)
    %3: {0}[{1}][i] = %1[i,p]
    %4: {0}[{2}][j] = %2[p,j]
    %5: {0}[][] = %1[p,q]
    return %2, %3, %4, %5
  }})",
                                                    type, rows, columns));
      const auto inputs = numbers(f);
      CompileOptions apart;
      apart.passes = PassSwitches("-fuse_sums,-fuse_regions");
      const auto want = run_compiled(f, inputs, apart);
      for (const int threads : {1, 2, 4})
        for (const char* passes : {"", "-fuse_regions"}) {
          CompileOptions options;
          options.threads = threads;
          options.passes = PassSwitches(passes);
          const auto got = run_compiled(f, inputs, options);
          for (std::size_t r = 0; r < want.size(); ++r)
            EXPECT_EQ(got[r].values, want[r].values) << type << " " << rows << " x " << columns << ", " << threads << " threads, result " << r;
        }
    }
}

TEST(Sums, AreInTheLoopOfARegionsTile) {
  const Function f = parse_function(R"(func f(x: f32[256,512]) {
    %0: f32[256,512] = square(x)
    %1: f32[256][i] = %0[i,p]
    %2: f32[256,512][i,j] = %1[i]
    %3: f32[256,512] = div(x, %2)
    return %3
  })");
  const auto program = compile_program(f, topological(f.results), {});
  ASSERT_EQ(program->report().kernels.size(), 1U);
  EXPECT_EQ(program->report().kernels[0].parts.size(), 2U);
  expect_right(f, 1e-5);
}

}  // namespace
}  // namespace cotan::testing
