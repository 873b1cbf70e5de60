// Regions: which kernels run tile by tile as one step, and what keeps them apart. Numbers are places in the function's order, parameters included. Tensors of
// 256 x 128 are too large for a region without tiles, and a row of them fits any cache.
#include <gmock/gmock.h>

#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// After the fusion of loops, which comes before; regions alone are shown. They are the same at sixteen threads.
Fused fused(const Function& f) {
  CompileOptions many;
  many.threads = 16;
  Fused made = testing::fused(f, {fusion::fuse_kernels, fusion::fuse_regions});
  EXPECT_EQ(testing::fused(f, {fusion::fuse_kernels, fusion::fuse_regions}, many).text, made.text);
  std::string regions;
  for (std::size_t at = 0; at < made.text.size();) {
    const std::size_t end = made.text.find('\n', at) + 1;
    const std::string line = made.text.substr(at, end - at);
    if (line.starts_with("fuse_regions:")) regions += line;
    at = end;
  }
  made.text = regions;
  return made;
}
std::string fused(std::string_view text) {
  const Function f = parse_function(text);
  expect_right(f, 1e-4);
  return fused(f).text;
}
// The name of the one kernel that the text is compiled to, as it stands, for that machine.
std::string kernel_of(std::string_view text, CompileOptions options) {
  const Function f = parse_function(text);
  options.passes = PassSwitches("-simplify");
  const auto program = compile_program(f, topological(f.results), options);
  return program->report().kernels.size() == 1 ? program->report().kernels[0].name : fmt::format("{} kernels", program->report().kernels.size());
}

constexpr const char* softmax = R"(func f(x: f32[256,128]) {
    %0: f32[256][i] = max x[i,p]
    %1: f32[256,128][i,j] = %0[i]
    %2: f32[256,128] = sub(x, %1)
    %3: f32[256,128] = exp(%2)
    %4: f32[256][i] = %3[i,p]
    %5: f32[256,128][i,j] = %4[i]
    %6: f32[256,128] = div(%3, %5)
    return %6
  })";

TEST(Regions, RowsOfASoftmax) {
  EXPECT_EQ(fused(softmax), "fuse_regions: %1 %3 %4 %5 %7\n");
  on_each_machine([](const CompileOptions& here) { EXPECT_THAT(kernel_of(softmax, here), AllOf(HasSubstr("region of 5 nodes, "), HasSubstr(" tiles"))); });
}

TEST(Regions, CastsScansAndOrdersAreCutToo) {
  EXPECT_NE(fused(R"(func f(x: f32[256,128]) {
    %0: f32[256,128] = exp(x)
    %1: f32[256][i] = max %0[i,p]
    %2: f32[256,128][i,j] = %1[i]
    %3: f32[256,128] = sub(%0, %2)
    %4: f32[256,128] = scan(%3, %0) {axis=1, reverse=false}
    %5: i32[256,128] = order(x) {axis=1, descending=false}
    %6: f32[256,128] = cast(%5)
    %7: f32[256,128] = add(%6, %4)
    return %7
  })"),
            "");
}

TEST(Regions, ATransposeInsideIsRefused) {
  EXPECT_EQ(fused(R"(func f(x: f32[256,256]) {
    %0: f32[256,256] = exp(x)
    %1: f32[256,256][i,j] = %0[j,i]
    %2: f32[256,256] = sin(%1)
    %3: f32[256][i] = %2[i,p]
    return %3
  })"),
            "fuse_regions: %3 %4\n");
}

TEST(Regions, AReductionOverTheFirstDimensionIsRefused) {
  EXPECT_EQ(fused(R"(func f(x: f32[256,128]) {
    %0: f32[256,128] = exp(x)
    %1: f32[128][j] = %0[p,j]
    return %1
  })"),
            "");
}

