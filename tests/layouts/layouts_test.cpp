// Blocks of channels: which tensors are put into them, where they stay, and that the results are the same. Blocks are as large as the library makes them here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "autograd/differentiate.h"
#include "graph/builder.h"
#include "graph/layouts/blocking.h"
#include "tests/fusion/fused.h"
#include "tests/sums_algebra/passes.h"
#include "tests/support/last_evaluation.h"
#include "tests/support/machines.h"
#include "training/models.h"

namespace cotan::testing {
namespace {

Ref input(const std::string& name, const Shape& shape) { return graph::parameter(name, f32, shape); }

// The blocks of channels that the backends want on this machine; 1: none.
std::int64_t channels_of_a_block() {
  const Ref y = graph::convolution2d(input("x", {8, 32, 12, 12}), input("w", {32, 32, 3, 3}), {.padding = 1});
  for (const Backend* backend : backends())
    for (const Blocking& blocking : backend->blockings(y, {}))
      if (const auto split = one_split(blocking)) return split->block;
  return 1;
}

// The results and the gradients of their sum of products with other tensors.
Function with_gradients(const Ref& y, std::vector<Ref> parameters) {
  const Ref seed = input("seed", y.shape()), outputs[] = {y}, seeds[] = {seed};
  Function f{"f", parameters, {y}, {}};
  for (const Ref& r : vjp(outputs, seeds, parameters)) f.results.push_back(r);
  f.parameters.push_back(seed);
  return f;
}

// How many copies of each tensor go into blocks or out of them. Equal copies are one node.
std::map<const Node*, int> reorders(const Function& f) {
  std::map<const Node*, int> counts;
  for (const Node* n : topological(f.results)) {
    if (n->kind != Kind::sum || n->operand_count != 1 || is_view(*n)) continue;
    const auto& spec = n->as<SumSpec>();
    const auto splits = [](const Access& access) { return std::ranges::any_of(access, [](const IndexExpr& e) { return e.terms.size() > 1; }); };
    const bool permutes = is_injective(spec.output, spec.domain) && is_injective(spec.factors[0], spec.domain);
    if (permutes && n->shape.elements() == n->operand(0).shape().elements() && (splits(spec.output) || splits(spec.factors[0]))) ++counts[n->operand(0).node()];
  }
  return counts;
}

TEST(Blocking, OneDimensionIsSplitInTwoDigits) {
  const Blocking blocking = blocking_of({8, 32, 6, 5}, 1, 16);
  EXPECT_EQ(shape_of(blocking), (Shape{8, 2, 6, 5, 16}));
  const auto split = one_split(blocking);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->dimension, 1);
  EXPECT_EQ(split->block, 16);
  EXPECT_EQ(split->place, 4);
  EXPECT_FALSE(one_split({{0, 8, 1}, {1, 4, 1}}));                                       // nothing is
  EXPECT_FALSE(one_split({{0, 2, 16}, {1, 2, 16}, {2, 3, 1}, {1, 16, 1}, {0, 16, 1}}));  // two are
  EXPECT_FALSE(one_split({{0, 2, 16}, {2, 3, 1}, {1, 4, 1}, {0, 16, 1}}));               // others change places
}

TEST(Blocking, IntoBlocksAndOutOfThemIsTheTensorItself) {
  const Ref x = input("x", {3, 32, 2, 5});
  for (const Blocking& blocking : {blocking_of(x.shape(), 1, 8), Blocking{{1, 4, 8}, {0, 3, 1}, {3, 5, 1}, {2, 2, 1}, {1, 8, 1}}}) {
    const Ref blocks = into_blocks(x, blocking);
    EXPECT_FALSE(is_view(*blocks.node()));
    const Function f{"f", {x}, {out_of_blocks(blocks, blocking, x.shape())}, {}};
    const auto values = numbers(f);
    EXPECT_EQ(run_compiled(f, values)[0].values, values[0].values);
    EXPECT_EQ(reference::evaluate(f, values, {.exact = true})[0].values, values[0].values);
  }
}

TEST(Blocking, SumsThatLookAtSplitChannelsOtherwiseAreLeft) {
  const Shape shapes[] = {{4, 30}, {4, 32}};
  SumSpec shifted{
      .coefficient = 1, .domain = {4, 30}, .output = {index_of(0), index_of(1)}, .factors = {{index_of(0), index_of(1) + IndexExpr(2)}}, .guards = {}};
  const Blocking blockings[] = {{}, blocking_of(shapes[1], 1, 16)};
  EXPECT_FALSE(in_blocks(shifted, shapes, blockings));
}

TEST(Layouts, ANetStaysInBlocksFromTheFirstConvolutionToTheLast) {
  const std::int64_t b = channels_of_a_block();
  if (b == 1) return;  // the library has no blocks on this machine: nothing to state
  const std::string made = after_passes(R"(
func net(x: f32[2,1,8,8], k: f32[32,1,3,3], v: f32[32], q: f32[64,32,3,3]) {
  %0: f32[2,32,8,8][i,j,l,m] = k[j,0,p,r] * x[i,0,l+p-1,m+r-1]
  %1: f32[2,32,8,8][i,j,l,m] = v[j]
  %2: f32[2,32,8,8] = add(%0, %1)
  %3: f32[2,32,8,8] = relu(%2)
  %4: f32[2,32,4,4][i,j,l,m] = max %3[i,j,2*l+p,2*m+r]; p<2, r<2
  %5: f32[2,64,4,4][i,j,l,m] = q[j,p,r,s] * %4[i,p,l+r-1,m+s-1]
  return y=%5
})",
                                        "-all,+layouts");
  const std::string B = fmt::to_string(b), in = fmt::to_string(32 / b), out = fmt::to_string(64 / b);
  for (const char* line : {"= max %", "= relu(%", "= add(%"}) {
    const std::size_t at = made.find(line);
    ASSERT_NE(at, std::string::npos) << made;
    const std::size_t start = made.rfind('\n', at) + 1;
    EXPECT_NE(made.substr(start, at - start).find(fmt::format("f32[2,{},", in)), std::string::npos) << made;
    EXPECT_NE(made.substr(start, at - start).find("," + B + "]"), std::string::npos) << made;
  }
  // The weights go into blocks, the result out of them, and nothing else is moved.
  EXPECT_NE(made.find(fmt::format("f32[2,64,4,4][i,{}*j+l,m,n] = %", B)), std::string::npos) << made;
  const Function f = after_passes(parse_function(R"(
func net(x: f32[2,1,8,8], k: f32[32,1,3,3], q: f32[64,32,3,3]) {
  %0: f32[2,32,8,8][i,j,l,m] = k[j,0,p,r] * x[i,0,l+p-1,m+r-1]
  %1: f32[2,32,8,8] = relu(%0)
  %2: f32[2,64,8,8][i,j,l,m] = q[j,p,r,s] * %1[i,p,l+r-1,m+s-1]
  return y=%2
})"),
                                  "-all,+layouts");
  EXPECT_LE(reorders(f).size(), 3u) << to_text(f);
}

