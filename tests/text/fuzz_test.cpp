// Any text gives a function or an Error: never a crash, a hang or a fault. Valid texts are mutated at random, with fixed seeds; what still parses must be legal
// and must survive a round trip.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "tests/text/helpers.h"

namespace cotan::text_tests {
namespace {

constexpr std::array<std::string_view, 5> seeds = {
    R"(func step(x: f32[64,784], w: f32[784,128], b: f32[128], t: i32[64]) {
  %0: f32[64,128][n,m] = x[n,k] * w[k,m]
  %1: f32[64,128][n,m] = b[m]   # a remark
  %2: f32[64,128] = add(%0, %1)
  %3: f32[64,128] = leaky_relu(%2) {negative_slope=0.01}
  %5: f32[64][n] = %3[n,t[n]]
  %6: f32[][] = -0.015625 * %5[n]
  return loss=%6, logits=%3
})",
    R"(body pair.0(#0: f32[3], #1: f32[3]) {
  %0: f32[3] = { t0 = exp(#0); t0 / (1 + t0) - #1 }
  return sum=%0, #1
}
func (var w: f32[3], "a b": f32[3], scalar s: f32[]) {
  %0, %1: f32[3], f32[3] = call pair(w, "a b") {dim=1, sizes=[1,-2], keep=true, rate=0.5, none=none} using pair.0
  %2: f32[3][i] = s[]
  %3: f32[3] = map(%1, %2, %0) { where(%0 < %2 && !(%1 == -inf), max(%1, f32(0.5)), nan) }
  return %3
})",
    R"(func pool(x: f32[2,8,8], c: bool[4], n: i32[4], u: u8[4]) {
  %0: f32[2,4,4][n,i,j] = max x[n,2*i+p-1,2*j+q-1]; p<3, q<3
  %1: i32[2,4,4,2][n,i,j] = argmax[q,p] x[n,2*i+p-1,2*j+q-1]; p<3, q<3
  %2: f32[2,8,8][n,2*i+%1[n,i,j,0]-1,2*j+%1[n,i,j,1]-1] = 0.5 * %0[n,i,j]; 0<=i-j<3, i<4
  %3: i32[4] = { where(c, n * 2, rem(n, 3)) }
  %4: i32[4] = check(%3) {below=10, what="an \"index\""}
  %5: f64[4] = cast(%4)
  return %2, %5
})",
    R"(func kinds(a: f64[3,4]) {
  %0: f64[3,4] = scan(a, a) {axis=1, reverse=true}
  %1: i32[3,4] = order(%0) {axis=0, descending=false}
  %2: f64[3,4] = stop_gradient(%0)
  %3: f64[3,4] = iota() {axis=1}
  %4: f64[3,4] = random() {key=7, counter=18446744073709551615}
  %5: f64[3,4] = { %2 * %3 + nan(0x7ff8000000000123) - -0.0 * cast(%1, f64) }
  %6: f64[3,4] = barrier(%4, %1)
  %7: f64[3,4] = mul(%6, %5)
  return %7
})",
    R"(func attention(q: f32[2,5,4], k: f32[2,5,4]) {
  %0: f32[2,5,5][b,i,j] = 0.5 * q[b,i,d] * k[b,j,d]; 0<=i-j<5
  %1: f32[2,5,5] = call softmax(%0) {dim=-1}
  %2: f32[5,5][i,j] = 1; 0<=i-j<5
  return %1, %2
})"};

constexpr std::array<std::string_view, 48> fragments = {"%0",
                                                        "%1",
                                                        "x",
                                                        "f32[3]",
                                                        "f32[",
                                                        "]",
                                                        "[",
                                                        "(",
                                                        ")",
                                                        "{",
                                                        "}",
                                                        ",",
                                                        ";",
                                                        ":",
                                                        "=",
                                                        "==",
                                                        "<",
                                                        "+",
                                                        "-",
                                                        "*",
                                                        "/",
                                                        "i<3",
                                                        "0<=",
                                                        "-1",
                                                        "0",
                                                        "1e308",
                                                        "inf",
                                                        "nan",
                                                        "true",
                                                        "max",
                                                        "argmin",
                                                        "exp(",
                                                        "t[",
                                                        "#",
                                                        "#0",
                                                        "\"",
                                                        "\\",
                                                        "call",
                                                        "using",
                                                        "body",
                                                        "func",
                                                        "return",
                                                        "map",
                                                        "9999999999999999999",
                                                        "4611686018427387904",
                                                        "where(",
                                                        "cast(",
                                                        "%"};

std::string mutated(std::string text, std::mt19937& random) {
  auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  const bool mild = below(2) == 0;  // one other digit: often still a text
  const std::size_t changes = mild ? 1 : 1 + below(4);
  for (std::size_t k = 0; k < changes && !text.empty(); ++k) {
    const std::size_t at = below(text.size());
    switch (mild ? 6 : below(7)) {
      case 0: text.erase(at, 1 + below(8)); break;
      case 1: text[at] = static_cast<char>(below(256)); break;
      case 2: text.insert(at, fragments[below(fragments.size())]); break;
      case 3: {
        const std::string piece = text.substr(at, 1 + below(40));
        text.insert(below(text.size()), piece);
        break;
      }
      case 4: text.resize(at); break;
      case 5: {
        const std::string_view other = seeds[below(seeds.size())];
        text.insert(at, other.substr(below(other.size()), 1 + below(60)));
        break;
      }
      default:  // a number becomes another
        for (std::size_t i = at; i < text.size(); ++i)
          if (text[i] >= '0' && text[i] <= '9') {
            text[i] = static_cast<char>('0' + below(10));
            break;
          }
    }
  }
  return text;
}

TEST(Fuzz, StartsFromValidTexts) {
  for (std::string_view seed : seeds) EXPECT_NO_THROW(verify(parse_function(seed))) << error_of(seed);
}

TEST(Fuzz, MutatedTextsGiveAFunctionOrAnError) {
  std::mt19937 random(20240511);
  int parsed = 0, refused = 0;
  for (int k = 0; k < 20000; ++k) {
    const std::string text = mutated(std::string(seeds[static_cast<std::size_t>(k) % seeds.size()]), random);
    Function f;
    try {
      f = parse_function(text);
    } catch (const Error& e) {
      ASSERT_EQ(e.function(), "parse") << text;
      ASSERT_FALSE(e.remedy().empty()) << e.what();
      ++refused;
      continue;
    } catch (const std::exception& e) {
      FAIL() << e.what() << "\n" << text;
    }
    ++parsed;
    try {
      verify(f);
      const std::string printed = to_text(f);
      ASSERT_EQ(to_text(parse_function(printed)), printed) << text;
    } catch (const std::exception& e) {
      FAIL() << e.what() << "\n" << text << "\n" << to_text(f);
    }
  }
  EXPECT_GT(parsed, 1000);
  EXPECT_GT(refused, 5000);
}

TEST(Fuzz, RandomBytesGiveAnError) {
  std::mt19937 random(3);
  for (int k = 0; k < 2000; ++k) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = static_cast<char>(random());
    EXPECT_THROW((void)parse_function(text), Error);
  }
  for (int k = 0; k < 2000; ++k) {
    std::string text = "func f(x: f32[3], t: i32[3]) { %0: f32[3] = ";
    for (int n = 0; n < 12; ++n) text += std::string(fragments[random() % fragments.size()]) + " ";
    try {
      (void)parse_function(text + " return x }");
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace cotan::text_tests
