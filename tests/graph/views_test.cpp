// In whose memory a value may lie.
#include "graph/views.h"

#include <gtest/gtest.h>

#include "graph/text/text.h"

namespace cotan {
namespace {

TEST(SourceOf, IsTheValueThatViewsAndWhatMayBeOneLookAt) {
  const Function f = parse_function(R"(func f(x: f32[4,6], t: i32[4]) {
    %0: f32[6,4][i,j] = x[j,i]
    %1: f32[24][i+6*j] = %0[i,j]
    %2: f32[4][i] = %0[2,i]
    %3: f32[4] = stop_gradient(%2)
    %4: f32[4] = exp(%3)
    %5: f32[4] = barrier(%3, %4)
    %6: i32[4] = check(t) {below=4, what="t"}
    %7: f32[4][i] = %2[i+1]
    return %1, %5, %6, %7
  })");
  EXPECT_EQ(source_of(f.results[0]), f.parameters[0]);  // no view of %0 were it dense
  EXPECT_EQ(source_of(f.results[1]), f.parameters[0]);
  EXPECT_EQ(source_of(f.results[2]), f.parameters[1]);
  EXPECT_EQ(source_of(f.results[3]), f.parameters[0]);  // clips: rather too much than too little
}

TEST(SourceOf, IsTheValueItselfWhereSomethingIsComputed) {
  const Function f = parse_function(R"(func f(x: f32[4], t: i32[4]) {
    %0: f32[4] = exp(x)
    %1: f32[4][i] = x[t[i]]
    %2: f32[4][i] = 1; 0 <= t[i] < 3
    %3: f32[4] = { 1 }
    return %0, %1, %2, %3, x
  })");
  for (const Ref& r : f.results) EXPECT_EQ(source_of(r), r);
}

}  // namespace
}  // namespace cotan