TEST(Layouts, ATensorGoesIntoBlocksOnceForAllItsReaders) {
  const Ref x = input("x", {4, 32, 10, 10}), w = input("w", {64, 32, 3, 3});
  const Function plain = with_gradients(graph::convolution2d(x, w, {.padding = 1}), {x, w});
  const Function f = after_passes(plain, "-all,+layouts");
  // The weights twice, since the two directions want different ones; x and the seed once.
  for (const auto& [tensor, count] : reorders(f)) EXPECT_LE(count, tensor == w.node() ? 2 : 1) << to_text(f);
}

TEST(Layouts, TheSwitchLeavesPlainTensorsAndUnfusedProgramsKeepBlocks) {
  const Ref x = input("x", {4, 32, 10, 10}), w = input("w", {64, 32, 3, 3});
  const Function plain = with_gradients(graph::convolution2d(x, w, {.padding = 1}), {x, w});
  EXPECT_EQ(to_text(after_passes(plain, "-all")), to_text(plain));
  EXPECT_EQ(to_text(after_passes(plain, "-all,+layouts")), to_text(after_passes(plain, "-all,+layouts," + without_fusion().text())));
  EXPECT_EQ(without_fusion().text().find("layouts"), std::string::npos);
}

struct Net {
  const char* name;
  std::function<Function()> make;
};

