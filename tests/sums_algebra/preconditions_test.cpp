// What passes take for granted of shapes, ranges and types, on graphs just inside and just outside: whatever a pass answers,
// programs compute what the reference computes.
#include <limits>

#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

// A text, and its values where random ones would not do.
struct Text {
  const char* what;
  const char* text;
};

const Text texts[] = {
    {"a condition on an entry that there is not", R"(func f(x: f32[4], t_below4: i32[3]) {
  %0: i32[3] = check(t_below4) {below=4, what="index"}
  %1: f32[4][i] = x[i]; 0<=%0[i+1]<4, i<3
  return %1
})"},
    {"the same inside", R"(func f(x: f32[4], t_below4: i32[4]) {
  %0: i32[4] = check(t_below4) {below=4, what="index"}
  %1: f32[4][i] = x[i]; 0<=%0[i+1]<4, i<3
  return %1
})"},
    {"a product of rows at an entry that there is not", R"(func f(x: f32[4,2], y: f32[3,2], t_below4: i32[2]) {
  %0: i32[2] = check(t_below4) {below=4, what="index"}
  %1: f32[3,2][i,j] = x[%0[i],j] * y[i,j]
  return %1
})"},
    {"an entry times a number beyond 64 bits", R"(func f(x: f32[4], t_below4: i32[4]) {
  %0: i32[4] = check(t_below4) {below=9223372036854775807, what="index"}
  %1: f32[4][i] = x[i]; 0<=2*%0[i]<4
  return %1
})"},
    {"steps that multiply beyond 64 bits", R"(func f(x: f32[4]) {
  %0: f32[4][i] = x[70368744177664*i]
  %1: f32[4][i] = %0[3-70368744177664*i]
  %2: f32[4][i+70368744177664*j] = %1[i]; j<2
  %3: f32[4][i] = %2[70368744177664*i]
  return %0, %1, %2, %3
})"},
    {"a sum over rows whose result has eight dimensions", R"(func f(x: f32[4096,2,2,1,1,2,1,1]) {
  %0: f32[1,2,2,1,1,2,1,3][0,i,j,0,0,k,0,l] = x[p,i,j,0,0,k,0,0]
  %1: f32[1,2,2,1,1,2,1,1][0,i,j,0,0,k,0,0] = 0.5 * x[p,i,j,0,0,k,0,0]
  return %0, %1
})"},
    {"products that reach a part of the result", R"(func f(x: f32[40,30], y: f32[30,50], b: f32[60,50]) {
  %0: f32[60,50][i,j] = x[i,p] * y[p,j]
  %1: f32[60,50] = add(%0, b)
  %2: f32[60,50] = relu(%1)
  %3: f32[41,50][i+1,j] = x[i,p] * y[p,j]
  return %2, %3
})"},
    {"products that read a part of the factors", R"(func f(x: f32[48,40], y: f32[32,64]) {
  %0: f32[40,50][i,j] = x[i+8,p] * y[p,j+14]; p<32
  %1: f32[40,50][i,j] = x[i+9,p] * y[p,j+15]; p<32
  %2: f32[40,50][i,j] = x[i,p+9] * y[p,j]; p<32
  return %0, %1, %2
})"},
    {"a convolution whose result is larger than its windows reach", R"(func f(x: f32[2,4,9,9], k: f32[8,4,3,3]) {
  %0: f32[2,8,9,9][i,j,l,m] = x[i,p,l+r-1,m+s-1] * k[j,p,r,s]
  %1: f32[2,8,14,9][i,j,l,m] = x[i,p,l+r-1,m+s-1] * k[j,p,r,s]
  %2: f32[2,8,9,9][i,j,l,m] = x[i,p,l+r-5,m+s-1] * k[j,p,r,s]
  %3: f32[2,8,4,9][i,j,l,m] = x[i,p,l+r+2,m+s-1] * k[j,p,r,s]
  %4: f32[2,9,9,9][i,j+1,l,m] = x[i,p,l+r-1,m+s-1] * k[j,p,r,s]
  return %0, %1, %2, %3, %4
})"},
    {"the source of a convolution, larger and smaller than its windows reach", R"(func f(y: f32[2,8,9,9], k: f32[8,4,3,3]) {
  %0: f32[2,4,9,9][i,p,l+r-1,m+s-1] = y[i,j,l,m] * k[j,p,r,s]
  %1: f32[2,4,14,9][i,p,l+r-1,m+s-1] = y[i,j,l,m] * k[j,p,r,s]
  %2: f32[2,4,9,9][i,p,l+r+3,m+s-1] = y[i,j,l,m] * k[j,p,r,s]
  %3: f32[2,5,9,9][i,p+1,l+r-1,m+s-1] = y[i,j,l,m] * k[j,p,r,s]
  return %0, %1, %2, %3
})"},
    {"the weights of a convolution, with taps that meet nothing", R"(func f(x: f32[2,4,9,9], y: f32[2,8,9,9]) {
  %0: f32[8,4,3,3][j,p,r,s] = y[i,j,l,m] * x[i,p,l+r-1,m+s-1]
  %1: f32[8,4,5,3][j,p,r,s] = y[i,j,l,m] * x[i,p,l+4*r-1,m+s-1]
  %2: f32[8,5,3,3][j,p+1,r,s] = y[i,j,l,m] * x[i,p,l+r-1,m+s-1]
  return %0, %1, %2
})"},
    {"averages over windows beside the tensor", R"(func f(x: f32[32,16,9,9]) {
  %0: f32[32,16,9,9][i,j,l,m] = 0.125 * x[i,j,l+p-1,m+q-1]; p<3, q<3
  %1: f32[32,16,14,9][i,j,l,m] = 0.125 * x[i,j,l+p-1,m+q-1]; p<3, q<3
  %2: f32[32,16,9,9][i,j,l,m] = 0.125 * x[i,j,l+p-6,m+q-1]; p<3, q<3
  %3: f32[32,16,9,9][i,j,l+p-1,m+q-1] = 0.125 * x[i,j,l,m]; p<3, q<3
  %4: f32[32,16,15,9][i,j,l+p-1,m+q-1] = 0.125 * x[i,j,l,m]; p<3, q<3
  return %0, %1, %2, %3, %4
})"},
    {"maxima over windows beside the tensor", R"(func f(x: f32[32,16,9,9]) {
  %0: f32[32,16,9,9][i,j,l,m] = max x[i,j,l+p-1,m+q-1]; p<3, q<3
  %1: f32[32,16,14,9][i,j,l,m] = max x[i,j,l+p-1,m+q-1]; p<3, q<3
  %2: f32[32,16,9,9][i,j,l,m] = max x[i,j,l+p-6,m+q-1]; p<3, q<3
  %3: f32[32,16,3,3][i,j,l,m] = max x[i,j,2*l+p,2*m+q]; p<3, q<3
  return %0, %1, %2, %3
})"},
    {"windows that begin beyond 32 bits", R"(func f(x: f32[4,4,16,16], y: f32[4,8,16,16], k: f32[8,4,3,3]) {
  %0: f32[4,8,16,16][i,j,l,m] = x[i,p,l+r-70368744177664,m+s-1] * k[j,p,r,s]
  %1: f32[4,4,16,16][i,p,2*l+r-70368744177664,m+s-1] = y[i,j,l,m] * k[j,p,r,s]
  %2: f32[8,4,3,3][j,p,r,s] = y[i,j,l,m] * x[i,p,l+r-4294967296,m+s-1]
  %3: f32[4,4,16,16][i,j,k,l] = 0.5 * x[i,j,k+p-4294967296,l+q]; p<3, q<3
  %4: f32[4,4,16,16][i,j,k,l] = max x[i,j,k+4294967296*p-1,l+q]; p<3, q<3
  return %0, %1, %2, %3, %4
})"},
    {"an axis without entries", R"(func f(x: f32[4,0], y: f32[0,4]) {
  %0: f32[4,0] = exp(x)
  %1: f32[4][i] = %0[i,p]
  %2: f32[4,0][i,j] = %1[i]
  %3: f32[4,0] = div(%0, %2)
  %4: f32[0,4] = exp(y)
  %5: f32[0][i] = %4[i,p]
  %6: f32[0,4][i,j] = %5[i]
  %7: f32[0,4] = div(%4, %6)
  return %1, %3, %7
})"},
};

