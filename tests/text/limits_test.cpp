// Large and deep texts: read in time that grows with their length, or refused where they would make a graph that nobody can hold.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <ctime>

#include "tests/text/helpers.h"

namespace cotan::text_tests {
namespace {

using ::testing::HasSubstr;

std::string repeated(std::string_view piece, int times) {
  std::string text;
  for (int k = 0; k < times; ++k) text += piece;
  return text;
}

// "x0, x1, ..." with each name in this form.
std::string numbered(std::string_view form, int times, std::string_view between = ", ") {
  std::string text;
  for (int k = 0; k < times; ++k) text += fmt::format("{}{}", k > 0 ? between : "", fmt::format(fmt::runtime(form), k));
  return text;
}

// Bodies that each call the one before `calls` times, one call on the other's result.
std::string nested_bodies(int depth, int calls) {
  std::string text = "body b0(x: f32[3]) { %0: f32[3] = exp(x) return %0 }\n";
  for (int k = 1; k < depth; ++k) {
    text += fmt::format("body b{}(x: f32[3]) {{ ", k);
    for (int c = 0; c < calls; ++c) text += fmt::format("%{}: f32[3] = call f({}) using b{} ", c, c == 0 ? "x" : fmt::format("%{}", c - 1), k - 1);
    text += fmt::format("return %{} }}\n", calls - 1);
  }
  return text + fmt::format("func f(x: f32[3]) {{ %0: f32[3] = call f(x) using b{} return %0 }}", depth - 1);
}

TEST(Limits, BodiesInsideOneAnother) {
  round_trip(parse_function(nested_bodies(200, 1)));
  EXPECT_THAT(error_of(nested_bodies(201, 1)), HasSubstr("more than 200 bodies inside one another"));
  EXPECT_THAT(error_of(nested_bodies(8000, 1)), HasSubstr("more than 200 bodies inside one another"));
}

TEST(Limits, NodesOfBodiesInTheirCallsPlaces) {
  round_trip(parse_function(nested_bodies(18, 2)));
  EXPECT_THAT(error_of(nested_bodies(40, 2)), HasSubstr("more than 1048576 nodes, with bodies in the places of their calls"));
}

TEST(Limits, RandomNumbersInABody) {
  EXPECT_THAT(error_of("body b(x: f32[3]) { %0: f32[3] = random() {key=1, counter=2} return %0 } "
                       "func f(x: f32[3]) { %0: f32[3] = call f(x) using b return %0 }"),
              HasSubstr("random numbers in a body. Draw them in the function, and give them to the call"));
}

TEST(Limits, AttributesAndConditions) {
  EXPECT_THAT(error_of("func f(x: f32[3]) { %0: f32[3] = exp(x) {" + numbered("a{}=1", 65) + "} return x }"), HasSubstr("more than 64 attributes"));
  const auto conditions = [](int n) { return "func f(x: f32[200]) { %0: f32[200][i] = x[i]; " + numbered("0<=i-{}<5", n) + " return %0 }"; };
  EXPECT_NO_THROW((void)parse_function(conditions(64)));
  EXPECT_THAT(error_of(conditions(65)), HasSubstr("more than 64 conditions"));
}

// The coefficients of one index add up.
TEST(Limits, CoefficientsAsTheyPrint) {
  const auto with = [](const char* expression) { return fmt::format("func f(x: f32[3]) {{ %0: f32[3][i] = x[{}] return %0 }}", expression); };
  round_trip(parse_function(with("70368744177664*i")));
  round_trip(parse_function(with("i-70368744177664")));
  EXPECT_THAT(error_of(with("70368744177664*i+i")), HasSubstr("too large a coefficient"));
  EXPECT_THAT(error_of(with("i-70368744177664-1")), HasSubstr("too large a coefficient"));
}

// Each text is some hundred thousand characters; what takes time that grows with the square of its length takes minutes.
TEST(Limits, LongTextsTakeTimeByTheirLength) {
  constexpr int many = 50000;
  const std::string texts[] = {
      "func f(x: f32[3]) { %0: f32[3] = " + repeated("(", many) + "x" + repeated(")", many) + " return %0 }",
      "func f(x: f32[3]) { %0: f32[3] = { " + repeated("(", many) + "x" + repeated(")", many) + " } return %0 }",
      "func f(x: f32[3]) { %0: f32[3] = { " + repeated("-", many) + "x } return %0 }",
      "func f(x: i32[3]) { %0: i32[3][i] = x[" + repeated("x[", many) + "i" + repeated("]", many) + "] return %0 }",
      "func f(x: f32[" + repeated("[", many) + "]) { return x }",
      repeated("[]", many),
      repeated("{", many),
      repeated("\"", 2 * many),
      "func f(" + numbered("x{}: f32[3]", many) + ") { return x0 }",
      "func f(" + numbered("x{}: f32[3]", many) + ") { %0: f32[3] = map(" + numbered("x{}", many) + ") { " + numbered("x{}", many, " + ") + " } return %0 }",
      "func f(x: f32[3], " + numbered("t{}: i32[]", many) + ") { %0: f32[3][i] = " + numbered("x[t{}[]]", many, " * ") + " return %0 }",
      "func f(x: f32[3]) { %0: f32[3] = { " + numbered("t{0} = x + {0}; ", many, "") + numbered("t{}", many, " + ") + " } return %0 }",
      "func f(x: f32[3]) { " + numbered("%{}: f32[3] = exp(x) ", many, "") + " return " + numbered("%{}", many) + " }",
      "func f(x: f32[3]) { %0: f32[3] = call softmax(x) {" + numbered("a{}=[]", many) + "} return %0 }",
      "func f(x: f32[3]) { %0: f32[3] = call softmax(x) {dim=[" + numbered("{}", many) + "]} return %0 }",
      "func f(x: f32[3]) { %0: f32[3][i] = x[i]; " + numbered("0<=i-{}<5", many) + " return %0 }",
      "func f(x: f32[3]) { %0: f32[3][i] = x[" + numbered("{}*i", many, "+") + "] return %0 }",
      "func f(x: f32[3]) { %0: f32[][] = " + numbered("x[i{}]", many, " * ") + " return %0 }",
      "func f(x: f32[3]) { %0: f32[3][i] = " + repeated("x[i] * ", many) + "x[i] return %0 }",
      "func f(x: f32[3]) { " + numbered("%{}", many) + ": " + numbered("f32[3]", many) + " = exp(x) return x }",
      "func f(x: f32[3]) { %0: f32[3] = call concat(" + numbered("x", many) + ") {dim=0} return %0 }",
  };
  for (const std::string& text : texts) {
    const std::clock_t start = std::clock();
    try {
      const Function f = parse_function(text);
      verify(f);
      EXPECT_FALSE(to_text(f).empty());
    } catch (const Error& e) {
      EXPECT_LT(std::string_view(e.what()).size(), 1000u) << e.what();
    }
    EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 5) << text.substr(0, 60);
  }
}

// A word of any length is quoted by its beginning, wherever it stands.
TEST(Limits, ErrorsQuoteTheBeginningOfLongWords) {
  const std::string word(20000, 'z'), digits(20000, '7');
  const auto with_statement = [](const std::string& statement) { return "func f(x: f32[3], t: i32[3]) { " + statement + " return x }"; };
  const std::string texts[] = {
      "func f(" + word + ": f32[3], " + word + ": f32[3]) { return x }",
      "func f(x: " + word + "[3]) { return x }",
      "func f(x: f32[" + digits + "]) { return x }",
      "func f(x: f32[" + digits + "z]) { return x }",
      "func f(x: f32[3]) { return " + word + " }",
      "func f(x: f32[3]) { return %" + digits + " }",
      "func f(x: f32[3]) { return \"" + word + "\" }",
      "func f(" + word + "a: f32[3]) { return " + word + " }",
      "func f(x: f32[3]) { return x } " + word,
      "func f(x: f32[3]) { return \"" + word,
      with_statement("%0: f32[3] = " + word + "(x)"),
      with_statement("%0: f32[3] = exp(x) {" + word + "=1}"),
      with_statement("%0: f32[3] = exp(x) {" + word + "=1, " + word + "=1}"),
      with_statement("%0: f32[3] = { " + word + "(x) }"),
      with_statement("%0: f32[3] = { " + word + " = exp(x); " + word + " = exp(x); x }"),
      with_statement("%0: f32[3] = { x + " + digits + " }"),
      with_statement("%0: f32[3] = { x + nan(0x" + digits + ") }"),
      with_statement("%0: f32[3] = call " + word + "(x)"),
      with_statement("%0: f32[3] = call \"" + word + "\"(x)"),
      with_statement("%0: f32[3] = call softmax(x) {" + word + "=1}"),
      with_statement("%0: f32[3] = call softmax(x) {dim=\"" + word + "\"}"),
      with_statement("%0: f32[3] = call softmax(x) using " + word),
      with_statement("%0: f32[3] = call softmax(x) {dim=" + digits + "}"),
      with_statement("%0: f32[3] = call pad(x) {pad=[1,1], mode=\"" + word + "\"}"),
      with_statement("%0: f32[3][" + word + "+1] = x[i]"),
      with_statement("%0: f32[3][i] = x[" + word + "+1]"),
      with_statement("%0: f32[3][i] = x[i]; " + word + "<3, " + word + "<3"),
      with_statement("%0: f32[3][i] = x[" + digits + "*i]"),
      with_statement("%0: f32[3][i] = x[x[" + word + "]]"),
      with_statement("%0: f32[][] = max[" + word + "," + word + "] x[" + word + "]"),
      with_statement("%0: f32[][] = max[i] x[" + word + "]"),
      with_statement("%0: i32[3] = check(t) {below=" + digits + ", what=\"x\"}"),
      with_statement("%0: f32[3] = random() {key=" + digits + ", counter=1}"),
      "body " + word + "(x: f32[1]) { return x } body " + word + "(x: f32[1]) { return x } func f() { return }",
  };
  for (const std::string& text : texts) EXPECT_LT(error_of(text).size(), 700u) << error_of(text).substr(0, 200);
}

}  // namespace
}  // namespace cotan::text_tests
