// What the parser says of texts that are wrong: where, what was expected, what to do.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/text/helpers.h"

namespace cotan::text_tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Case {
  const char* text;
  const char* message;  // what the message must contain
};

// A function of some parameters with one statement.
std::string with_statement(std::string_view statement) {
  return fmt::format("func f(x: f32[3], y: f32[2,3], t: i32[3], c: bool[3]) {{\n  {}\n  return x\n}}", statement);
}

TEST(ParseError, SaysWhere) {
  EXPECT_THAT(error_of("func f(x: f32[3]) {\n  %0: f32[3] = exp(y)\n  return %0\n}"), StartsWith("parse: t:2:20: no parameter y. "));
  EXPECT_THAT(error_of("func f(x f32[3]) {}"), StartsWith("parse: t:1:10: expected ':', found 'f32'. "));
  EXPECT_THAT(error_of(""), StartsWith("parse: t:1:1: expected 'func' or 'body', found the end of the text. "));
}

TEST(ParseError, OfTheFunction) {
  const Case cases[] = {
      {"func f(x: f32[3], x: f64[3]) { return x }", "a second parameter x"},
      {"func f(x: f16[3]) { return x }", "expected an element type, found 'f16'"},
      {"func f(x: f32[3) { return x }", "expected ','"},
      {"func f(x: f32[-3]) { return x }", "a size is -3"},
      {"func f(x: f32[100000000000,100000000000]) { return x }", "too large"},
      {"func f(x: f32[99999999999999999999]) { return x }", "not a whole number of 64 bits"},
      {"func f(x: f32[1,1,1,1,1,1,1,1,1]) { return x }", "more than 8 dimensions"},
      {"func f(var: f32[1]) { return x }", "in quotes it is a name"},
      {"func f(x: f32[1]) { x }", "expected a statement, %0: f32[...] = ..., or 'return', found 'x'"},
      {"func f(x: f32[1]) { return x } func", "expected the end of the text, found 'func'"},
      {"func f(x: f32[1]) { return \"x }", "a quoted text without its end"},
      {"func f(x: f32[1]) { return \"\\q\" }", "an unknown escape"},
      {"func f(x: f32[1]) { return x? }", "the character \"?\" has no meaning here"},
      {"func f(x: f32[1x]) { return x }", "'1x' is not a number"},
      {"func f(x: f32[1]) { return %0 }", "%0 has no value here"},
      {"func f(hidden: f32[1]) { return hiden }", "Did you mean hidden?"},
      {"body b(x: f32[1]) { return x } body b(x: f32[1]) { return x } func f() { return }", "a second body of this name"},
  };
  for (const Case& c : cases) EXPECT_THAT(error_of(c.text), HasSubstr(c.message)) << c.text;
}

TEST(ParseError, OfStatements) {
  const Case cases[] = {
      {"%0: f32[3] = rellu(x)", "no operation rellu. Did you mean relu?"},
      {"%0: f32[3] = add(x)", "add takes 2 operands, not 1"},
      {"%0: f32[2,3] = add(x, y)", "add of shapes (3,) and (2, 3). Broadcasts are statements of their own"},
      {"%0: f32[3] = add(x, t)", "Types do not mix"},
      {"%0: f64[3] = exp(x)", "the statement says f64[3], its right side is f32[3]"},
      {"%0: f32[3] = leaky_relu(x) {slope=0.1}", "an attribute slope is not known here. There are: negative_slope"},
      {"%0: f32[3] = leaky_relu(x) {negative_slope=true}", "negative_slope does not fit. It is a number"},
      {"%0: f32[3] = exp(x) %0: f32[3] = exp(x)", "%0 has a value already"},
      {"%0: f32[3] = x[i]", "A sum has its indices on the left too"},
      {"%0: f32[3] = x", "expected an operation"},
      {"%0, %1: f32[3], f32[3] = exp(x)", "several results of what gives one"},
      {"%0: f32[3] = scan(x, x) {axis=1, reverse=false}", "It is a whole number from 0 to 0"},
      {"%0: f32[3] = scan(x, x) {reverse=false}", "the attribute axis is missing"},
      {"%0: i32[3] = order(x) {axis=0, descending=1}", "It is true or false"},
      {"%0: f32[3] = check(x) {below=3, what=\"x\"}", "check of f32"},
      {"%0: bool[3] = iota() {axis=0}", "iota of bool"},
      {"%0: i32[3] = random() {key=1, counter=2}", "random numbers of type i32"},
      {"%0: f32[3] = random() {key=-1, counter=2}", "a whole number of 64 bits"},
      {"%0: f32[3] = call nothing(x)", "no composite nothing"},
      {"%0: f32[3] = call softmx(x)", "Did you mean softmax?"},
      {"%0: f32[3] = call softmax(x, x)", "takes 1 operand, not 2"},
      {"%0: f32[3] = call softmax(x) {dum=0}", "softmax has no attribute dum"},
      {"%0: f32[3] = call softmax(x) {dim=7}", "dimension 7"},
      {"%0: f32[3] = call softmax(x) using body.0", "no body body.0"},
  };
  for (const Case& c : cases) EXPECT_THAT(error_of(with_statement(c.text)), HasSubstr(c.message)) << c.text;
}