// The sum over all rows first gives one sum for each block of them: those are the tiles.
TEST(Regions, BlocksOfALongSumAreTiles) {
  EXPECT_EQ(fused(R"(func f(x: f32[256,128]) {
    %0: f32[256,128] = exp(x)
    %1: f32[32,128][b,j] = %0[8*b+p,j]; p<8
    %2: f32[128][j] = %1[p,j]
    return %2
  })"),
            "fuse_regions: %1 %2\n");
}

TEST(Regions, RowsThatOverlapAreRefused) {
  EXPECT_EQ(fused(R"(func f(x: f32[256,128]) {
    %0: f32[256,128] = exp(x)
    %1: f32[256,128][i,j] = %0[i+p-1,j]; p<3
    return %1
  })"),
            "");
}

TEST(Regions, AReaderOutsideGetsTheValue) {
  EXPECT_EQ(fused(R"(func f(x: f32[256,128], w: f32[256,64]) {
    %0: f32[256,128] = exp(x)
    %1: f32[256][i] = %0[i,p]
    %2: f32[256,128][i,j] = %1[i]
    %3: f32[256,128] = div(%0, %2)
    %4: f32[64,128][i,j] = w[p,i] * %0[p,j]
    return %3, %4
  })"),
            "fuse_regions: %1 %2 %4\n");
}

TEST(Regions, ATableOfPlacesWithinTheRow) {
  EXPECT_EQ(fused(R"(func f(x: f32[256,128], t: i32[256]) {
    %0: i32[256] = check(t) {below=128, what="index"}
    %1: f32[256,128] = exp(x)
    %2: f32[256][i] = %1[i,%0[i]]
    %3: f32[256,128][i,j] = %2[i]
    %4: f32[256,128] = div(%1, %3)
    return %4
  })"),
            "fuse_regions: %1 %4 %6\n");
}

TEST(Regions, ATableOfRowsIsRefused) {
  EXPECT_EQ(fused(R"(func f(x: f32[256,128], t: i32[256]) {
    %0: i32[256] = check(t) {below=256, what="index"}
    %1: f32[256,128] = exp(x)
    %2: f32[256,128][i,j] = %1[%0[i],j]
    return %2
  })"),
            "");
}

TEST(Regions, ACheckBetweenIsRefused) {
  EXPECT_EQ(fused(R"(func f(x: f32[512,128], n: i32[512]) {
    %0: i32[512] = { n * 2 }
    %1: i32[512] = check(%0) {below=128, what="index"}
    %2: f32[512][i] = x[i,%1[i]]
    %3: f32[512] = exp(%2)
    return %3
  })"),
            "fuse_regions: %4 %5\n");
}

TEST(Regions, APathThroughAProductKeepsThemApart) {
  const Function f = parse_function(R"(func f(x: f32[256,256], w: f32[256,256]) {
    %0: f32[256,256] = exp(x)
    %1: f32[256,256][i,j] = %0[i,p] * w[p,j]
    %2: f32[256][i] = %1[i,p]
    %3: f32[256,256][i,j] = %2[i]
    %4: f32[256,256] = add(%0, %3)
    return %4
  })");
  expect_right(f, 2e-4);
  const Fused made = fused(f);
  EXPECT_EQ(made.text, "fuse_regions: %4 %6\n");
  bool between = false;
  for (const MissReport& m : made.misses) between |= m.what == "fuse_regions" && m.reason.code == ReasonCode::between;
  EXPECT_TRUE(between);
}

// A product with light weights costs no more when it is cut: its rows are the tiles'.
TEST(Regions, ProductsWithLightWeightsAreCut) {
  constexpr const char* text = R"(func f(x: f32[256,128], w: f32[128,16], v: f32[128,16]) {
    %0: f32[256,128] = exp(x)
    %1: f32[256,16][i,j] = %0[i,p] * w[p,j]
    %2: f32[256,16] = tanh(%1)
    %3: f32[256,128][i,j] = %2[i,p] * v[j,p]
    %4: f32[256,128] = mul(%0, %3)
    return %4
  })";
  EXPECT_EQ(fused(text), "fuse_regions: %1 %4 %5 %6 %7\n");
  expect_right(parse_function(text), 1e-5);
}

