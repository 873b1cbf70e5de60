// Chains of maps in the kernels of products and convolutions: which nodes become one group, what is computed, and why a chain ends.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/differentiate.h"
#include "graph/builder.h"
#include "graph/composites/composites.h"
#include "graph/passes/passes.h"
#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// What the fusions of this file make of a function.
Fused fused(const Function& f, const CompileOptions& options = {}) {
  return testing::fused(f, {fusion::fuse_updates_into_products, fusion::fuse_epilogues}, options);
}
std::string fused(std::string_view text) { return fused(parse_function(text)).text; }

// The reason why the chain of the text's function ends.
MissReport miss_of(std::string_view text, const CompileOptions& options = {}) {
  const Fused f = fused(parse_function(text), options);
  if (f.misses.size() == 1) return f.misses[0];
  ADD_FAILURE() << f.misses.size() << " misses; groups:\n" << f.text;
  return {};
}

// The names of the compiled function's kernels.
// Without regions, which would hide the products in their tiles.
std::vector<std::string> kernels(const Function& f, int threads = 1, const BackendOptions& backends = {}) {
  CompileOptions options;
  options.passes = PassSwitches("-fuse_regions");
  options.threads = threads;
  options.backends = backends;
  const auto program = compile_program(f, topological(f.results), options);
  std::vector<std::string> names;
  for (const KernelReport& k : program->report().kernels) names.push_back(k.name);
  return names;
}

std::string layer(std::string_view activation) {
  return fmt::format(R"(func layer(x: f32[32,160], w: f32[160,64], b: f32[64]) {{
    %0: f32[32,64][i,j] = x[i,p] * w[p,j]
    %1: f32[32,64][i,j] = b[j]
    %2: f32[32,64] = add(%0, %1)
    %3: f32[32,64] = {}
    return y=%3
  }})",
                     activation);
}

TEST(Epilogues, EveryActivationBehindABias) {
  for (const char* activation : {"relu(%2)", "leaky_relu(%2) {negative_slope=0.2}", "elu(%2) {alpha=1.0}", "elu(%2) {alpha=0.5}", "tanh(%2)", "sigmoid(%2)",
                                 "exp(%2)", "square(%2)", "abs(%2)", "gelu(%2)", "silu(%2)", "relu6(%2)", "hardtanh(%2) {min_val=-0.25, max_val=0.5}",
                                 "clip(%2) {min=-0.25, max=0.25}", "neg(%2)", "{ 2 * %2 + 1 }", "{ 1 - (3 - %2) * 2 }"}) {
    SCOPED_TRACE(activation);
    const Function f = parse_function(layer(activation));
    EXPECT_EQ(fused(f).text, "fuse_epilogues: %2 %5 %6\n");
    const auto names = kernels(f);
    ASSERT_EQ(names.size(), 1u);
    EXPECT_THAT(names[0], HasSubstr("oneDNN matmul 32x160x64, then add, "));
    expect_right(f);
  }
}

