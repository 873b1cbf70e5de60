// Products and convolutions with whatever follows them: numbers, NaN and infinities in each operand, fused and not, against the reference.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <limits>

#include "autograd/differentiate.h"
#include "graph/builder.h"
#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();

// A sum of x and w, the dimension of its result that a bias goes along, and what of its kernel's name shows how it is computed.
struct Form {
  std::string_view x, w, out, sum, bias_size, bias;
  std::string_view kernel;
};

const std::vector<Form> forms{
    // Small ones are loops, and some are done by nobody but these.
    {"2,3", "3,4", "2,4", "[i,j] = x[i,p] * w[p,j]", "4", "[i,j] = b[j]", ""},
    {"16,32", "32,24", "16,24", "[i,j] = x[i,p] * w[p,j]", "24", "[i,j] = b[j]", ""},
    {"64,160", "160,96", "64,96", "[i,j] = x[i,p] * w[p,j]", "96", "[i,j] = b[j]", "oneDNN matmul"},
    {"129,100", "100,130", "129,130", "[i,j] = x[i,p] * w[p,j]", "130", "[i,j] = b[j]", "oneDNN matmul"},
    // Rows enough that they are computed in pieces.
    {"400,32", "32,256", "400,256", "[i,j] = x[i,p] * w[p,j]", "256", "[i,j] = b[j]", "oneDNN matmul"},
    // Two summed indices of one stride, then of no common one: the latter are several products, added up.
    {"64,16,24", "16,24,64", "64,64", "[i,j] = x[i,p,q] * w[p,q,j]", "64", "[i,j] = b[j]", "oneDNN matmul"},
    {"128,16,64", "16,64,64", "128,64", "[i,j] = x[i,p,q] * w[p,j,q]", "64", "[i,j] = b[j]", "oneDNN matmul"},
    {"128,2,64", "2,64,64", "128,64", "[i,j] = x[i,p,q] * w[p,j,q]", "64", "[i,j] = b[j]", "oneDNN matmul"},
    {"3,96,70", "3,80,70", "96,80", "[i,j] = x[p,i,q] * w[p,j,q]", "80", "[i,j] = b[j]", "oneDNN matmul"},
    // Batches: side by side, behind the rows, and summed over as well.
    {"6,40,70", "6,70,50", "6,40,50", "[i,j,l] = x[i,j,p] * w[i,p,l]", "50", "[i,j,l] = b[l]", "oneDNN matmul 6 of"},
    {"6,40,70", "6,70,50", "40,6,50", "[j,i,l] = x[i,j,p] * w[i,p,l]", "50", "[j,i,l] = b[l]", "oneDNN matmul"},
    {"5,3,40,64", "5,3,60,64", "5,40,60", "[i,j,l] = x[i,q,j,p] * w[i,q,l,p]", "60", "[i,j,l] = b[l]", "oneDNN matmul"},
    // Convolutions: one channel, many, in groups, with strides and without padding, pointwise.
    {"3,1,12,12", "16,1,5,5", "3,16,12,12", "[i,j,l,m] = x[i,p,l+r-2,m+s-2] * w[j,p,r,s]", "16", "[i,j,l,m] = b[j]", "oneDNN convolution"},
    {"2,16,9,9", "32,16,3,3", "2,32,9,9", "[i,j,l,m] = x[i,p,l+r-1,m+s-1] * w[j,p,r,s]", "32", "[i,j,l,m] = b[j]", "oneDNN convolution"},
    {"2,3,9,9", "10,3,3,3", "2,10,4,4", "[i,j,l,m] = x[i,p,2*l+r,2*m+s] * w[j,p,r,s]", "10", "[i,j,l,m] = b[j]", "oneDNN convolution"},
    {"2,16,8,8", "16,3,3", "2,16,8,8", "[i,j,l,m] = x[i,j,l+r-1,m+s-1] * w[j,r,s]", "16", "[i,j,l,m] = b[j]", "oneDNN convolution"},
    {"4,32,9,9", "48,32", "4,48,9,9", "[i,j,l,m] = x[i,p,l,m] * w[j,p]", "48", "[i,j,l,m] = b[j]", "oneDNN"},
    {"2,8,60", "16,8,3", "2,16,60", "[i,j,l] = x[i,p,l+r-1] * w[j,p,r]", "16", "[i,j,l] = b[j]", "oneDNN convolution"},
};