// A batch of products reads each operand by the batch.
TEST(Regions, AttentionByHeads) {
  const Function f = parse_function(R"(func f(q: f32[16,64,32], k: f32[16,64,32], v: f32[16,64,32]) {
    %0: f32[16,64,64][b,s,t] = q[b,s,d] * k[b,t,d]
    %1: f32[16,64,64] = { %0 * 0.125 }
    %2: f32[16,64,64] = call softmax(%1) {dim=-1}
    %3: f32[16,64,32][b,s,d] = %2[b,s,t] * v[b,t,d]
    return %3
  })");
  EXPECT_EQ(fused(f).text, "fuse_regions: %2 %3 %4 %6\n");
  expect_right(f, 1e-5);
}

// Eight rows are eight tiles at most, which would leave half of sixteen workers idle.
TEST(Regions, FewerTilesThanWorkersAreNotMade) {
  const Function f = parse_function(R"(func f(x: f32[8,64,512]) {
    %0: f32[8,64][i,j] = x[i,j,p]
    %1: f32[8,64,512][i,j,k] = %0[i,j]
    %2: f32[8,64,512] = div(x, %1)
    %3: f32[8,64,512] = exp(%2)
    return %3
  })");
  CompileOptions options;
  for (const int threads : {2, 8, 16}) {
    options.threads = threads;
    EXPECT_EQ(testing::fused(f, {fusion::fuse_kernels, fusion::fuse_regions}, options).text,
              threads <= 8 ? "fuse_regions: %1 %3 %4\n" : "fuse_kernels: %3 %4\n")
        << threads;
  }
}

// A composite is cut where its body can be: rows for a softmax along the last dimension, nothing for one along the first.
TEST(Regions, CompositesThatPrimitivesCompute) {
  constexpr const char* rows = R"(func f(x: f32[256,128], w: f32[128], b: f32[128]) {
    %0, %1, %2: f32[256,128], f32[256,1], f32[256,1] = call layer_norm(x, w, b) {normalized_shape=[128], eps=1e-05}
    %3: f32[256,128] = call softmax(%0) {dim=-1}
    %4: f32[256,128] = square(%3)
    return %4
  })";
  EXPECT_EQ(fused(rows), "fuse_regions: %3 %4 %5\n");
  expect_right(parse_function(rows), 1e-5);
  constexpr const char* columns = R"(func f(x: f32[256,128]) {
    %0: f32[256,128] = exp(x)
    %1: f32[256,128] = call softmax(%0) {dim=0}
    %2: f32[256,128] = square(%1)
    return %2
  })";
  EXPECT_EQ(fused(columns), "");
  expect_right(parse_function(columns), 1e-5);
}

// Too little work to be cut: everything that touches it is one step, whatever it reads of what.
TEST(Regions, SmallOnesNeedNoTiles) {
  constexpr const char* text = R"(func f(x: f32[16,8]) {
    %0: f32[16,8] = exp(x)
    %1: f32[8][j] = %0[p,j]
    %2: f32[16,8][i,j] = %1[j]
    %3: f32[16,8] = div(%0, %2)
    %4: f32[][] = %3[p,q]
    return %3, %4
  })";
  EXPECT_EQ(fused(text), "fuse_regions: %1 %2 %4 %5\n");
  on_each_machine([&](const CompileOptions& here) { EXPECT_EQ(kernel_of(text, here), "region of 4 nodes, 3 kernels, 1 tiles"); });
}