TEST(Epilogues, EveryArrangementOfAProduct) {
  for (const char* text :
       {"func f(x: f32[160,32], w: f32[160,64], b: f32[64]) { %0: f32[32,64][i,j] = x[p,i] * w[p,j] %1: f32[32,64][i,j] = b[j] %2: f32[32,64] = add(%0, %1) "
        "%3: f32[32,64] = tanh(%2) return %3 }",
        "func f(x: f32[32,160], w: f32[64,160], b: f32[64]) { %0: f32[32,64][i,j] = x[i,p] * w[j,p] %1: f32[32,64][i,j] = b[j] %2: f32[32,64] = add(%0, %1) "
        "%3: f32[32,64] = tanh(%2) return %3 }",
        "func f(x: f32[160,32], w: f32[64,160], b: f32[64]) { %0: f32[32,64][i,j] = x[p,i] * w[j,p] %1: f32[32,64][i,j] = b[j] %2: f32[32,64] = add(%0, %1) "
        "%3: f32[32,64] = tanh(%2) return %3 }",
        // Batches, with a bias of each kind of reach.
        "func f(x: f32[5,12,48], w: f32[5,48,20], b: f32[20]) { %0: f32[5,12,20][n,i,j] = x[n,i,p] * w[n,p,j] %1: f32[5,12,20][n,i,j] = b[j] "
        "%2: f32[5,12,20] = add(%0, %1) %3: f32[5,12,20] = tanh(%2) return %3 }",
        "func f(x: f32[5,12,48], w: f32[48,20], b: f32[20]) { %0: f32[5,12,20][n,i,j] = x[n,i,p] * w[p,j] %1: f32[5,12,20][n,i,j] = b[j] "
        "%2: f32[5,12,20] = add(%0, %1) %3: f32[5,12,20] = tanh(%2) return %3 }",
        "func f(x: f32[5,12,48], w: f32[48,20], b: f32[5,12,20]) { %0: f32[5,12,20][n,i,j] = x[n,i,p] * w[p,j] %1: f32[5,12,20] = add(%0, b) "
        "%2: f32[5,12,20] = tanh(%1) return %2 }",
        "func f(x: f32[40,96], w: f32[96,64], s: f32[]) { %0: f32[40,64][i,j] = x[i,p] * w[p,j] %1: f32[40,64][i,j] = s[] %2: f32[40,64] = mul(%1, %0) "
        "%3: f32[40,64] = tanh(%2) return %3 }"}) {
    SCOPED_TRACE(text);
    const Function f = parse_function(text);
    EXPECT_THAT(fused(f).text, HasSubstr("fuse_epilogues:"));
    EXPECT_EQ(kernels(f).size(), 1u);  // cut for several workers, a loop behind the product may cost less
    expect_right(f);
  }
}

TEST(Epilogues, AResidualAndAScale) {
  const Function f = parse_function(R"(func f(x: f32[32,160], w: f32[160,64], b: f32[64], r: f32[32,64], s: f32[]) {
    %0: f32[32,64][i,j] = x[i,p] * w[p,j]
    %1: f32[32,64][i,j] = b[j]
    %2: f32[32,64] = add(%0, %1)
    %3: f32[32,64] = sub(r, %2)
    %4: f32[32,64][i,j] = s[]
    %5: f32[32,64] = { %3 * %4 / r }
    return %5
  })");
  EXPECT_EQ(kernels(f).size(), 1u);
  expect_right(f, 1e-5);
}

TEST(Epilogues, Convolutions) {
  for (const auto& [shapes, sum] : {std::pair("x: f32[4,3,10,10], w: f32[16,3,3,3]", "f32[4,16,10,10][n,o,i,j] = x[n,c,i+p-1,j+q-1] * w[o,c,p,q]; i<10, j<10"),
                                    {"x: f32[4,16,9,9], w: f32[32,16,3,3]", "f32[4,32,5,5][n,o,i,j] = x[n,c,2*i+p-1,2*j+q-1] * w[o,c,p,q]; i<5, j<5"},
                                    {"x: f32[4,32,8,8], w: f32[2,16,16,3,3]", "f32[4,32,6,6][n,16*g+o,i,j] = x[n,16*g+c,i+p,j+q] * w[g,o,c,p,q]; i<6, j<6"}}) {
    SCOPED_TRACE(sum);
    const std::string type = std::string(sum).substr(0, std::string(sum).find(']') + 1);
    const std::string channels = type.substr(type.find(',') + 1, type.find(',', type.find(',') + 1) - type.find(',') - 1);
    const Function f = parse_function(fmt::format(R"(func f({0}, b: f32[{1}], r: {2}) {{
      %0: {3}
      %1: {2}[n,o,i,j] = b[o]
      %2: {2} = add(%0, %1)
      %3: {2} = add(%2, r)
      %4: {2} = relu(%3)
      return %4
    }})",
                                                  shapes, channels, type, sum));
    const auto names = kernels(f);
    ASSERT_EQ(names.size(), 1u) << fmt::format("{}", fmt::join(names, "\n"));
    EXPECT_THAT(names[0], HasSubstr("convolution"));
    EXPECT_THAT(names[0], HasSubstr(", then add, add, relu"));
    for (int threads : {2, 4}) EXPECT_EQ(kernels(f, threads).size(), 1u);
    expect_right(f);
  }
}

