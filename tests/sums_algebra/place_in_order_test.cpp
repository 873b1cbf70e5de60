// Sums of placed copies in the order in which they are read: graphs as text before and after, and the values.
#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

std::string ordered(std::string_view text) { return after_passes(text, "-all,+place_in_order"); }

// Query, key and value of attention: the gradient of the product that made all three, and of its bias.
constexpr const char* three_parts = R"(func f(q: f32[2,3,4], k: f32[2,3,4], v: f32[2,3,4], x: f32[6,5]) {
  %0: f32[3,2,3,4][0,i,j,k] = q[i,j,k]
  %1: f32[3,2,3,4][1,i,j,k] = k[i,j,k]
  %2: f32[3,2,3,4] = add(%0, %1)
  %3: f32[3,2,3,4][2,i,j,k] = v[i,j,k]
  %4: f32[3,2,3,4] = add(%2, %3)
  %5: f32[6,12][3*i+j,4*k+l] = %4[k,i,j,l]
  %6: f32[5,12][i,j] = %5[p,j] * x[p,i]
  %7: f32[3,4][i,j] = %4[i,p,q,j]
  return w=%6, b=%7
}
)";

TEST(PlaceInOrder, TermsOfASumThatIsReadByViews) {
  EXPECT_EQ(ordered(three_parts), R"(func f(q: f32[2,3,4], k: f32[2,3,4], v: f32[2,3,4], x: f32[6,5]) {
  %0: f32[2,3,3,4][i,j,0,l] = q[i,j,l]
  %1: f32[2,3,3,4][i,j,1,l] = k[i,j,l]
  %2: f32[2,3,3,4] = add(%0, %1)
  %3: f32[2,3,3,4][i,j,2,l] = v[i,j,l]
  %4: f32[2,3,3,4] = add(%2, %3)
  %5: f32[6,12][3*i+j,4*l+m] = %4[i,j,l,m]
  %6: f32[5,12][i,j] = x[p,i] * %5[p,j]
  %7: f32[3,4][i,j] = %4[p,r,i,j]
  return w=%6, b=%7
}
)");
}

// A term that is no placed copy is read through a view, which costs a loop nothing.
TEST(PlaceInOrder, ATermOfTheWholeShape) {
  EXPECT_EQ(ordered(R"(func f(x: f32[4], y: f32[6,4]) {
  %0: f32[6,4][2,i] = x[i]
  %1: f32[6,4] = add(%0, y)
  %2: f32[4,6][i,j] = %1[j,i]
  return %2
}
)"),
            R"(func f(x: f32[4], y: f32[6,4]) {
  %0: f32[4,6][i,2] = x[i]
  %1: f32[4,6][i,j] = y[j,i]
  %2: f32[4,6] = add(%0, %1)
  return %2
}
)");
}

TEST(PlaceInOrder, WhatIsLeft) {
  for (const char* text : {
           // Read by a map as well; a result; nothing placed; another formula; the order that it has.
           "func f(x: f32[4], y: f32[6,4]) {\n  %0: f32[6,4][2,i] = x[i]\n  %1: f32[6,4] = add(%0, y)\n  %2: f32[4,6][i,j] = %1[j,i]\n  %3: f32[6,4] = "
           "exp(%1)\n"
           "  return %2, %3\n}\n",
           "func f(x: f32[4], y: f32[6,4]) {\n  %0: f32[6,4][2,i] = x[i]\n  %1: f32[6,4] = add(%0, y)\n  %2: f32[4,6][i,j] = %1[j,i]\n  return %1, %2\n}\n",
           "func f(x: f32[6,4], y: f32[6,4]) {\n  %0: f32[6,4] = add(x, y)\n  %1: f32[4,6][i,j] = %0[j,i]\n  return %1\n}\n",
           "func f(x: f32[4], y: f32[6,4]) {\n  %0: f32[6,4][2,i] = x[i]\n  %1: f32[6,4] = mul(%0, y)\n  %2: f32[4,6][i,j] = %1[j,i]\n  return %2\n}\n",
           "func f(x: f32[4], y: f32[6,4]) {\n  %0: f32[6,4][2,i] = x[i]\n  %1: f32[6,4] = add(%0, y)\n  %2: f32[24][4*i+j] = %1[i,j]\n  return %2\n}\n",
       })
    EXPECT_EQ(ordered(text), text);
}

TEST(PlaceInOrder, KeepsTheValues) {
  const Function f = parse_function(three_parts), made = after_passes(f, "-all,+place_in_order");
  const auto inputs = random_inputs(f, 1);
  const auto before = reference::evaluate(f, inputs, {.exact = true}), after = reference::evaluate(made, inputs, {.exact = true});
  for (std::size_t r = 0; r < before.size(); ++r) EXPECT_EQ(before[r].values, after[r].values);
  // Compiled, the copies are one step and the view in front of the product none.
  const auto program = compile_program(f, topological(f.results), {});
  std::size_t copies = 0;
  for (const KernelReport& k : program->report().kernels) {
    copies += k.name.find("3 terms in 3 places") != std::string::npos ? 1 : 0;
    EXPECT_EQ(k.name.find("sum assign"), std::string::npos) << k.name;
  }
  EXPECT_EQ(copies, 1U);
}

}  // namespace
}  // namespace cotan::testing
