#include "tests/rewrite/rule_checks.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "backends/reference/reference.h"
#include "graph/text/text.h"
#include "ops/float_mode.h"
#include "tests/rewrite/samples.h"
#include "tests/support/close.h"
#include "tests/support/run_compiled.h"

namespace cotan::rewrite_test {
namespace {

using reference::Array;
using rewrite::RuleClass;

double drawn(DType dtype, testing::Random& random, Draw draw) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  if (dtype == DType::boolean) return static_cast<double>(random.integer(0, 1));
  if (!is_floating(dtype)) {
    if (draw == Draw::anything && random.chance(0.2)) return round_to(dtype, random.chance(0.5) ? -0x1p52 : 0x1p52);
    return round_to(dtype, static_cast<double>(random.integer(-3, 3)));
  }
  double v = random.uniform(-4, 4);
  if (draw == Draw::anything && random.chance(0.8)) {
    // Half of them are those by which exact rules are told from others, so that two or three meet in one expression.
    const double edges[] = {0, -0.0, inf, -inf, std::nan("")};
    const double special[] = {1, -1, 88.5, -88.5, 104, -104, 1e-40, -1e-40, 3e38, -3e38, 1e-30, 1e30};
    v = random.chance(0.6)   ? edges[random.below(std::size(edges))]
        : random.chance(0.6) ? special[random.below(std::size(special))]
                             : std::ldexp(random.uniform(-1, 1), static_cast<int>(random.integer(-140, 128)));
  }
  return round_to(dtype, v);
}

// ULPs of f32 numbers as large as v, at least those of the smallest normal number.
double ulp_of(double v, double size) {
  const double magnitude = std::max({std::abs(v), size, 0x1p-126});
  return std::ldexp(1, std::ilogb(magnitude) - 23);
}

bool within(double got, double want, double ulps, double size) {
  constexpr double most = 3.4028234663852886e38;
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
  if (std::abs(want) > most) return std::abs(got) >= most * (1 - 1e-5) && std::signbit(got) == std::signbit(want);
  if (std::isinf(got)) return std::abs(want) >= most * (1 - 1e-5) && std::signbit(got) == std::signbit(want);
  return std::abs(got - want) <= ulps * ulp_of(want, size);
}

}  // namespace

std::optional<std::string> check_rule(const rewrite::Rule& rule, const Function& before, const Function& after, testing::Random& random, Draw draw) {
  std::vector<Array> inputs;
  for (const Ref& p : before.parameters) {
    Array a = Array::zeros(p.dtype(), p.shape());
    for (double& v : a.values) v = drawn(p.dtype(), random, draw);
    if (rule.step && p.dtype() == DType::i32)
      for (double& v : a.values) v = static_cast<double>(random.integer(0, 3));  // the samples' tables
    inputs.push_back(std::move(a));
  }
  auto differs = [&](std::size_t i, double got, double want, std::string_view what) {
    std::string text = fmt::format("{}: entry {} is {:.9g}, {} is {:.9g}\n{}{}", rule.name, i, got, what, want, to_text(before), to_text(after));
    for (const Array& a : inputs) text += fmt::format("operand {:.9g}\n", i < a.values.size() ? a.values[i] : a.values[0]);
    return text;
  };
  const std::vector<double> right = reference::evaluate(after, inputs)[0].values;
  if (rule.rule_class == RuleClass::exact) {
    // A subnormal number is the zero of its sign, whichever of the two is there.
    const DType dtype = before.results[0].dtype();
    auto seen = [&](double v) { return is_floating(dtype) ? flushed(dtype, v) : v; };
    auto unequal = [&](const std::vector<double>& got, const std::vector<double>& want, std::string_view what) -> std::optional<std::string> {
      for (std::size_t i = 0; i < want.size(); ++i)
        if (!testing::same_number(seen(got[i]), seen(want[i]), true)) return differs(i, got[i], want[i], what);
      return std::nullopt;
    };
    if (auto wrong = unequal(right, reference::evaluate(before, inputs)[0].values, "the left side")) return wrong;
    CompileOptions as_it_is;
    as_it_is.passes = PassSwitches("-all");
    return unequal(testing::run_compiled(after, inputs, as_it_is)[0].values, testing::run_compiled(before, inputs, as_it_is)[0].values,
                   "the left side compiled");
  }
  const std::vector<double> exact_left = reference::evaluate(before, inputs, {.exact = true})[0].values;
  const std::vector<double> exact_right = reference::evaluate(after, inputs, {.exact = true})[0].values;
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (rule.rule_class == RuleClass::stable && !within(right[i], exact_right[i], rule.ulps + 0.5, rule.ulp_size))
      return differs(i, right[i], exact_right[i], "the right side in float64");
    if (draw == Draw::ordinary && std::isfinite(exact_left[i]) && !within(exact_right[i], exact_left[i], rule.ulps + 0.01, rule.ulp_size))
      return differs(i, exact_right[i], exact_left[i], "the left side in float64");
  }
  return std::nullopt;
}

std::optional<std::string> fuzz_rule(const rewrite::Rule& rule, const rewrite::RuleSet& rules, int rounds) {
  // Beside it the two steps that bring what was recorded in parts to the form that one formula has.
  rewrite::RuleSet alone = rules.those([&](const rewrite::Rule& r) { return r.name == rule.name; });
  for (const rewrite::Rule& r : rewrite::library_rules().rules())
    if (r.name != rule.name && (r.name == "constants" || r.name == "-(-x)")) alone.add(r.rule_class, r.name, r.root, r.step, r.sample);
  testing::Random random(rule.name, 1);
  for (int round = 0; round < rounds; ++round) {
    const Shape shape = round % 3 == 0 ? Shape{4, 6} : round % 3 == 1 ? Shape{3, 1, 5} : Shape{2, 7, 3};
    const int axis = static_cast<int>(round % 3 == 1 ? 2 : random.integer(0, static_cast<std::int64_t>(shape.rank()) - 1));
    for (const Sample& s : samples_of(rule, random, shape, axis)) {
      rewrite::Report report;
      const Function after = rewrite::rewrite(s.function, alone, {.fast = true}, &report);
      if (report.rules[0].hits == 0) return fmt::format("{}: it does not apply\n{}", s.name, to_text(s.function));
      for (Draw draw : {Draw::ordinary, Draw::anything})
        if (auto wrong = check_rule(rule, s.function, after, random, draw)) return wrong;
    }
  }
  return std::nullopt;
}

}  // namespace cotan::rewrite_test