TEST(Epilogues, WhyAChainEnds) {
  const MissReport several = miss_of(R"(func f(x: f32[32,160], w: f32[160,64]) {
    %0: f32[32,64][i,j] = x[i,p] * w[p,j]
    %1: f32[32,64] = tanh(%0)
    %2: f32[32,64] = sin(%0)
    return %1, %2
  })");
  EXPECT_EQ(several.reason.code, ReasonCode::several_readers);
  EXPECT_EQ(several.node, 2);
  EXPECT_EQ(miss_of("func f(x: f32[32,160], w: f32[160,64]) { %0: f32[32,64][i,j] = x[i,p] * w[p,j] %1: f32[32,64] = tanh(%0) return %0, %1 }").reason.code,
            ReasonCode::several_readers);
  const Reason sine = miss_of(layer("sin(%2)")).reason;
  EXPECT_EQ(sine.code, ReasonCode::not_recognised);
  EXPECT_EQ(sine.detail, "sin is no post-operation");
  EXPECT_EQ(fused(layer("sin(%2)")), "fuse_epilogues: %2 %5\n");
  // One number for each row: the library has its reference implementation alone.
  const Reason rows = miss_of(R"(func f(x: f32[32,160], w: f32[160,64], b: f32[32]) {
    %0: f32[32,64][i,j] = x[i,p] * w[p,j]
    %1: f32[32,64][i,j] = b[i]
    %2: f32[32,64] = add(%0, %1)
    return %2
  })")
                          .reason;
  EXPECT_EQ(rows.code, ReasonCode::layout);
  EXPECT_THAT(rows.detail, HasSubstr("repeats along some dimensions"));
  const Reason bits = miss_of("func f(x: f32[32,160], w: f32[160,64]) { %0: f32[32,64][i,j] = x[i,p] * w[p,j] %1: bool[32,64] = { %0 > 0 } return %1 }").reason;
  EXPECT_EQ(bits.code, ReasonCode::dtype);
  // A gradient by a convolution's source.
  const Reason backward = miss_of(R"(func f(g: f32[4,16,8,8], w: f32[16,8,3,3]) {
    %0: f32[4,8,8,8][n,c,i+p-1,j+q-1] = g[n,o,i,j] * w[o,c,p,q]
    %1: f32[4,8,8,8] = relu(%0)
    return %1
  })")
                              .reason;
  EXPECT_EQ(backward.code, ReasonCode::primitive_refused);
}

TEST(Epilogues, ReproducibleModeHasTheBitsOfLoops) {
  CompileOptions reproducible;
  reproducible.backends.reproducible = true;
  // What the library rounds in another way is a loop's in the product's kernel.
  for (const char* activation : {"exp(%2)", "gelu(%2)", "tanh(%2)", "sigmoid(%2)", "leaky_relu(%2) {negative_slope=0.25}", "relu(%2)", "abs(%2)", "relu6(%2)",
                                 "{ (1 - tanh(%2)) * 2 }"}) {
    SCOPED_TRACE(activation);
    const Function f = parse_function(layer(activation));
    EXPECT_NE(fused(f, reproducible).text, "");
    CompileOptions apart = reproducible;
    apart.passes = PassSwitches("-fuse_epilogues,-fuse_regions");
    const auto inputs = numbers(f);
    EXPECT_EQ(run_compiled(f, inputs, reproducible)[0].values, run_compiled(f, inputs, apart)[0].values);
  }
}

// Results and gradients by all parameters, whose loss is the sum of the squares.
Function with_gradients(const Function& f) {
  Function out = f;
  const Ref loss = graph::sum(graph::square(f.results[0]));
  const Ref outputs[] = {loss}, seeds[] = {graph::fill(1, f32, {})};
  out.results = {loss};
  for (const Ref& g : vjp(outputs, seeds, f.parameters)) out.results.push_back(g);
  out.result_names.clear();
  return out;
}

