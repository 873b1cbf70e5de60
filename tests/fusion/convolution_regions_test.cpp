// Convolutions with their activations and poolings as regions over the batch: which are, what a tile is computed by, that the bits are those of the whole, and
// that nothing as large as a convolution's result is stored. Numbers are places in the function's order, parameters included.
#include <gmock/gmock.h>

#include <cstring>

#include "autograd/differentiate.h"
#include "graph/builder.h"
#include "graph/composites/composites.h"
#include "graph/fusion/region_claim.h"
#include "graph/recognise.h"
#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

using ::testing::HasSubstr;

struct Case {
  const char* name;
  std::string text;
  std::string regions;  // what comes out; empty: none
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

// Sizes of the images and of the convolution's result, which has 8 channels.
struct Sizes {
  std::int64_t batch = 12, channels = 3, input = 16, output = 16;
};
// A convolution by `kernel`, then a bias and relu, then `pooling` of %3.
std::string net(const char* kernel, const char* convolution, const char* pooling, const Sizes& sizes = {}) {
  return fmt::format(R"(func f(x: f32[{0},{1},{2},{2}], k: {4}, b: f32[8]) {{
    %0: f32[{0},8,{3},{3}][i,j,l,m] = {5}
    %1: f32[{0},8,{3},{3}][i,j,l,m] = b[j]
    %2: f32[{0},8,{3},{3}] = add(%0, %1)
    %3: f32[{0},8,{3},{3}] = relu(%2)
    %4: {6}
    return y=%4
  }})",
                     sizes.batch, sizes.channels, sizes.input, sizes.output, kernel, convolution, pooling);
}
constexpr const char* taps = "f32[8,3,3,3]";
constexpr const char* padded = "x[i,p,l+r-1,m+s-1] * k[j,p,r,s]";
constexpr const char* halves = "f32[12,8,8,8][i,j,l,m] = max %3[i,j,2*l+p,2*m+r]; p<2, r<2";

const std::string all = "fuse_regions: %2 %5 %6 %7\n";
const Case cases[] = {
    {"MaxPooling", net(taps, padded, halves), all},
    {"AveragePooling", net(taps, padded, "f32[12,8,8,8][i,j,l,m] = 0.25 * %3[i,j,2*l+p,2*m+r]; p<2, r<2"), all},
    {"WindowsThatOverlap", net(taps, padded, "f32[12,8,7,7][i,j,l,m] = max %3[i,j,2*l+p,2*m+r]; p<3, r<3"), all},
    {"AllPositions", net(taps, padded, "f32[12,8][i,j] = 0.00390625 * %3[i,j,p,q]"), all},
    {"DilationAndPadding", net(taps, "x[i,p,l+2*r-2,m+2*s-2] * k[j,p,r,s]", halves), all},
    {"Stride", net(taps, "x[i,p,2*l+r-1,2*m+s-1] * k[j,p,r,s]", halves, {.input = 32}), all},
    {"EachChannelByItself", net("f32[8,3,3]", "x[i,j,l+r-1,m+s-1] * k[j,r,s]", halves, {.channels = 8}), all},
    {"TwoGroups",
     R"(func f(x: f32[12,4,16,16], k: f32[8,2,3,3]) {
       %0: f32[12,8,16,16][i,4*g+j,l,m] = x[i,2*g+p,l+r-1,m+s-1] * k[4*g+j,p,r,s]; g<2, j<4, p<2
       %1: f32[12,8,16,16] = relu(%0)
       %2: f32[12,8,8,8][i,j,l,m] = max %1[i,j,2*l+p,2*m+r]; p<2, r<2
       return %2
     })",
     "fuse_regions: %2 %3 %4\n"},
    {"MaximumOfTwoImages", net(taps, padded, "f32[6,8,16,16][i,j,l,m] = max %3[2*i+p,j,l,m]; p<2"), all},
    // There is nothing to cut; the last map and the pooling are a step without tiles.
    {"OneImage", net(taps, padded, "f32[1,8,16,16][i,j,l,m] = max %3[i,j,2*l+p,2*m+r]; p<2, r<2", {.batch = 1, .input = 32, .output = 32}),
     "fuse_regions: %6 %7\n"},
    // Here a tile would need an image of the next one.
    {"ImagesThatOverlap", net(taps, padded, "f32[11,8,16,16][i,j,l,m] = max %3[i+p,j,l,m]; p<2"), "fuse_regions: %2 %5 %6\n"},
    // The primitive would bring these weights into blocks for each tile.
    {"WeightsInPlainLayout",
     R"(func f(x: f32[4,64,6,6], k: f32[64,64,3,3]) {
       %0: f32[4,64,6,6][i,j,l,m] = x[i,p,l+r-1,m+s-1] * k[j,p,r,s]
       %1: f32[4,64,6,6] = relu(%0)
       %2: f32[4,64,3,3][i,j,l,m] = max %1[i,j,2*l+p,2*m+r]; p<2, r<2
       return %2
     })",
     "fuse_regions: %3 %4\n"},
};