TEST(ParseError, OfFormulas) {
  const Case cases[] = {
      {"%0: f32[3] = { expp(x) }", "no function expp in formulas. Did you mean exp?"},
      {"%0: f32[3] = { x + y }", "an operand of shape (2, 3) in a formula of shape (3,)"},
      {"%0: f32[3] = { x + t }", "'add' of f32 and i32"},
      {"%0: f32[3] = { where(x, x, x) }", "the condition of where is f32"},
      {"%0: f32[3] = { 1 + 2 + x }", "the type of 'add' of literals is not known"},
      {"%0: i32[3] = { t + 0.5 }", "the literal 0.5 does not fit i32"},
      {"%0: f32[3] = { x + 1e300 }", "does not fit f32"},
      {"%0: f32[3] = { x + 1e999 }", "not a number that f64 can hold"},
      {"%0: f32[3] = { x < x }", "the formula gives bool, the statement says f32"},
      {"%0: bool[3] = { x < x < x }", "comparisons in a row"},
      {"%0: f32[3] = { t0 = exp(x); x * 2 }", "a local name or an operand that the formula's value does not need"},
      {"%0: f32[3] = { t0 = 2; x * t0 }", "the type of the literal is not known"},
      {"%0: f32[3] = { t0 = exp(x); t0 = exp(x); t0 }", "a second local name t0"},
      {"%0: f32[3] = { exp(x, x) }", "'exp' takes 1 operand, not 2"},
      {"%0: f32[3] = { cast(x) }", "cast takes a value and a type"},
      {"%0: i32[3] = { exp(t) }", "'exp' of i32: it takes floating"},
      {"%0: f32[3] = { f32(x) }", "To convert a value write cast(x, f32)"},
      {"%0: f32[3] = { nan(0x12) }", "are not the bits of a NaN"},
      {"%0: f32[3] = { x + }", "expected an expression, found '}'"},
      {"%0: f32[3] = map(x, y) { x }", "an operand of shape"},
  };
  for (const Case& c : cases) EXPECT_THAT(error_of(with_statement(c.text)), HasSubstr(c.message)) << c.text;
}

TEST(ParseError, OfSumsAndReductions) {
  const Case cases[] = {
      {"%0: f32[3][i] = x[i,j]", "2 indices for a tensor of shape (3,)"},
      {"%0: f32[3][i,j] = x[i]", "2 indices for a tensor of shape (3,)"},
      {"%0: f32[3][i] = x[i+k]", "the size of the index k is not known. No dimension is indexed by k alone: state its size, ; k<14"},
      {"%0: f32[3][i] = x[x[i]]", "x inside an index is f32"},
      {"%0: f32[3][i] = t[i]", "a factor of type i32 in a sum of type f32"},
      {"%0: i32[3][i] = 2 * t[i]", "a scaled sum of i32"},
      {"%0: f32[3][i] = x[i]; k<3, k<4", "a second size for k"},
      {"%0: f32[3][i] = x[i]; 1<=i<4", "expected a condition"},
      {"%0: f32[3][i] = x[99999999999999999*i]", "a coefficient is"},
      {"%0: f32[3][i] = x[70368744177664*i+k]; k<70368744177664, i<70368744177664", "the domain of the sum is too large"},
      {"%0: f32[3][i] = x[70368744177664*i]; i<70368744177664", "reaches too far"},
      {"%0: f32[3][i] = x[i] *", "expected a factor"},
      {"%0: f32[][] = max c[p]", "max of bool"},
      {"%0: f32[3][i+1] = max y[p,i]", "the left side of max must name different indices"},
      {"%0: f32[3][i] = max y[p,i]; 0<=i<2", "expected the size of an index"},
      {"%0: i32[3,2][i] = argmax y[p,i]", "gives a last dimension of 1, not 2"},
      {"%0: f32[3,1][i] = argmax y[p,i]", "argmax of f32 gives i32"},
      {"%0: f32[3][i] = max[p,p] y[p,i]", "p stands twice"},
      {"%0: f32[][] = max[p] y[p,q]", "the list after max lacks the index q"},
      {"%0: f32[3][i] = max x[t[i]]", "max over a tensor-valued index"},
      {"%0, %1: f32[3], f32[3][i] = x[i]", "an access of several results"},
  };
  for (const Case& c : cases) EXPECT_THAT(error_of(with_statement(c.text)), HasSubstr(c.message)) << c.text;
}

TEST(ParseError, DeepNestingIsRefused) {
  const auto repeated = [](std::string_view part, int times) {
    std::string out;
    for (int k = 0; k < times; ++k) out += part;
    return out;
  };
  for (int depth : {201, 100000}) {
    EXPECT_THAT(error_of(with_statement(fmt::format("%0: f32[3] = {{ {} x }}", repeated("(", depth)))), HasSubstr("more than 200 brackets"));
    EXPECT_THAT(error_of(with_statement(fmt::format("%0: f32[3] = {{ {} x }}", repeated("-", depth)))), HasSubstr("more than 200 brackets"));
    EXPECT_THAT(error_of(with_statement(fmt::format("%0: f32[3] = {{ {} x }}", repeated("exp(", depth)))), HasSubstr("more than 200 brackets"));
    EXPECT_THAT(error_of(with_statement(fmt::format("%0: f32[3][i] = x[{}i]", repeated("t[", depth)))), HasSubstr("more than 200 brackets"));
  }
  // Long chains are no nesting.
  const Function f = parse_function(with_statement(fmt::format("%0: f32[3] = {{ x{} }}", repeated(" + exp(x)", 5000))), "t");
  EXPECT_EQ(f.results.size(), 1u);
}

TEST(ParseError, CarriesTheCallersLine) {
  const CallSite site("parse_function", {"user.cpp", 12});
  EXPECT_THAT(error_of("func"), HasSubstr("(at user.cpp:12)"));
}

}  // namespace
}  // namespace cotan::text_tests
