// Functions as text before and after passes, and their values.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "backends/reference/reference.h"
#include "graph/passes/pass.h"
#include "graph/text/text.h"
#include "graph/verify.h"
#include "tests/support/program_checks.h"

namespace cotan::testing {

// The function after the passes that these switches leave on ("-all,+fold_views").
inline Function after_passes(const Function& f, const std::string& switches) {
  CompileOptions options;
  options.passes = PassSwitches(switches);
  const std::vector<Node*> order = topological(f.results);
  Positions positions(order);
  Claims claims(options.backends);
  PassContext context{options, positions, claims};
  std::vector<PassRecord> records;
  Function made = run_passes(f, context, records);
  verify(made);
  for (const Node* n : topological(made.results)) {
    if (n->kind == Kind::leaf) continue;
    EXPECT_FALSE(positions.of(n).empty()) << "a node that stands for none of the recorded ones, in\n" << to_text(made);
  }
  return made;
}

// The text of the function after the passes; what both compute in float64 is compared.
inline std::string after_passes(std::string_view text, const std::string& switches) {
  const Function f = parse_function(text);
  const Function made = after_passes(f, switches);
  const auto inputs = random_inputs(f, 1);
  const auto before = reference::evaluate(f, inputs, {.exact = true}), after = reference::evaluate(made, inputs, {.exact = true});
  for (std::size_t r = 0; r < before.size(); ++r) EXPECT_TRUE(none(differences("after", after[r].values, before[r].values, 1e-9))) << to_text(made);
  return to_text(made);
}

}  // namespace cotan::testing