Fused fused(const Function& f) { return testing::fused(f, {fusion::fuse_regions}); }

class ConvolutionRegions : public ::testing::TestWithParam<Case> {};

TEST_P(ConvolutionRegions, AreThese) {
  const Function f = parse_function(GetParam().text);
  EXPECT_EQ(fused(f).text, GetParam().regions);
  expect_right(f, 2e-5);
}

INSTANTIATE_TEST_SUITE_P(Cases, ConvolutionRegions, ::testing::ValuesIn(cases), [](const auto& info) { return std::string(info.param.name); });

// Two convolutions, each with a bias, relu and a pooling; the second one's weights are too many to be brought into blocks for each tile.
Function two_convolutions(std::int64_t batch) {
  return parse_function(fmt::format(R"(func net(x: f32[{0},3,16,16], k: f32[32,3,3,3], b: f32[32], q: f32[64,32,3,3], c: f32[64]) {{
    %0: f32[{0},32,16,16][i,j,l,m] = x[i,p,l+r-1,m+s-1] * k[j,p,r,s]
    %1: f32[{0},32,16,16][i,j,l,m] = b[j]
    %2: f32[{0},32,16,16] = add(%0, %1)
    %3: f32[{0},32,16,16] = relu(%2)
    %4: f32[{0},32,8,8][i,j,l,m] = max %3[i,j,2*l+p,2*m+r]; p<2, r<2
    %5: f32[{0},64,8,8][i,j,l,m] = %4[i,p,l+r-1,m+s-1] * q[j,p,r,s]
    %6: f32[{0},64,8,8][i,j,l,m] = c[j]
    %7: f32[{0},64,8,8] = add(%5, %6)
    %8: f32[{0},64,8,8] = tanh(%7)
    %9: f32[{0},64,4,4][i,j,l,m] = 0.25 * %8[i,j,2*l+p,2*m+r]; p<2, r<2
    return y=%9
  }})",
                                    batch));
}

std::shared_ptr<const Program> compiled(const Function& f, std::string_view passes = "", CompileOptions options = {}) {
  options.passes = PassSwitches(passes);
  return compile_program(f, topological(f.results), options);
}

// The names of all kernels, those in regions in their place.
std::vector<std::string> kernels(const ProgramReport& report) {
  std::vector<std::string> names;
  for (const KernelReport& k : report.kernels) {
    if (k.parts.empty()) names.push_back(k.name);
    names.insert(names.end(), k.parts.begin(), k.parts.end());
  }
  return names;
}

// How the library computes what the names with this part stand for: their last words.
std::vector<std::string> implementations(const ProgramReport& report, std::string_view part) {
  std::vector<std::string> all;
  for (std::string name : kernels(report)) {
    if (name.find(part) == std::string::npos) continue;
    if (const std::size_t tiles = name.rfind(", "); tiles != std::string::npos && name.ends_with(" tiles")) name.erase(tiles);
    all.push_back(name.substr(name.find("jit:") == std::string::npos ? name.rfind(' ') + 1 : name.find("jit:")));
  }
  return all;
}