// Functions whose rows differ in more than what they read: masks on the row, and tensors that are placed at some rows. ROWS stands for the number of rows, LAST for
// one less, TWICE and MORE for larger tensors.
struct RowsProgram {
  const char* name;
  const char* text;
};
constexpr RowsProgram rows_programs[] = {
    {"mask_alone", R"(func f(x: f32[ROWS,128]) {
      %0: f32[ROWS,128] = tanh(x)
      %1: bool[ROWS,128] = { true }
      %2: bool[ROWS,128][i,j] = %1[i,j]; 0<=i-j<128
      %3: f32[ROWS,128] = map(%2, %0) { where(%2, %0, 0.25) }
      return %3
    })"},
    {"causal_attention", R"(func f(s: f32[2,ROWS,ROWS], v: f32[2,ROWS,16]) {
      %0: bool[ROWS,ROWS] = { true }
      %1: bool[ROWS,ROWS][i,j] = %0[i,j]; 0<=i-j<ROWS
      %2: bool[2,ROWS,ROWS][b,i,j] = %1[i,j]
      %3: f32[2,ROWS,ROWS] = map(%2, s) { where(%2, s, -5) }
      %4: f32[2,ROWS,ROWS] = call softmax(%3) {dim=2}
      %5: f32[2,ROWS,16][b,i,j] = %4[b,i,p] * v[b,p,j]
      return %5
    })"},
    {"factorless_mask", R"(func f(x: f32[ROWS,200]) {
      %0: f32[ROWS,200] = tanh(x)
      %1: f32[ROWS,200][i,j] = 0.5 ; i<ROWS, j<200, 0<=j-i<200
      %2: f32[ROWS,200] = mul(%0, %1)
      %3: f32[ROWS][i] = %2[i,p]
      return %2, %3
    })"},
    {"concat_of_ones_and_zeros", R"(func f(x: f32[TWICE,128]) {
      %0: f32[TWICE,128] = tanh(x)
      %1: f32[ROWS,128] = { 1 }
      %2: f32[TWICE,128][i,j] = %1[i,j]
      %3: f32[TWICE,128] = mul(%0, %2)
      return %3
    })"},
    {"padded", R"(func f(x: f32[ROWS,200]) {
      %0: f32[ROWS,200] = exp(x)
      %1: f32[MORE,202][i+1,j+1] = %0[i,j]
      %2: bool[ROWS,200] = { true }
      %3: bool[MORE,202][i+1,j+1] = %2[i,j]
      %4: f32[MORE,202] = map(%3, %1) { where(%3, %1, 0.5) }
      return %4
    })"},
    {"one_entry", R"(func f(x: f32[ROWS,200], g: f32[]) {
      %0: f32[ROWS,200] = exp(x)
      %1: f32[ROWS,200][LAST,7] = g[]
      %2: f32[ROWS,200] = mul(%0, %1)
      return %2
    })"},
    {"table_beside_the_row", R"(func f(x: f32[ROWS,200], t: i32[200]) {
      %0: i32[200] = check(t) {below=4, what="index"}
      %1: f32[ROWS,200] = exp(x)
      %2: f32[ROWS,200][i,j] = %1[i+%0[j],j]
      %3: f32[ROWS,200] = mul(%1, %2)
      return %3
    })"},
};

class RegionsOfRows : public ::testing::TestWithParam<RowsProgram> {};

TEST_P(RegionsOfRows, AreRightOnBothSidesOfEverySize) {
  for (const std::int64_t rows : {2, 7, 96, 100, 101, 128, 257, 1000}) {
    if (rows == 1000 && std::string_view(GetParam().name) == "causal_attention") continue;  // too many products for the reference
    std::string text = GetParam().text;
    for (const auto& [word, number] : {std::pair<std::string_view, std::int64_t>{"ROWS", rows}, {"LAST", rows - 1}, {"TWICE", 2 * rows}, {"MORE", rows + 2}})
      for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word)) text.replace(at, word.size(), std::to_string(number));
    SCOPED_TRACE(rows);
    expect_right(parse_function(text), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, RegionsOfRows, ::testing::ValuesIn(rows_programs), [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace cotan::testing