TEST(Epilogues, DerivativesReadOutputs) {
  for (const char* activation : {"relu(%2)", "leaky_relu(%2) {negative_slope=0.2}", "elu(%2) {alpha=1.0}", "elu(%2) {alpha=0.5}", "tanh(%2)", "sigmoid(%2)",
                                 "exp(%2)", "relu6(%2)", "hardtanh(%2) {min_val=-0.25, max_val=0.5}"}) {
    SCOPED_TRACE(activation);
    const Function f = with_gradients(parse_function(layer(activation)));
    EXPECT_THAT(kernels(f), Contains(HasSubstr("oneDNN matmul 32x160x64, then add, ")));
    expect_right(f, 1e-5);
    // Without the pass, what the activation was given has two readers, unless the derivative is written in the output.
    CompileOptions options;
    options.passes = PassSwitches("-derivatives_in_outputs,-fuse_regions");
    const auto program = compile_program(f, topological(f.results), options);
    const bool ended = std::ranges::any_of(program->report().kernels, [](const KernelReport& k) { return k.name.find("then add, ") != std::string::npos; });
    const std::string row(activation, std::string_view(activation).find('('));
    EXPECT_EQ(ended, row == "tanh" || row == "sigmoid" || row == "exp");
  }
  // sin's derivative needs what it was given.
  EXPECT_THAT(kernels(with_gradients(parse_function(layer("gelu(%2)")))), Not(Contains(HasSubstr("then add, gelu"))));
}

// The function after the pass, as text.
std::string with_derivatives_in_outputs(const Function& f) {
  const std::vector<Node*> order = topological(f.results);
  CompileOptions options;
  Positions positions(order);
  Claims claims(options.backends);
  PassContext context{options, positions, claims};
  return to_text(passes::derivatives_in_outputs(f, context));
}

TEST(Epilogues, ADerivativeBeforeAndAfter) {
  EXPECT_EQ(with_derivatives_in_outputs(parse_function(R"(func f(x: f32[2,3], g: f32[2,3]) {
  %0: f32[2,3] = square(x)
  %1: f32[2,3] = relu(%0)
  %2: f32[2,3] = { where(%0 <= 0, 0, g) }
  return y=%1, d=%2
})")),
            R"(func f(x: f32[2,3], g: f32[2,3]) {
  %0: f32[2,3] = square(x)
  %1: f32[2,3] = relu(%0)
  %2: f32[2,3] = { where(%1 <= 0, 0, g) }
  return y=%1, d=%2
}
)");
}

TEST(Epilogues, AQuestionThatTheOutputDoesNotAnswer) {
  // x == 0 is not elu(x) == 0, which rounds.
  const Function f = parse_function(R"(func f(x: f32[2,3]) {
    %0: f32[2,3] = square(x)
    %1: f32[2,3] = elu(%0) {alpha=1.0}
    %2: f32[2,3] = { where(%0 == 0, 1, %1) }
    %3: f32[2,3] = { where(%0 <= 0, 1, %1) }
    return %1, %2, %3
  })");
  EXPECT_EQ(with_derivatives_in_outputs(f), to_text(f));
}

Function network(std::string_view text) { return with_gradients(parse_function(text)); }

TEST(Epilogues, ATrainedPerceptronHasNoKernelOfABiasOrAnActivation) {
  const Function f = network(R"(func f(x: f32[32,160], w: f32[160,64], b: f32[64], v: f32[64,64], c: f32[64], u: f32[64,10], d: f32[10]) {
    %0: f32[32,64][i,j] = x[i,p] * w[p,j]
    %1: f32[32,64][i,j] = b[j]
    %2: f32[32,64] = add(%0, %1)
    %3: f32[32,64] = relu(%2)
    %4: f32[32,64][i,j] = %3[i,p] * v[p,j]
    %5: f32[32,64][i,j] = c[j]
    %6: f32[32,64] = add(%4, %5)
    %7: f32[32,64] = tanh(%6)
    %8: f32[32,10][i,j] = %7[i,p] * u[p,j]
    %9: f32[32,10][i,j] = d[j]
    %10: f32[32,10] = add(%8, %9)
    return y=%10
  })");
  const auto names = kernels(f);
  EXPECT_THAT(names, Contains(HasSubstr("32x160x64, then add, relu")));
  EXPECT_THAT(names, Contains(HasSubstr("32x64x64, then add, tanh")));
  EXPECT_THAT(names, Contains(HasSubstr("loops matmul 10x64x32, then ")));
  for (const std::string& name : names) {
    EXPECT_THAT(name, Not(HasSubstr(" map add"))) << name;
    EXPECT_THAT(name, Not(HasSubstr(" map relu"))) << name;
    EXPECT_THAT(name, Not(HasSubstr(" map tanh"))) << name;
  }
  expect_right(f, 1e-5);
}

