// Formulas without a name: what they print as, and that exactly their nodes come back.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "ops/intern.h"
#include "tests/text/helpers.h"

namespace cotan::text_tests {
namespace {

using namespace formula_language;
using graph::parameter;
using ::testing::HasSubstr;

using Body = std::function<Ex(std::span<const Ex>)>;

Ref formula_on(std::initializer_list<DType> types, const Body& body, DType literals = f32) {
  std::vector<Ref> operands;
  for (DType t : types) operands.push_back(parameter(std::string(1, static_cast<char>('a' + operands.size())), t, {3}));
  return graph::map(make_formula(types, body, literals), operands, {3});
}

// The text between the '=' of the only statement and the end of its line.
std::string right_side(const std::string& text) {
  const std::size_t from = text.find(" = ") + 3;
  return text.substr(from, text.find('\n', from) - from);
}

// What the formula prints as once it was read; its text is read back on the way.
std::string printed(std::string_view formula) {
  return right_side(round_trip(parse_function(fmt::format("func (a: f32[3], b: f32[3], c: bool[3], n: i32[3]) {{ %0: f32[3] = {} return %0 }}", formula))));
}

TEST(Formula, PrintsAsItIsWritten) {
  for (const char* text : {"{ a * (1 - b) }",
                           "{ a - b - 0.5 }",
                           "{ a - (b - 0.5) }",
                           "{ -a * -b }",
                           "{ -(a * b) }",
                           "{ a / (b * 0.1) }",
                           "{ t0 = exp(a); t0 / (1 + t0) + b }",
                           "{ where(0 < a && !(b <= a), f32(1), f32(0)) }",
                           "{ cast(a < b || a == b, f32) }",
                           "{ max(a, 0) + pow(b, 3) + atan2(a, b) }",
                           "{ cast(cast(a, i32) * 3, f32) - b }",
                           "{ a * a * b }",
                           "{ where(xor(a < 0, b < 0), -2, a) }",
                           "map(a, b) { b - a }",
                           "{ where(c && true, a, b) }",
                           "{ where(c == (a < b), a, inf) }",
                           "{ cast(rem(n, 3) - 2, f32) }",
                           "{ neg(f32(2)) * a }",
                           "{ a - -b }",
                           "{ a * (b * a) }",
                           "{ 2 - (1 - a) }",
                           "{ (a + b) / (a - b) }",
                           "{ where((a < b) == (b < a), a, b) }"})
    EXPECT_EQ(printed(text), text);
}

TEST(Formula, MayBeWrittenInOtherWays) {
  const std::pair<const char*, const char*> cases[] = {
      {"{a*(1.0-b)}", "{ a * (1 - b) }"},
      {"{ cast(a > b && a >= 0 && a != b, f32) }", "map(a, b) { cast(b < a && 0 <= a && !(a == b), f32) }"},
      {"{ t = 1 + a; u = t; u * u }", "{ t0 = 1 + a; t0 * t0 }"},
      {"{ ((a)) + 1e0 }", "{ a + 1 }"},
      {"{ where(and(c, or(c, xor(c, true))), a, 0) }", "{ where(c && (c || xor(c, true)), a, 0) }"},
      {"{ f32(0.5) * a }", "{ 0.5 * a }"},
      {"{ a - 0.5 - -0.25 }", "{ a - 0.5 + 0.25 }"},
      {"{ \"a\" + b # a remark\n }", "{ a + b }"},
      {"map(b, a) { b + a }", "{ b + a }"},
  };
  for (const auto& [given, expected] : cases) EXPECT_EQ(printed(given), expected);
}

TEST(Formula, SharedPartsAreNamedOnce) {
  const Ref r = formula_on({f64}, [](auto x) {
    Ex e = x[0];
    for (int k = 0; k < 300; ++k) e = sin(e) * e;
    return e;
  });
  EXPECT_LT(round_trip(r).size(), 20000u);
}

TEST(Formula, DeepOnesReadBack) {
  const Ref r = formula_on({f64, f64}, [](auto x) {
    Ex e = x[0];
    for (int k = 0; k < 3000; ++k) e = k % 2 == 0 ? x[1] - e : exp(-e);
    return e;
  });
  round_trip(r);
}

TEST(Formula, LiteralsKeepTheirBits) {
  const auto bits = [](std::uint64_t b) { return std::bit_cast<double>(b); };
  const double values[] = {0.0,
                           -0.0,
                           1.0,
                           -2.5,
                           0.1,
                           1e300,
                           5e-324,
                           1.0 / 3,
                           123456789012345680.0,
                           std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity(),
                           bits(0x7ff8000000000000),
                           bits(0xfff8000000000000),
                           bits(0x7ff8000000000123),
                           0.30000000000000004};
  for (DType dtype : {f64, f32}) {
    for (double v : values) {
      const double held = round_to(dtype, v);
      round_trip(graph::fill(v, dtype, {3}));
      const Ref r = formula_on(
          {dtype}, [&](auto x) { return max(x[0], v); }, dtype);
      round_trip(r);
      bool found = false;
      for (const FormulaNode& n : parse_function(to_text(closed({r}))).results[0]->formula().nodes)
        found |= n.atom == Atom::constant && std::bit_cast<std::uint64_t>(n.literal) == std::bit_cast<std::uint64_t>(held);
      EXPECT_TRUE(found) << v;
    }
  }
  EXPECT_EQ(right_side(round_trip(graph::fill(0.1, f32, {3}))), "{ 0.1 }");
  EXPECT_EQ(right_side(round_trip(graph::fill(-7, i32, {3}))), "{ -7 }");
  EXPECT_EQ(right_side(round_trip(graph::fill(1, boolean, {3}))), "{ true }");
  EXPECT_EQ(right_side(round_trip(graph::fill(255, u8, {}))), "{ 255 }");
}

TEST(Formula, DerivativesOfEveryRow) {
  for (const ElementwiseRow& row : elementwise_rows()) {
    SCOPED_TRACE(row.name);
    std::vector<DType> types;
    for (std::string_view name : row.operands) types.push_back(name == "condition" || row.name.starts_with("logical") ? boolean : f32);
    std::vector<double> parameters;
    for (const auto& p : row.parameters) parameters.push_back(p.standard);
    const FormulaRef f = formula_of(row, types, parameters);
    for (std::size_t k = 0; k < types.size(); ++k) {
      const FormulaRef d = derivative(f, static_cast<int>(k));
      if (!d) continue;
      std::vector<Ref> operands;
      for (DType t : d->operands) operands.push_back(parameter(fmt::format("x{}", operands.size()), t, {2}));
      round_trip(graph::map(d, operands, {2}));
    }
  }
}

// Formulas as a pass might build them: any legal order of nodes, any sharing, literals anywhere.
FormulaRef random_formula(std::mt19937& random, std::vector<DType> operands) {
  auto pick = [&](std::size_t n) { return static_cast<int>(random() % n); };
  Formula f;
  f.operands = std::move(operands);
  for (std::size_t k = 0; k < f.operands.size(); ++k) f.nodes.push_back({Atom::operand, f.operands[k], static_cast<int>(k), -1, -1, 0});
  const int count = 1 + pick(14);
  for (int n = 0; n < count; ++n) {
    auto of_type = [&](DType t) {
      std::vector<int> all;
      for (std::size_t i = 0; i < f.nodes.size(); ++i)
        if (f.nodes[i].dtype == t) all.push_back(static_cast<int>(i));
      return all.empty() ? -1 : all[static_cast<std::size_t>(pick(all.size()))];
    };
    const double literals[] = {0, -0.0, 1, -1, 2, 0.5, -0.25};
    const int a = of_type(f64), b = of_type(f64), c = of_type(boolean);
    FormulaNode node;
    switch (pick(8)) {
      case 0: node = {Atom::constant, f64, -1, -1, -1, literals[pick(7)]}; break;
      case 1: node = {Atom::neg, f64, a, -1, -1, 0}; break;
      case 2: node = {pick(2) == 0 ? Atom::exp : Atom::neg, f64, a, -1, -1, 0}; break;
      case 3: node = {pick(2) == 0 ? Atom::lt : Atom::eq, boolean, a, b, -1, 0}; break;
      case 4: node = c < 0 ? FormulaNode{Atom::constant, boolean, -1, -1, -1, 0} : FormulaNode{Atom::where, f64, c, a, b, 0}; break;
      case 5:
        node = c < 0 ? FormulaNode{Atom::le, boolean, a, b, -1, 0} : FormulaNode{pick(2) == 0 ? Atom::and_ : Atom::eq, boolean, c, of_type(boolean), -1, 0};
        break;
      default: {
        const Atom binary[] = {Atom::add, Atom::add, Atom::mul, Atom::div, Atom::max};
        node = {binary[pick(5)], f64, a, b, -1, 0};
      }
    }
    if (std::find(f.nodes.begin(), f.nodes.end(), node) == f.nodes.end()) f.nodes.push_back(node);
  }
  // The value needs everything: what nobody reads is added up.
  std::vector<int> unread;
  for (std::size_t i = 0; i < f.nodes.size(); ++i) {
    bool read = false;
    for (const FormulaNode& n : f.nodes)
      read |= n.atom != Atom::operand && (n.a == static_cast<int>(i) || n.b == static_cast<int>(i) || n.c == static_cast<int>(i));
    if (!read) unread.push_back(static_cast<int>(i));
  }
  int sum = -1;
  for (int i : unread) {
    int value = i;
    if (f.nodes[static_cast<std::size_t>(i)].dtype == boolean) {
      f.nodes.push_back({Atom::cast, f64, i, -1, -1, 0});
      value = static_cast<int>(f.nodes.size()) - 1;
    }
    if (sum >= 0) {
      f.nodes.push_back({Atom::add, f64, sum, value, -1, 0});
      value = static_cast<int>(f.nodes.size()) - 1;
    }
    sum = value;
  }
  return f.nodes.back().atom == Atom::operand ? nullptr : interned(std::move(f));
}

TEST(Formula, RandomOnesReadBackExactly) {
  std::mt19937 random(7);
  int done = 0;
  for (int k = 0; k < 4000; ++k) {
    const FormulaRef f = random_formula(random, k % 2 == 0 ? std::vector{f64} : std::vector{f64, f64, boolean});
    if (!f) continue;
    std::vector<Ref> operands;
    for (DType t : f->operands) operands.push_back(parameter(fmt::format("x{}", operands.size()), t, {2}));
    const Ref r = graph::map(f, operands, {2});
    if (!fault_of(*r.node()).empty()) continue;  // the sum above may meet a node that stands there already
    const std::string text = round_trip(r);
    if (HasFailure()) FAIL() << text;
    ++done;
  }
  EXPECT_GT(done, 3000);
}

}  // namespace
}  // namespace cotan::text_tests