const KernelReport* region_of(const ProgramReport& report) {
  const KernelReport* largest = nullptr;
  for (const KernelReport& k : report.kernels)
    if (k.name.starts_with("region of ") && (largest == nullptr || k.parts.size() > largest->parts.size())) largest = &k;
  return largest;
}

TEST(ConvolutionRegion, ATileHasThePrimitivesOfTheWhole) {
  const Function f = two_convolutions(16);
  const auto whole = compiled(f, "-fuse_regions"), tiled = compiled(f);
  const KernelReport* region = region_of(tiled->report());
  ASSERT_NE(region, nullptr);
  for (const char* what : {"convolution", "pooling"}) {
    EXPECT_EQ(implementations(tiled->report(), what), implementations(whole->report(), what)) << what;
    EXPECT_EQ(std::ranges::count_if(region->parts, [&](const std::string& n) { return n.find(what) != std::string::npos; }), 2) << what;
  }
  // Both convolutions end with what followed them.
  const auto all = kernels(tiled->report());
  EXPECT_EQ(std::ranges::count_if(all, [](const std::string& n) { return n.find(", then add") != std::string::npos; }), 2);
  // The weights go into blocks once, outside.
  for (const std::string& part : region->parts) EXPECT_EQ(part.find("weights"), std::string::npos) << part;
  EXPECT_GE(region->chunks, 8);
}

TEST(ConvolutionRegion, StoresNothingAsLargeAsAConvolution) {
  const Function f = two_convolutions(16);
  const std::int64_t first = 16 * 32 * 16 * 16 * 4;  // bytes of its result
  EXPECT_GE(compiled(f, "-fuse_regions")->report().temporary_bytes, first);
  EXPECT_LT(compiled(f)->report().temporary_bytes, first / 2);
}

std::vector<std::vector<double>> values(const Function& f, std::string_view passes, bool reproducible) {
  CompileOptions options;
  options.passes = PassSwitches(passes);
  options.threads = 2;
  options.backends.reproducible = reproducible;
  std::vector<std::vector<double>> all;
  for (const reference::Array& a : run_compiled(f, numbers(f), options)) all.push_back(a.values);
  return all;
}

// A convolution computes one image after the other, so that the bits do not depend on the tile.
TEST(ConvolutionRegion, HasTheBitsOfTheWhole) {
  std::vector<Function> functions{two_convolutions(16), two_convolutions(6)};
  for (const Case& c : cases)
    if (c.regions == all) functions.push_back(parse_function(c.text));
  for (const Function& f : functions)
    for (const bool reproducible : {false, true}) {
      SCOPED_TRACE(to_text(f));
      EXPECT_EQ(values(f, "", reproducible), values(f, "-fuse_regions", reproducible));
      CompileOptions options;
      options.backends.reproducible = reproducible;
      EXPECT_NE(region_of(compiled(f, "", options)->report()), nullptr);
    }
}

TEST(ConvolutionRegion, TwoConvolutionsAreRight) { expect_right(two_convolutions(4), 1e-4); }

// At least one tile for each worker, or no region.
TEST(ConvolutionRegion, EveryWorkerHasATile) {
  for (const int threads : {1, 2, 4, 8, 16}) {
    CompileOptions options;
    options.threads = threads;
    const auto program = compiled(two_convolutions(8), "", options);
    const KernelReport* region = region_of(program->report());
    if (region != nullptr && region->parts.size() > 2) {
      EXPECT_GE(region->chunks, threads);
    }
    EXPECT_EQ(region != nullptr && region->parts.size() > 4, threads <= 8) << threads;
  }
}