TEST(Epilogues, ATrainedConvolutionNetHasNoKernelOfABiasOrAnActivation) {
  const Function f = network(R"(func f(x: f32[4,3,12,12], w: f32[16,3,3,3], b: f32[16], v: f32[32,16,3,3], c: f32[32]) {
    %0: f32[4,16,12,12][n,o,i,j] = x[n,c,i+p-1,j+q-1] * w[o,c,p,q]; i<12, j<12
    %1: f32[4,16,12,12][n,o,i,j] = b[o]
    %2: f32[4,16,12,12] = add(%0, %1)
    %3: f32[4,16,12,12] = relu(%2)
    %4: f32[4,32,6,6][n,o,i,j] = %3[n,c,2*i+p-1,2*j+q-1] * v[o,c,p,q]; i<6, j<6
    %5: f32[4,32,6,6][n,o,i,j] = c[o]
    %6: f32[4,32,6,6] = add(%4, %5)
    %7: f32[4,32,6,6] = elu(%6) {alpha=1.0}
    return y=%7
  })");
  const auto names = kernels(f);
  EXPECT_THAT(names, Contains(HasSubstr(", then add, relu")));
  EXPECT_THAT(names, Contains(HasSubstr(", then add, elu")));
  for (const std::string& name : names) {
    EXPECT_THAT(name, Not(HasSubstr(" map add"))) << name;
    EXPECT_THAT(name, Not(HasSubstr(" map relu"))) << name;
    EXPECT_THAT(name, Not(HasSubstr(" map elu"))) << name;
  }
  expect_right(f, 1e-5);
}

// w - lr * (x' g), by hand.
constexpr const char* step = R"(func step(x: f32[40,96], g: f32[40,64], w: f32[96,64], lr: f32[]) {
  %0: f32[96,64][i,j] = x[p,i] * g[p,j]
  %1: f32[96,64][i,j] = lr[]
  %2: f32[96,64] = { %w - %1 * %0 }
  return w=%2
})";

std::string update_text() {
  std::string text = step;
  return text.replace(text.find("%w"), 2, "w");
}

TEST(Updates, AreWrittenByTheProduct) {
  // In place; and, where the old value is a result as well, into memory of its own.
  for (const char* results : {"return w=%2", "return w=%2, old=w"}) {
    std::string text = update_text();
    const Function f = parse_function(text.replace(text.find("return w=%2"), 11, results));
    CompileOptions options;
    options.updates = {{0, 2}};
    EXPECT_THAT(fused(f, options).text, ::testing::StartsWith("fuse_updates_into_products:"));
    for (int threads : {1, 2, 4}) {
      options.threads = threads;
      const auto program = compile_program(f, topological(f.results), options);
      ASSERT_EQ(program->report().kernels.size(), 1u) << program->report().kernels[0].name << ", " << program->report().kernels[1].name;
      EXPECT_THAT(program->report().kernels[0].name, HasSubstr("then mul, linear, accumulate"));
      EXPECT_EQ(program->report().in_place_updates, f.results.size() == 1 ? 1u : 0u);
      const auto inputs = numbers(f);
      const auto want = reference::evaluate(f, inputs, {.exact = true});
      std::vector<InputValue> in(inputs.size());
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        in[i].storage = allocate(inputs[i].values.size() * sizeof(float));
        reference::to_buffer(inputs[i], in[i].storage->data(), View::dense(f32, inputs[i].shape));
      }
      const auto got = program->run(in);
      for (std::size_t r = 0; r < want.size(); ++r)
        EXPECT_TRUE(none(differences("w", reference::from_buffer(got[r]->data(), View::dense(f32, want[r].shape)).values, want[r].values, 4e-6)));
    }
  }
}

