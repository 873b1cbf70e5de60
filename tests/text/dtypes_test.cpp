// Element types in the text form.
#include <gmock/gmock.h>

#include "tests/text/helpers.h"

namespace cotan::text_tests {
namespace {

using ::testing::HasSubstr;

TEST(DtypesInText, AreWrittenAndRead) {
  const std::string text = R"(func f(a: i64[2,3], b: u32[2,3], h: bf16[2,3], t: i64[2]) {
  %0: f32[2,3] = cast(h)
  %1: bf16[3,2][i,j] = h[j,i]
  %2: i64[2] = check(t) {below=3, what="index"}
  %3: bf16[2][i] = h[i,%2[i]]
  %4: bf16[4] = { 0.5 }
  %5: u32[2,3] = { b + 4294967295 }
  %6: i64[2,3] = cast(%5)
  %7: i64[2,3] = { a * %6 - 9007199254740992 }
  %8: i64[3][i] = max %7[p,i]
  return %0, %1, %3, %4, %8
}
)";
  const Function f = parse_function(text, "t");
  verify(f);
  EXPECT_EQ(round_trip(f), text);
}

std::string error_of(const std::string& statement) {
  try {
    static_cast<void>(parse_function("func f(a: i64[3], b: u32[3], h: bf16[3], c: bool[3]) {\n  " + statement + "\n  return %0\n}", "t"));
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no error: " << statement;
  return "";
}

TEST(DtypesInText, HoldOnlyWhatTheyCan) {
  EXPECT_THAT(error_of("%0: i64[3] = { a + 9223372036854775808 }"), HasSubstr("does not fit i64"));
  EXPECT_THAT(error_of("%0: i64[3] = { a + 0.5 }"), HasSubstr("the literal 0.5 does not fit i64"));
  EXPECT_THAT(error_of("%0: u32[3] = { b * -1 }"), HasSubstr("the literal -1 does not fit u32"));
  EXPECT_THAT(error_of("%0: u32[3] = { b + 4294967296 }"), HasSubstr("the literal 4294967296 does not fit u32"));
  EXPECT_THAT(error_of("%0: i64[3] = add(a, b)"), HasSubstr("'add' of i64 and u32. Types do not mix: write cast(x, i64) or cast(x, u32)"));
  EXPECT_THAT(error_of("%0: u32[] = 0.5"), HasSubstr("t:2:"));
}

TEST(DtypesInText, Bf16IsForStorage) {
  EXPECT_THAT(error_of("%0: bf16[3] = add(h, h)"), HasSubstr("'add' of bf16, which is for storage only. Compute in f32: write cast(x, f32)"));
  EXPECT_THAT(error_of("%0: bf16[3] = { h + 1 }"), HasSubstr("of bf16"));
  EXPECT_THAT(error_of("%0: bf16[3] = { where(c, h, 0) }"), HasSubstr("'where' of bf16"));
  EXPECT_THAT(error_of("%0: bf16[][] = h[i]"), HasSubstr("'sum' of bf16"));
  EXPECT_THAT(error_of("%0: bf16[3][i] = h[i] * h[i]"), HasSubstr("'sum' of bf16"));
  EXPECT_THAT(error_of("%0: bf16[3][i] = -h[i]"), HasSubstr("bf16"));
  EXPECT_THAT(error_of("%0: bf16[][] = max[i] h[i]"), HasSubstr("'max' of bf16"));
  EXPECT_THAT(error_of("%0: bf16[3] = scan(h, h) {axis=0, reverse=false}"), HasSubstr("'scan' of bf16"));
  EXPECT_THAT(error_of("%0: i32[3] = order(h) {axis=0, descending=false}"), HasSubstr("'order' of bf16"));
  EXPECT_THAT(error_of("%0: bf16[3] = random() {key=1, counter=2}"), HasSubstr("random numbers of type bf16"));
  EXPECT_THAT(error_of("%0: half[3] = cast(h)"), HasSubstr("f32, f64, bf16, i32, i64, u8, u32 or bool"));
}

}  // namespace
}  // namespace cotan::text_tests
