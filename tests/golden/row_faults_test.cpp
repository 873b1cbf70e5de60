// Tests of the tests: a fault planted in what a row records, in a node of whatever kind, is noticed by the comparison with PyTorch's numbers; one planted in
// what a gradient records is noticed by the comparison of reverse with forward mode. A new row is examined without a line here.
#include <gtest/gtest.h>

#include <set>

#include "graph/builder.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/stored.h"
#include "tests/support/gradient_checks.h"

namespace cotan::testing {
namespace {

// A node of that kind, recorded wrongly. An empty Ref where the fault cannot be planted, or would change the type.
struct Fault {
  std::string name;
  Kind kind;
  std::function<Ref(const Node&, std::span<const Ref>)> plant;
};

template <class Spec>
std::function<Ref(const Node&, std::span<const Ref>)> with(const std::function<bool(Spec&, const Node&)>& change) {
  return [change](const Node& n, std::span<const Ref> operands) -> Ref {
    Spec spec = n.as<Spec>();
    if (!change(spec, n)) return {};
    Ref made;
    if constexpr (std::is_same_v<Spec, SumSpec>)
      made = graph::sum(spec, n.shape, operands.first(spec.factors.size()), operands.subspan(spec.factors.size()), n.dtype);
    else if constexpr (std::is_same_v<Spec, ReduceSpec>)
      made = graph::reduce(spec, operands[0]);
    else if constexpr (std::is_same_v<Spec, ScanSpec>)
      made = graph::scan(operands[0], operands[1], spec.axis, spec.reverse);
    else
      made = graph::order(operands[0], spec.axis, spec.descending);
    return made.shape() == n.shape && made.dtype() == n.dtype ? made : Ref();
  };
}

// An axis of more than one entry beside this one.
bool to_another_axis(int& axis, const Node& n) {
  for (int d = 0; d < static_cast<int>(n.shape.rank()); ++d) {
    if (d == axis || n.shape[static_cast<std::size_t>(d)] < 2) continue;
    axis = d;
    return true;
  }
  return false;
}

bool one_index_shorter(Domain& domain, std::size_t from) {
  for (std::size_t i = domain.size(); i-- > from;)
    if (domain[i] > 1) return --domain[i] > 0;
  return false;
}

std::vector<Fault> faults_of_nodes() {
  return {
      {"map: 1.001 times as large", Kind::map,
       [](const Node& n, std::span<const Ref> operands) {
         if (!is_floating(n.dtype)) return Ref();
         return graph::mul(graph::rebuild(n, operands)[0], graph::fill(1.001, n.dtype, n.shape));
       }},
      {"map: another condition", Kind::map,
       [](const Node& n, std::span<const Ref> operands) { return n.dtype == boolean ? graph::logical_not(graph::rebuild(n, operands)[0]) : Ref(); }},
      {"sum: another coefficient", Kind::sum, with<SumSpec>([](SumSpec& s, const Node& n) {
         s.coefficient *= is_floating(n.dtype) ? 1.001 : -1;
         return true;
       })},
      {"sum: an access moved by one", Kind::sum, with<SumSpec>([](SumSpec& s, const Node&) {
         for (Access& a : s.factors)
           for (IndexExpr& e : a) {
             if (e.terms.empty()) continue;
             e = e + IndexExpr(1);
             return true;
           }
         return false;
       })},
      {"sum: a point short of the domain", Kind::sum, with<SumSpec>([](SumSpec& s, const Node&) { return one_index_shorter(s.domain, 0); })},
      {"reduce: the other extreme", Kind::reduce, with<ReduceSpec>([](ReduceSpec& r, const Node&) {
         constexpr Reduction other[] = {Reduction::min, Reduction::max, Reduction::argmin, Reduction::argmax, Reduction::amin, Reduction::amax};
         r.reduction = other[static_cast<std::size_t>(r.reduction)];
         return true;
       })},
      {"reduce: a point short of the window", Kind::reduce,
       with<ReduceSpec>([](ReduceSpec& r, const Node&) { return one_index_shorter(r.domain, static_cast<std::size_t>(r.outputs)); })},
      {"reduce: a window moved by one", Kind::reduce, with<ReduceSpec>([](ReduceSpec& r, const Node&) {
         for (IndexExpr& e : r.access) {
           if (e.terms.empty()) continue;
           e = e + IndexExpr(1);
           return true;
         }
         return false;
       })},
      {"scan: the other way", Kind::scan, with<ScanSpec>([](ScanSpec& s, const Node&) { return s.reverse = !s.reverse, true; })},
      {"scan: along another axis", Kind::scan, with<ScanSpec>([](ScanSpec& s, const Node& n) { return to_another_axis(s.axis, n); })},
      {"scan: operands exchanged", Kind::scan,
       [](const Node& n, std::span<const Ref> operands) { return graph::scan(operands[1], operands[0], n.as<ScanSpec>().axis, n.as<ScanSpec>().reverse); }},
      {"order: the other way", Kind::order, with<OrderSpec>([](OrderSpec& o, const Node&) { return o.descending = !o.descending, true; })},
      {"order: along another axis", Kind::order, with<OrderSpec>([](OrderSpec& o, const Node& n) { return to_another_axis(o.axis, n); })},
      {"cast: of what is one larger", Kind::cast,
       [](const Node& n, std::span<const Ref> operands) {
         const Ref& x = operands[0];
         return x.dtype() == boolean ? graph::cast(graph::logical_not(x), n.dtype) : graph::cast(graph::add(x, graph::fill(1, x.dtype(), {})), n.dtype);
       }},
  };
}

// The roots with the fault in each node of its kind that no other such node hides.
std::vector<Ref> planted(const Fault& fault, std::span<const Ref> roots) {
  std::vector<std::pair<Ref, Ref>> replacements;
  for (Node* n : topological(roots)) {
    if (n->kind != fault.kind) continue;
    std::vector<Ref> operands;
    for (const Edge& e : n->operands()) operands.emplace_back(e);
    if (const Ref wrong = fault.plant(*n, operands))
      for (std::uint32_t r = 0; r < n->result_count(); ++r) replacements.emplace_back(Ref(n, r), Ref(wrong.node(), wrong.result() + r));
  }
  return graph::substitute(roots, replacements);
}

// Each fault in the body of a call.
std::vector<Fault> all_faults() {
  std::vector<Fault> all = faults_of_nodes();
  for (const Fault& inner : faults_of_nodes())
    all.push_back({"call, " + inner.name, Kind::call, [inner](const Node& n, std::span<const Ref> operands) -> Ref {
                     const auto& c = n.as<CallSpec>();
                     auto body = std::make_shared<Function>(*c.body);
                     body->results = planted(inner, c.body->results);
                     return body->results == c.body->results ? Ref() : graph::call(c.name, c.attributes, operands, body)[0];
                   }});
  return all;
}

const std::vector<GoldenCase>& row_cases() {
  static const auto* all = [] {
    auto* cases = new std::vector<GoldenCase>(golden_cases());
    std::erase_if(*cases, [](const GoldenCase& c) { return c.table == "elementwise"; });  // each fault in their formulas: tests/ops/elementwise_faults_test.cpp
    return cases;
  }();
  return *all;
}

// Rows whose one reduction is a shift that cancels: any other shift is as right, as long as nothing overflows.
bool cannot_show(const Fault& fault, const std::string& row) {
  static const std::set<std::string> shifting{"log_softmax", "logsumexp", "softmax"};
  return fault.name.find("reduce: ") != std::string::npos && shifting.contains(row);
}

// In which rows a fault could be planted, and in which of them a check noticed it in some case.
struct Found {
  std::set<std::string> planted, noticed;