// Sums over two indices of no common stride are several products, each of which adds to the weight; a factor of 0 hides no NaN.
TEST(Updates, OfSeveralProductsAndByAFactorOfZero) {
  constexpr const char* pointwise = R"(func step(x: f32[6,40,30], g: f32[6,50,30], w: f32[50,40], lr: f32[]) {
    %0: f32[50,40][o,c] = g[n,o,p] * x[n,c,p]
    %1: f32[50,40][i,j] = lr[]
    %2: f32[50,40] = { w - %1 * %0 }
    return w=%2
  })";
  for (const std::string& text : {update_text(), std::string(pointwise)}) {
    const Function f = parse_function(text);
    CompileOptions options;
    options.updates = {{0, 2}};
    EXPECT_THAT(fused(f, options).text, ::testing::StartsWith("fuse_updates_into_products:"));
    for (int threads : {1, 7}) {
      options.threads = threads;
      const auto program = compile_program(f, topological(f.results), options);
      for (double lr : {0.5, 0.0}) {
        for (double bad : {1.0, static_cast<double>(NAN), static_cast<double>(INFINITY), -static_cast<double>(INFINITY)}) {
          for (std::size_t operand : {0, 1, 2}) {
            std::vector<reference::Array> inputs = numbers(f);
            inputs[3].values = {lr};
            inputs[operand].values[1234] = bad;
            const auto want = reference::evaluate(f, inputs, {.exact = true});
            EXPECT_TRUE(none(differences(fmt::format("lr {}, {} in {}", lr, bad, operand), run_program(*program, f, inputs)[0].values, want[0].values, 1e-5)));
          }
        }
      }
    }
  }
}

TEST(Updates, AreLeftWhereTheProductReadsTheOldValue) {
  const Function f = parse_function(R"(func step(w: f32[64,64], g: f32[64,64], lr: f32[]) {
    %0: f32[64,64][i,j] = w[i,p] * g[p,j]
    %1: f32[64,64][i,j] = lr[]
    %2: f32[64,64] = { w - %1 * %0 }
    return w=%2
  })");
  CompileOptions options;
  options.updates = {{0, 0}};
  const Fused none_fused = fused(f, options);  // (fuse_epilogues leaves updates alone)
  EXPECT_EQ(none_fused.text, "");
  ASSERT_EQ(none_fused.misses.size(), 1u);
  EXPECT_EQ(none_fused.misses[0].reason.code, ReasonCode::operand_in_use);
}

TEST(Updates, AreLeftWhereTheOptionsForbidThem) {
  CompileOptions options;
  options.updates = {{0, 2}};
  options.backends.reproducible = true;
  const Fused f = fused(parse_function(update_text()), options);
  EXPECT_EQ(f.text, "");
  ASSERT_FALSE(f.misses.empty());
  EXPECT_EQ(f.misses[0].what, "fuse_updates_into_products");
  EXPECT_EQ(f.misses[0].reason.code, ReasonCode::not_reproducible);
}

TEST(Updates, AreLeftWhereTheGradientIsReadByOthers) {
  std::string text = update_text();
  text.replace(text.find("return w=%2"), 11, "return w=%2, g=%0");
  CompileOptions options;
  options.updates = {{0, 2}};
  const Fused f = fused(parse_function(text), options);
  EXPECT_EQ(f.text, "");
  ASSERT_EQ(f.misses.size(), 2u);  // of each of the two fusions
  EXPECT_EQ(f.misses[0].what, "fuse_updates_into_products");
  EXPECT_EQ(f.misses[1].what, "fuse_epilogues");
  for (const MissReport& miss : f.misses) EXPECT_EQ(miss.reason.code, ReasonCode::several_readers);
}

}  // namespace
}  // namespace cotan::testing
