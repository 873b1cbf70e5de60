// Casts among movements of entries: graphs as text before and after, and the bits.
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/sums_algebra/passes.h"

namespace cotan::testing {
namespace {

std::string placed(std::string_view text) { return after_passes(text, "-all,+place_casts"); }

TEST(PlaceCasts, NarrowBeforeABroadcast) {
  EXPECT_EQ(placed(R"(func f(x: f32[6]) {
  %0: f32[8,6][i,j] = x[j]
  %1: u8[8,6] = cast(%0)
  return %1
}
)"),
            R"(func f(x: f32[6]) {
  %0: u8[6] = cast(x)
  %1: u8[8,6][i,j] = %0[j]
  return %1
}
)");
}

// The loop that computes what is transposed ends with the cast.
TEST(PlaceCasts, NarrowInTheLoopBeforeATranspose) {
  EXPECT_EQ(placed(R"(func f(x: f32[4,6]) {
  %0: f32[4,6] = exp(x)
  %1: f32[6,4][i,j] = %0[j,i]
  %2: f32[7,4][i,j] = %1[i-1,j]
  %3: bf16[7,4] = cast(%2)
  return %3
}
)"),
            R"(func f(x: f32[4,6]) {
  %0: f32[4,6] = exp(x)
  %1: bf16[4,6] = cast(%0)
  %2: bf16[6,4][i,j] = %1[j,i]
  %3: bf16[7,4][i,j] = %2[i-1,j]
  return %3
}
)");
}

TEST(PlaceCasts, WideBehindAPadAndASlice) {
  EXPECT_EQ(placed(R"(func f(x: u8[4,6]) {
  %0: f32[4,6] = cast(x)
  %1: f32[2,6][i,j] = %0[i+2,j]
  %2: f32[2,9][i,j] = %1[i,j-2]
  %3: f32[2,9] = exp(%2)
  return %3
}
)"),
            R"(func f(x: u8[4,6]) {
  %0: u8[2,6][i,j] = x[i+2,j]
  %1: u8[2,9][i,j] = %0[i,j-2]
  %2: f32[2,9] = cast(%1)
  %3: f32[2,9] = exp(%2)
  return %3
}
)");
}

// What was wide only on the way is never wide.
TEST(PlaceCasts, ThereAndBack) {
  EXPECT_EQ(placed(R"(func f(x: bf16[4,6]) {
  %0: f32[4,6] = cast(x)
  %1: f32[4,9][i,j] = %0[i,j-2]
  %2: bf16[4,9] = cast(%1)
  %3: f64[4,6] = cast(x)
  %4: i32[4,6] = cast(%3)
  return %2, %4
}
)"),
            R"(func f(x: bf16[4,6]) {
  %0: bf16[4,9][i,j] = x[i,j-2]
  %1: i32[4,6] = cast(x)
  return %0, %1
}
)");
}

// Others read the wide values, more would be cast, fewer bytes nowhere, a sum that adds up, and a rounding that may not be left out.
TEST(PlaceCasts, StayWhereMovingThemGainsNothing) {
  for (const char* text : {R"(func f(x: u8[4,6]) {
  %0: f32[4,6] = cast(x)
  %1: f32[2,6][i,j] = %0[i+2,j]
  %2: f32[4,6] = exp(%0)
  return %1, %2
}
)",
                           R"(func f(x: f32[100,6]) {
  %0: f32[2,6][i,j] = x[i+2,j]
  %1: bf16[2,6] = cast(%0)
  return %1
}
)",
                           R"(func f(x: bf16[6]) {
  %0: f32[6] = cast(x)
  %1: f32[8,6][i,j] = %0[j]
  %2: f32[8,6] = exp(%1)
  return %2
}
)",
                           R"(func f(x: f32[4,6]) {
  %0: f32[4][i] = x[i,p]
  %1: bf16[4] = cast(%0)
  %2: f32[4] = cast(%1)
  return %2
}
)"})
    EXPECT_EQ(placed(text), text);
}

TEST(PlaceCasts, KeepTheBits) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::vector<double> values{nan, inf, -inf, -0.0, 0, 1e-30, 3e9, -3e9, 255.5, 256, -1, 1e38, 0.1f, -2.5, 7, 1.0e-40};
  for (const char* narrow : {"bf16", "u8", "bool"})
    for (const char* movement : {"x[j,i]", "x[i-1,j]", "x[i,j+1]"}) {
      const Function f = parse_function(fmt::format(R"(func f(x: f32[4,4]) {{
  %0: f32[4,4] = neg(x)
  %1: f32[6,4][i,j] = {}
  %2: {}[6,4] = cast(%1)
  %3: f64[6,4] = cast(%2)
  %4: f64[9,4][i,j] = %3[i-2,j]
  %5: f64[9,4] = neg(%4)
  return %2, %5
}})",
                                                    fmt::format("%0{}", movement + 1), narrow));
      const Function made = after_passes(f, "-all,+place_casts");
      EXPECT_NE(to_text(made), to_text(f));
      const std::vector<reference::Array> in{{DType::f32, {4, 4}, values}};
      const auto before = reference::evaluate(f, in), after = reference::evaluate(made, in);
      for (std::size_t r = 0; r < before.size(); ++r) {
        ASSERT_EQ(before[r].values.size(), after[r].values.size());
        for (std::size_t i = 0; i < before[r].values.size(); ++i) {
          const double a = before[r].values[i], b = after[r].values[i];
          EXPECT_TRUE((std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0) << narrow << " " << movement << " " << i << ": " << a << " " << b;
        }
      }
    }
}

}  // namespace
}  // namespace cotan::testing