  // At least two rows of three notice it: now and then a fault changes nothing, such as the condition of a branch that no entry takes.
  void expect_notice(const std::string& fault) const {
    std::vector<std::string> missed;
    std::set_difference(planted.begin(), planted.end(), noticed.begin(), noticed.end(), std::back_inserter(missed));
    EXPECT_GE(noticed.size() * 3, planted.size() * 2) << fault << " is noticed in " << noticed.size() << " of " << planted.size()
                                                      << " rows; not in: " << list_text(missed);
    EXPECT_TRUE(planted.empty() || !noticed.empty()) << fault;
  }
};

Failures value_failures(const GoldenCase& c, std::span<const Ref> results) {
  const auto found = stored().find(fmt::format("{}/{}", c.table, c.name));
  if (found == stored().end() || !found->second.at("numbers").contains("values")) return {};
  const nlohmann::json& values = found->second.at("numbers").at("values");
  std::vector<reference::Array> got;
  try {
    got = c.inputs.run(results);
  } catch (const Error& e) {  // a check of the row's own
    return {e.what()};
  }
  Failures failures;
  for (std::size_t i = 0; i < results.size(); ++i)
    append(failures, differences(fmt::format("result {}", i), got[i].values, numbers(values[i].at("values")), stored_tolerance));
  return failures;
}

TEST(PlantedInRows, AreNoticedByStoredNumbers) {
  for (const Fault& fault : all_faults()) {
    Found found;
    for (const GoldenCase& c : row_cases()) {
      if (cannot_show(fault, c.row)) continue;
      const std::vector<Ref> wrong = planted(fault, c.results);
      if (wrong == c.results) continue;
      found.planted.insert(c.row);
      if (!value_failures(c, wrong).empty()) found.noticed.insert(c.row);
    }
    found.expect_notice(fault.name);
  }
}

// Every row of these kinds records at least one node whose faults are seen.
TEST(PlantedInRows, AreNoticedInEachRow) {
  std::set<std::string> rows, noticed;
  for (const GoldenCase& c : row_cases()) {
    rows.insert(c.row);
    for (const Fault& fault : all_faults()) {
      if (noticed.contains(c.row)) break;
      const std::vector<Ref> wrong = planted(fault, c.results);
      if (wrong != c.results && !value_failures(c, wrong).empty()) noticed.insert(c.row);
    }
  }
  EXPECT_EQ(rows, noticed);
}

// Gradients that hold a fault disagree with forward mode.
TEST(PlantedInGradients, AreNoticedByForwardMode) {
  std::set<Kind> kinds;
  for (const Fault& fault : all_faults()) {
    Found found;
    for (const GoldenCase& c : row_cases()) {
      if (c.results.empty() || !is_floating(c.results[0].dtype()) || found.noticed.contains(c.row) || cannot_show(fault, c.row)) continue;
      Inputs inputs;
      for (std::size_t k = 0; k < c.operands.size(); ++k)
        for (std::size_t i = 0; i < c.inputs.parameters().size(); ++i)
          if (c.operands[k] && c.inputs.parameters()[i] == c.operands[k])
            inputs.add(c.operand_names[k], c.operands[k].dtype(), c.operands[k].shape(), c.inputs.arrays()[i].values);
      if (inputs.floating().empty()) continue;
      bool possible = false;
      const Gradients wrong = [&](const Ref& y, std::span<const Ref> wrt, const Ref& seed) {
        const std::vector<Ref> right = gradients(y, wrt, seed);
        std::vector<Ref> g = planted(fault, right);
        possible = g != right;
        return g;
      };
      Random random(c.name, 9);
      const bool caught_it = !check_gradients(inputs, c.results[0], random, {.differences = false}, wrong).empty();
      if (!possible) continue;
      found.planted.insert(c.row);
      if (caught_it) found.noticed.insert(c.row);
    }
    if (!found.noticed.empty()) kinds.insert(fault.kind);
    found.expect_notice(fault.name);
  }
  EXPECT_EQ(kinds, (std::set{Kind::map, Kind::sum, Kind::reduce, Kind::scan, Kind::order, Kind::call, Kind::cast}));
}

}  // namespace
}  // namespace cotan::testing
