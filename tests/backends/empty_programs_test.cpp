// Programs written by hand over tensors without elements, of sizes that regions, tiles, cut sums and primitives would take if there were elements.
#include <gtest/gtest.h>

#include "graph/text/text.h"
#include "graph/threads.h"
#include "tests/support/program_checks.h"

namespace cotan::testing {
namespace {

// ROWS and COLUMNS stand for sizes.
constexpr const char* programs[] = {
    // softmax
    R"(func f(x: f32[ROWS,COLUMNS], m: f32[ROWS]) {
      %1: f32[ROWS,COLUMNS][i,j] = m[i]
      %2: f32[ROWS,COLUMNS] = sub(x, %1)
      %3: f32[ROWS,COLUMNS] = exp(%2)
      %4: f32[ROWS][i] = %3[i,p]
      %5: f32[ROWS,COLUMNS][i,j] = %4[i]
      %6: f32[ROWS,COLUMNS] = div(%3, %5)
      return y=%6, s=%4
    })",
    // softmax with its maximum
    R"(func f(x: f32[ROWS,COLUMNS]) {
      %0: f32[COLUMNS][j] = max x[p,j]
      %1: f32[ROWS,COLUMNS][i,j] = %0[j]
      %2: f32[ROWS,COLUMNS] = sub(x, %1)
      %3: f32[ROWS,COLUMNS] = exp(%2)
      %4: f32[COLUMNS][j] = %3[p,j]
      %5: f32[ROWS,COLUMNS][i,j] = %4[j]
      %6: f32[ROWS,COLUMNS] = div(%3, %5)
      return y=%6
    })",
    // a layer with its gradients
    R"(func f(x: f32[ROWS,COLUMNS], w: f32[COLUMNS,64], b: f32[64], g: f32[ROWS,64]) {
      %0: f32[ROWS,64][i,j] = x[i,p] * w[p,j]
      %1: f32[ROWS,64][i,j] = b[j]
      %2: f32[ROWS,64] = add(%0, %1)
      %3: f32[ROWS,64] = relu(%2)
      %4: f32[ROWS,64] = mul(%3, g)
      %5: f32[COLUMNS,64][i,j] = x[p,i] * %4[p,j]
      %6: f32[64][j] = %4[p,j]
      %7: f32[ROWS,COLUMNS][i,j] = %4[i,p] * w[j,p]
      %8: f32[][] = %4[p,q]
      return y=%3, dw=%5, db=%6, dx=%7, l=%8
    })",
    // normalisation, sums of both kinds behind one loop
    R"(func f(x: f32[ROWS,COLUMNS], w: f32[COLUMNS]) {
      %0: f32[ROWS,COLUMNS][i,j] = w[j]
      %1: f32[ROWS,COLUMNS] = mul(x, %0)
      %2: f32[ROWS][i] = 0.5 * %1[i,p]
      %3: f32[COLUMNS][j] = %1[p,j]
      %4: f32[][] = %1[p,q]
      %5: f32[ROWS,COLUMNS] = call softmax(x) {dim=1}
      %6: f32[ROWS,COLUMNS] = call log_softmax(%1) {dim=0}
      return a=%2, b=%3, c=%4, d=%5, e=%6
    })",
    // a convolution with an activation and a pooling
    R"(func f(x: f32[ROWS,COLUMNS,16,16], k: f32[8,COLUMNS,3,3]) {
      %0: f32[ROWS,8,16,16][i,j,l,m] = k[j,p,q,r] * x[i,p,l+q-1,m+r-1]
      %1: f32[ROWS,8,16,16] = relu(%0)
      %2: f32[ROWS,8,8,8][i,j,l,m] = max %1[i,j,2*l+p,2*m+q]; p<2, q<2
      return y=%2
    })",
    // concatenation, masks and placed copies
    R"(func f(a: f32[ROWS,COLUMNS], b: f32[ROWS,COLUMNS]) {
      %0: f32[ROWS,COLUMNS] = tanh(a)
      %1: bool[ROWS,COLUMNS] = { true }
      %2: bool[ROWS,COLUMNS][i,j] = %1[i,j]; 0<=i-j<128
      %3: f32[ROWS,COLUMNS] = map(%2, %0) { where(%2, %0, 0.25) }
      %4: f32[1024,COLUMNS][i,j] = %3[i,j]
      %5: f32[1024,COLUMNS][i+7,j] = b[i,j]
      %6: f32[1024,COLUMNS] = add(%4, %5)
      return y=%6
    })",
};

std::string with_sizes(std::string text, const std::string& rows, const std::string& columns) {
  for (const auto& [name, size] : {std::pair<std::string, std::string>("ROWS", rows), {"COLUMNS", columns}})
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name)) text.replace(at, name.size(), size);
  return text;
}

struct Sizes2 {
  int rows, columns;
};
void PrintTo(const Sizes2& s, std::ostream* os) { *os << s.rows << " rows, " << s.columns << " columns"; }

class EmptyPrograms : public ::testing::TestWithParam<Sizes2> {};

TEST_P(EmptyPrograms, AgreeWithTheReference) {
  for (std::size_t p = 0; p < std::size(programs); ++p) {
    SCOPED_TRACE(fmt::format("program {}", p));
    const Function f = parse_function(with_sizes(programs[p], std::to_string(GetParam().rows), std::to_string(GetParam().columns)));
    Random random(p);
    std::vector<reference::Array> inputs;
    for (const Ref& parameter : f.parameters)
      inputs.push_back({f32, parameter.shape(), random_values(random, parameter.shape().elements())});
    for (const int threads : {1, 4}) EXPECT_TRUE(none(compare_three(f, rounded(inputs), {1e-4, 1e-4}, threads)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, EmptyPrograms,
                         ::testing::Values(Sizes2{256, 0}, Sizes2{0, 256}, Sizes2{0, 0}, Sizes2{1, 0}, Sizes2{0, 1}, Sizes2{1000, 0}, Sizes2{0, 64}),
                         [](const auto& info) { return fmt::format("{}x{}", info.param.rows, info.param.columns); });

}  // namespace
}  // namespace cotan::testing