// What follows, of the value %2 (the sum and a bias), a tensor t of the result's shape and a number s; T is the result's type.
const std::vector<std::string_view> tails{
    "%3: T = relu(%2)",
    "%3: T = relu6(%2)",
    "%3: T = leaky_relu(%2) {negative_slope=0.25}",
    "%3: T = leaky_relu(%2) {negative_slope=0.0}",
    "%3: T = elu(%2) {alpha=0.5}",
    "%3: T = tanh(%2)",
    "%3: T = sigmoid(%2)",
    "%3: T = exp(%2)",
    "%3: T = square(%2)",
    "%3: T = abs(%2)",
    "%3: T = gelu(%2)",
    "%3: T = silu(%2)",
    "%3: T = clip(%2) {min=-0.25, max=0.25}",
    "%3: T = { max(%2, 0.125) }",
    "%3: T = { min(%2, 0.125) }",
    "%3: T = { max(%2, t) }",
    "%3: T = { min(%2, t) }",
    "%3: T = add(%2, t)",
    "%3: T = { (%2 - t) * t }",
    "%3: T = { 2 - 3 * %2 }",
    "%3: T = { tanh(max(%2, 0)) * t + t }",
    "%3: T = { exp(min(max(%2, t), 0.5) + 1) }",
};

Function function_of(const Form& form, std::string_view tail, bool with_sum) {
  std::string text = fmt::format("func f({}b: f32[{}], t: T) {{\n{}  %1: T{}\n  %2: T = add({}, %1)\n  {}\n  return y=%3\n}}",
                                 with_sum ? fmt::format("x: f32[{}], w: f32[{}], ", form.x, form.w) : "v: T, ", form.bias_size,
                                 with_sum ? fmt::format("  %0: T{}\n", form.sum) : "", form.bias, with_sum ? "%0" : "v", tail);
  for (std::size_t at; (at = text.find(": T")) != std::string::npos;) text.replace(at, 3, fmt::format(": f32[{}]", form.out));
  return parse_function(text);
}

Function sum_of(const Form& form) {
  return parse_function(fmt::format("func f(x: f32[{}], w: f32[{}]) {{\n  %0: f32[{}]{}\n  return y=%0\n}}", form.x, form.w, form.out, form.sum));
}

// One way to run it.
struct Way {
  const char* name;
  int threads;
  CompileOptions options;
};

std::vector<Way> ways() {
  std::vector<Way> all{{"fused", 1, {}}, {"fused", 7, {}}, {"reproducible", 7, {}}, {"unfused", 7, {}}};
  all[2].options.backends.reproducible = true;
  all[3].options.passes = without_fusion();
  for (Way& way : all) way.options.threads = way.threads;
  return all;
}

// A function's operands, one of which may have a number planted in its middle, and the sum of the first two.
struct Operands {
  std::string name;
  std::vector<reference::Array> all;
  reference::Array sum;
};

std::vector<Operands> operands_of(const Form& form) {
  const std::vector<reference::Array> plain = numbers(function_of(form, tails[0], true));
  std::vector<Operands> all{{"numbers", plain, {}}};
  for (const auto& [operand, bad] : {std::pair(0, nan), {0, -inf}, {1, nan}, {1, inf}, {2, nan}, {2, inf}, {3, nan}, {3, -inf}}) {
    all.push_back({fmt::format("{} in operand {}", bad, operand), plain, {}});
    std::vector<double>& values = all.back().all[static_cast<std::size_t>(operand)].values;
    values[values.size() / 2] = bad;
  }
  const Function sum = sum_of(form);
  for (Operands& o : all) o.sum = reference::evaluate(sum, std::span(o.all).first(2), {.exact = true})[0];
  return all;
}

TEST(Tails, NumbersAndNonfiniteOnesInEachOperand) {
  for (const Form& form : forms) {
    const std::vector<Operands> operands = operands_of(form);
    for (std::string_view tail : tails) {
      const Function f = function_of(form, tail, true), rest = function_of(form, tail, false);
      std::vector<reference::Array> want;
      for (const Operands& o : operands) {
        const std::vector<reference::Array> of_rest{o.sum, o.all[2], o.all[3]};
        want.push_back(reference::evaluate(rest, of_rest, {.exact = true})[0]);
      }
      for (const Way& way : ways()) {
        const auto program = compile_program(f, topological(f.results), way.options);
        for (std::size_t i = 0; i < operands.size(); ++i)
          ASSERT_TRUE(none(differences(fmt::format("{}{}, {}: {}, {} with {} threads", form.out, form.sum, tail, operands[i].name, way.name, way.threads),
                                       run_program(*program, f, operands[i].all)[0].values, want[i].values, 2e-5)));
      }
    }
  }
}

TEST(Tails, AreInTheKernelsOfTheirProducts) {
  for (const Form& form : forms) {
    if (form.kernel.empty()) continue;
    SCOPED_TRACE(form.sum);
    for (std::string_view tail : {tails[0], tails[12], tails[20]}) {
      const Function f = function_of(form, tail, true);
      CompileOptions options;
      options.threads = 2;
      options.passes = PassSwitches("-fuse_regions");
      const auto program = compile_program(f, topological(f.results), options);
      std::vector<std::string> names;
      for (const KernelReport& k : program->report().kernels) names.push_back(k.name);
      EXPECT_THAT(names, Contains(HasSubstr(std::string(form.kernel)))) << fmt::format("{}", fmt::join(names, "\n"));
    }
  }
}

}  // namespace
}  // namespace cotan::testing
