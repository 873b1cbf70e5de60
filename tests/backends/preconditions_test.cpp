// Every pass, fusion and recognition against brute force: programs just inside and just outside of what it takes, computed with it and without it, with it
// alone, and by the reference; with NaN too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "autograd/differentiate.h"
#include "graph/builder.h"
#include "graph/text/text.h"
#include "tests/backends/preconditions.h"
#include "tests/support/random_graph.h"
#include "tests/support/tally.h"
#include "tests/support/ways.h"

namespace cotan::testing {
namespace {

using Choice = std::map<std::string, std::string>;

// "N*2-1", letters standing for their values, from left to right.
std::int64_t computed(std::string_view expression, const Choice& choice) {
  std::int64_t value = 0;
  char sign = '+';
  while (!expression.empty()) {
    const std::size_t end = std::min(expression.find_first_of("+-*/"), expression.size());
    const std::string word(expression.substr(0, end));
    const std::int64_t next = std::stoll(choice.contains(word) ? choice.at(word) : word);
    value = sign == '+' ? value + next : sign == '-' ? value - next : sign == '*' ? value * next : value / next;
    if (end == expression.size()) break;
    sign = expression[end];
    expression.remove_prefix(end + 1);
  }
  return value;
}

// The text with values for its letters; a value may hold letters again.
std::string filled(std::string text, const Choice& choice) {
  for (std::size_t at; (at = text.rfind('$')) != std::string::npos;) {
    if (text[at + 1] == '(') {
      const std::size_t end = text.find(')', at);
      text.replace(at, end + 1 - at, std::to_string(computed(std::string_view(text).substr(at + 2, end - at - 2), choice)));
      continue;
    }
    std::size_t end = at + 1;
    while (end < text.size() && std::isupper(static_cast<unsigned char>(text[end])) != 0) ++end;
    text.replace(at, end - at, choice.at(text.substr(at + 1, end - at - 1)));
  }
  return text;
}

// Every combination of the row's values; of many, some.
std::vector<Choice> choices_of(const PreconditionRow& row, std::size_t most) {
  std::vector<Choice> all{{}};
  for (const auto& [letter, values] : row.values) {
    std::vector<Choice> longer;
    for (const Choice& c : all)
      for (const std::string& v : values) {
        longer.push_back(c);
        longer.back()[letter] = v;
      }
    all = std::move(longer);
  }
  if (all.size() <= most) return all;
  Random random(row.name, 0);
  random.shuffle(all);
  all.resize(most);
  return all;
}

Function function_of(const PreconditionRow& row, const Choice& choice) {
  Function f = parse_function(filled(std::string(row.text), choice), row.name);
  if (!row.gradients) return f;
  std::vector<Ref> wrt;
  for (const Ref& p : f.parameters)
    if (p.dtype() == f32) wrt.push_back(p);
  const Ref y = f.results[0];
  const Ref outputs[] = {y}, cotangents[] = {graph::mul(y, graph::fill(0.5, y.dtype(), y.shape()))};
  std::size_t number = 0;
  for (const Ref& g : vjp(outputs, cotangents, wrt)) {
    if (!g || std::ranges::find(f.results, g) != f.results.end()) continue;
    f.results.push_back(g);
    if (!f.result_names.empty()) f.result_names.push_back(fmt::format("d{}", number++));
  }
  return f;
}

// Results of a parameter's name are the parameter's next values.
std::vector<Update> updates_of(const Function& f) {
  std::vector<Update> updates;
  for (std::size_t r = 0; r < f.result_names.size(); ++r)
    for (std::size_t p = 0; p < f.parameters.size(); ++p)
      if (f.result_names[r] == f.parameters[p]->as<LeafSpec>().name) updates.push_back({static_cast<int>(r), static_cast<int>(p)});
  return updates;
}

std::vector<Way> ways_of(const PreconditionRow& row, const std::vector<Update>& updates) {
  std::vector<Way> ways;
  const auto add = [&](const std::string& name, const std::string& passes, int threads, bool reproducible) {
    CompileOptions o;
    o.threads = threads;
    o.passes = PassSwitches(passes);
    o.updates = updates;
    o.backends.reproducible = reproducible;
    ways.push_back({fmt::format("{}, {} threads", name, threads), o});
  };
  for (const int threads : {1, 7}) add("all", "", threads, false);
  if (!row.subject.empty() && row.subject != "inline_calls") {
    add("without", fmt::format("-{}", row.subject), 7, false);
    add("alone", fmt::format("-all,+{}", row.subject), 1, false);
  } else if (row.subject == "inline_calls") {
    for (const char sign : {'+', '-'}) add(std::string(1, sign), fmt::format("{}inline_calls", sign), 7, false);
  }
  for (const int threads : {1, 7}) add("reproducible", "", threads, true);
  return ways;
}

// Zeros of both signs among the floating values, and nothing near zero beside them.
void spread(reference::Array& a) {
  if (!is_floating(a.dtype)) return;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    double& v = a.values[i];
    if (std::abs(v) < 1e-3) v = std::copysign(1e-3, v);
    if (i % 7 == 3) v = -0.0;
    if (i % 7 == 5) v = 0;
    v = round_to(a.dtype, v);
  }
}

std::string text_of(const Choice& choice) {
  std::string text;
  for (const auto& [letter, value] : choice) text += fmt::format("{}{}={}", text.empty() ? "" : ", ", letter, value);
  return text;
}

class Preconditions : public ::testing::TestWithParam<PreconditionRow> {};

TEST_P(Preconditions, HoldAgainstBruteForce) {
  const PreconditionRow& row = GetParam();
  for (const Choice& choice : choices_of(row, 40)) {
    SCOPED_TRACE(text_of(choice));
    const Function f = function_of(row, choice);
    const std::vector<Way> ways = ways_of(row, updates_of(f));
    std::vector<reference::Array> inputs = random_inputs(f, 1);
    for (reference::Array& a : inputs) spread(a);
    EXPECT_TRUE(none(compare_ways(f, inputs, ways).failures));
    // One entry that is no number.
    Random random(row.name, 2);
    std::vector<reference::Array*> floating;
    for (reference::Array& a : inputs)
      if (is_floating(a.dtype) && !a.values.empty()) floating.push_back(&a);
    if (floating.empty()) continue;
    reference::Array& into = *random.pick(floating);
    into.values[random.below(into.values.size())] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_TRUE(none(compare_ways(f, inputs, ways).failures)) << "with NaN";
  }
}

// The row's values lie on both sides of what it is about.
TEST_P(Preconditions, AreMetAndMissed) {
  const PreconditionRow& row = GetParam();
  Tally tally;
  for (const Choice& choice : choices_of(row, 40)) {
    const Function f = function_of(row, choice);
    CompileOptions options;
    options.updates = updates_of(f);
    count_graph(f, options, tally);
  }
  for (const std::string& side : row.sides) {
    EXPECT_GT(tally.of(side).taken, 0u) << side;
    EXPECT_GT(tally.of(side).refused, 0u) << side;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Preconditions, ::testing::ValuesIn(precondition_rows()), [](const auto& info) { return std::string(info.param.name); });

// Everything that is to be taken and refused has a row whose values lie on both sides.
TEST(Preconditions, OfEverything) {
  std::set<std::string> sides;
  for (const PreconditionRow& row : precondition_rows()) sides.insert(row.sides.begin(), row.sides.end());
  std::vector<std::string> without;
  for (const TallyName& name : expected_names())
    if (name.refused && !sides.contains(name.name)) without.push_back(name.name);
  EXPECT_THAT(without, ::testing::IsEmpty());
}

}  // namespace
}  // namespace cotan::testing