// Strides, padding, dilation, channels that are no whole blocks, groups, one to three dimensions, poolings of both kinds, residuals, one block alone.
const Net nets[] = {
    {"residual",
     [] {
       const Ref x = input("x", {2, 32, 6, 6}), w = input("w", {32, 32, 3, 3}), b = input("b", {32});
       const Ref shift = graph::broadcast(graph::reshape(b, {.shape = {32, 1, 1}}), {2, 32, 6, 6});
       const Ref y = graph::relu(graph::add(graph::convolution2d(x, w, {.padding = 1}), shift));
       return with_gradients(graph::relu(graph::add(graph::convolution2d(y, w, {.padding = 1}), y)), {x, w, b});
     }},
    {"one block",
     [] {
       const Ref x = input("x", {2, 16, 8, 7}), w = input("w", {16, 16, 3, 3}), v = input("v", {8, 16, 3, 3});
       return with_gradients(graph::convolution2d(graph::tanh(graph::convolution2d(x, w, {.stride = 2, .padding = 1})), v, {.padding = 1}), {x, w, v});
     }},
    {"odd channels",
     [] {
       const Ref x = input("x", {2, 3, 9, 9}), w = input("w", {24, 3, 3, 3}), v = input("v", {20, 24, 3, 3}), u = input("u", {48, 20, 3, 3});
       const Ref y = graph::relu(graph::convolution2d(graph::relu(graph::convolution2d(x, w, {.padding = 1})), v, {.dilation = 2}));
       return with_gradients(graph::convolution2d(y, u), {x, w, v, u});
     }},
    {"poolings",
     [] {
       const Ref x = input("x", {2, 32, 13, 12}), w = input("w", {32, 32, 3, 3});
       const Ref y = graph::max_pool2d(graph::tanh(graph::convolution2d(x, w, {.padding = 1})), {.kernel_size = 3, .stride = 2, .padding = 1});
       return with_gradients(graph::convolution2d(graph::avg_pool2d(y, {.kernel_size = 2}), w), {x, w});
     }},
    {"one dimension",
     [] {
       const Ref x = input("x", {2, 32, 20}), w = input("w", {32, 32, 5});
       return with_gradients(graph::convolution1d(graph::exp(graph::convolution1d(x, w, {.padding = 2})), w), {x, w});
     }},
    {"pointwise between",
     [] {
       const Ref x = input("x", {2, 32, 6, 6}), w = input("w", {32, 32, 3, 3}), v = input("v", {64, 32, 1, 1});
       const Ref y = graph::relu(graph::convolution2d(graph::relu(graph::convolution2d(x, w, {.padding = 1})), v));
       return with_gradients(graph::convolution2d(y, input("u", {32, 64, 3, 3})), {x, w, v, input("u", {32, 64, 3, 3})});
     }},
    {"one image",
     [] {
       const Ref x = input("x", {1, 32, 8, 8}), w = input("w", {48, 32, 3, 3});
       return with_gradients(graph::relu(graph::convolution2d(x, w, {.padding = 1})), {x, w});
     }},
};

TEST(Layouts, NetsAndTheirGradientsAreRight) {
  for (const Net& net : nets) {
    SCOPED_TRACE(net.name);
    expect_right(net.make(), 2e-5);
  }
}

// Kernels of a training step whose name has this part.
int count(const ProgramReport& report, std::string_view part) {
  return static_cast<int>(std::ranges::count_if(report.kernels, [&](const auto& k) { return k.name.find(part) != std::string::npos; }));
}

// Two convolutions: the images have one channel and stay as they are; each weight is brought into blocks once for each direction that reads it (there is no
// gradient of the images) and its gradient out of them; what the linear layer reads comes out of blocks, and its gradient goes into them.
TEST(Layouts, ATrainingStepHasOneReorderForEachInputWeightAndDirection) {
  if (channels_of_a_block() == 1) return;  // as above
  for (const PassSwitches& passes : {PassSwitches(), without_fusion()}) {
    const bool fused = passes == PassSwitches();
    ExecutionOptions options;
    options.passes = passes;
    const LastEvaluation step = last_evaluation(options, [] { (void)training::model("cnn").make().step(); });
    on_each_machine(step.options, {1, 2, 4}, [&](const CompileOptions& here) {
      SCOPED_TRACE(passes.text());
      const ProgramReport report = step.compiled(here);
      // Fused, the forward ones are in a region with their poolings, the second one where half of the second cache holds its weights.
      const bool holds_weights = here.backends.target.second_cache / 2 >= 4 * 64 * 32 * 5 * 5;
      EXPECT_EQ(count(report, "convolution"), !fused ? 5 : holds_weights ? 3 : 4);
      // Inside of a convolution nothing is copied but images of one channel, which are in no blocks: some of the library's kernels want them padded.
      for (const KernelReport& k : report.kernels)
        EXPECT_TRUE(k.name.find("reorders:") == std::string::npos || k.name.find(" 64x1x28x28,") != std::string::npos) << k.name;
      // The first convolution's weights are too few for the library's copies; a region may take a copy with the map before it.
      const int copies = count(report, "oneDNN reorder");
      if (fused) {
        EXPECT_LE(copies, 5);
      } else {
        EXPECT_EQ(copies, 5);
      }
      EXPECT_EQ(count(report, "copy"), 0);
    });
  }
}

}  // namespace
}  // namespace cotan::testing