TEST(Preconditions, ProgramsComputeWhatTheReferenceComputes) {
  for (const Text& t : texts) {
    SCOPED_TRACE(t.what);
    const Function f = parse_function(t.text);
    for (const int threads : {1, 4}) EXPECT_TRUE(none(compare_three(f, random_inputs(f, 1), {1e-4, 1e-4}, threads)));
  }
}

// A slope of 0 makes -inf NaN, which the result does not answer for the operand.
TEST(Preconditions, DerivativesReadAnActivationThatSaysAsMuch) {
  for (const char* slope : {"0.0", "0.01"}) {
    const Function f = parse_function(fmt::format(R"(func f(x: f32[4], d: f32[4]) {{
  %0: f32[4] = tanh(d)
  %1: f32[4] = add(x, %0)
  %2: f32[4] = leaky_relu(%1) {{negative_slope={}}}
  %3: f32[4] = map(%1, d) {{ where(%1 <= 0, 0, d) }}
  return %2, %3
}})",
                                                  slope));
    constexpr double inf = std::numeric_limits<double>::infinity();
    const std::vector<reference::Array> inputs{{f32, Shape{4}, {-inf, -1, 1, inf}}, {f32, Shape{4}, {1, 2, 3, 4}}};
    const auto want = reference::evaluate(f, inputs), got = run_compiled(f, inputs, 1);
    EXPECT_EQ(got[1].values, want[1].values) << slope;
  }
}

// Operands that the list `given` of a composite leaves out must be ones that may be left out.
TEST(Preconditions, CompositesHaveTheirOperands) {
  for (const auto& [list, message] :
       {std::pair("[1]", "without its operand 0"), {"[0,1]", ""}, {"[0,0]", "given twice"}, {"[0,7]", "given twice, or not one of"}}) {
    const std::string operands = std::string_view(list) == "[1]" ? "x" : "x, w";
    const std::string call = fmt::format("call layer_norm({}) {{given={}}}", operands, list);
    const std::string text = fmt::format("func f(x: f32[3,4], w: f32[4]) {{ %0, %1, %2: f32[3,4], f32[3,1], f32[3,1] = {} return %0 }}", call);
    try {
      (void)parse_function(text);
      EXPECT_EQ(std::string_view(message), "") << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string_view(message), "") << e.what();
      EXPECT_NE(std::string_view(e.what()).find(message), std::string_view::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace cotan::testing