// The gradient of the pooling reads what the pooling left for it, tile by tile; the convolution's result is not stored in training either.
TEST(ConvolutionRegion, LeavesToTheGradientOfAPoolingWhatItWants) {
  const auto input = [](const char* name, const Shape& shape) { return graph::parameter(name, f32, shape); };
  const Ref x = input("x", {8, 3, 16, 16}), w = input("w", {32, 3, 3, 3}), b = input("b", {32});
  const Ref shift = graph::broadcast(graph::reshape(b, {.shape = {32, 1, 1}}), {8, 32, 16, 16});
  const Ref h = graph::relu(graph::add(graph::convolution2d(x, w, {.padding = 1}), shift));
  for (const MaxPool2dOptions& pooling : {MaxPool2dOptions{.kernel_size = 2}, MaxPool2dOptions{.kernel_size = 3, .stride = 2, .padding = 1}}) {
    const Ref y = graph::max_pool2d(h, pooling), seed = input("seed", y.shape()), outputs[] = {y}, seeds[] = {seed};
    Function f{"f", {x, w, b, seed}, {y}, {}};
    const Ref parameters[] = {x, w, b};
    for (const Ref& r : vjp(outputs, seeds, parameters)) f.results.push_back(r);
    const auto program = compiled(f);
    const KernelReport* region = region_of(program->report());
    ASSERT_NE(region, nullptr);
    const auto has = [](const std::vector<std::string>& names, const char* what) {
      return std::ranges::any_of(names, [&](const std::string& n) { return n.find(what) != std::string::npos; });
    };
    EXPECT_TRUE(has(region->parts, "oneDNN convolution")) << fmt::format("{}", fmt::join(region->parts, "\n"));
    EXPECT_TRUE(has(region->parts, "max pooling"));
    EXPECT_TRUE(has(kernels(program->report()), "max pooling backward"));
    EXPECT_FALSE(has(kernels(program->report()), "argmax"));
    EXPECT_EQ(values(f, "", false), values(f, "-fuse_regions", false));
    expect_right(f, 1e-4);
  }
}

// One image of these is too little work for a primitive, and 61 images can only be cut one by one.
TEST(ConvolutionRegion, FallsApartWhereNoPrimitiveTakesATile) {
  const Function f = parse_function(R"(func f(x: f32[61,1,16,16], k: f32[1,1,3,3]) {
    %0: f32[61,1,16,16][i,j,l,m] = x[i,p,l+r-1,m+s-1] * k[j,p,r,s]
    %1: f32[61,1,16,16] = exp(%0)
    %2: f32[61,1,8,8][i,j,l,m] = max %1[i,j,2*l+p,2*m+r]; p<2, r<2
    return %2
  })");
  EXPECT_EQ(fused(f).text, "fuse_regions: %2 %3 %4\n");
  const auto program = compiled(f, "-fuse_epilogues");
  EXPECT_EQ(region_of(program->report()), nullptr);
  EXPECT_THAT(fmt::format("{}", fmt::join(kernels(program->report()), "\n")), HasSubstr("oneDNN convolution 61x1x16x16"));
  const auto& misses = program->report().misses;
  const auto miss = std::ranges::find_if(misses, [](const MissReport& m) { return m.what == "fuse_regions"; });
  ASSERT_NE(miss, misses.end());
  EXPECT_EQ(miss->reason.code, ReasonCode::primitive_refused);
  EXPECT_THAT(miss->reason.detail, HasSubstr("no primitive for a tile"));
  expect_right(f, 1e-5);
}

// The same planted: a product that is said to have a primitive and has none at any size.
TEST(ConvolutionRegion, APlantedRefusalIsTheClaimsReason) {
  const Function f = parse_function(R"(func f(x: i32[16,64,16], k: i32[16,3]) {
    %0: i32[16,64,3][i,l,j] = x[i,l,p] * k[p,j]
    return %0
  })");
  const Node* product = f.results[0].node();
  after({}, f, {}, [&](const Groups& groups) {
    for (const bool planted : {false, true}) {
      const fusion::RegionClaim region =
          fusion::claim_region(groups, groups.of(product), 4, planted ? std::unordered_set<const Node*>{product} : std::unordered_set<const Node*>{});
      std::vector<View> in;
      for (const Ref& r : region.claim.inputs) in.push_back(View::dense(r.dtype(), r.shape()));
      const View out[] = {View::dense(i32, f.results[0].shape())};
      const Made made = region.claim.compile(in, out, 1);
      EXPECT_EQ(made.kernel == nullptr, planted);
      if (planted) {
        EXPECT_EQ(made.reason.code, ReasonCode::primitive_refused);
      }
    }
  });
}

}  // namespace
}  // namespace cotan::testing
