// The engine: rules applied to a function until none applies.
//
//   rewrite      a function with the rules applied; what each rule did is in the report
//   explain      why a rule does not apply at a node
//
// Nodes are visited with a worklist, operands before readers; what a rule makes is put on the list again. Walks repeat until one changes nothing. Every
// application lowers the measure of the whole graph (measure.h): one that would not is refused, so no list of rules can go round in circles.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/rewrite/measure.h"
#include "graph/rewrite/rule.h"

namespace cotan::rewrite {

struct Options {
  bool exact = true, stable = true, fast = false;  // the classes that are on
  // Whether a call that a rule makes may stand in the graph; without it every one may. Calls that nobody computes as a whole are worth nothing.
  std::function<bool(const Ref&)> accepts_call = nullptr;
  // Told of every replacement: the node, the others of the graph that went into it and that nobody reads any more, and what stands for them.
  std::function<void(std::span<const Ref> from, const Ref& made)> replaced = nullptr;
  bool trace = false;  // fills Report::trace
};

// What one rule did.
struct RuleRecord {
  std::string name;
  int hits = 0;
  int refused = 0;     // it matched, but the measure would not have fallen, or nobody computes the call
  double seconds = 0;  // spent on matching and replacing; measured only with a trace
};

// One application.
struct TraceEntry {
  std::string rule;
  std::string before, after;  // the node's statement, without its operands' values
  Measure measure;            // of the whole graph, afterwards
};

struct Report {
  std::vector<RuleRecord> rules;  // in the order of the list, those that are on
  std::vector<TraceEntry> trace;
  Measure before, after;
  int walks = 0;
  // Null where there is none of that name.
  [[nodiscard]] const RuleRecord* find(std::string_view name) const;
  // A table of the rules that did something, and the trace.
  [[nodiscard]] std::string text() const;
};

// Throws InternalError, naming the rule, where one gives something of another type or shape.
[[nodiscard]] Function rewrite(const Function& function, const RuleSet& rules, const Options& options = {}, Report* report = nullptr);

// Why the rule's pattern does not match at any atom of the node: the furthest attempt's reason. Empty where it matches. Steps have no reasons.
[[nodiscard]] std::string explain(const Rule& rule, const Ref& node);

}  // namespace cotan::rewrite
