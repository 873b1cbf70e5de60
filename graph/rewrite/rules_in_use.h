// The rules that the passes apply: the library's, unless others stand in. So verify() finds the rule that is wrong, and tests plant one.
#pragma once

#include "graph/rewrite/rule.h"

namespace cotan::rewrite {

// While one lives, compilations of this thread apply these rules instead of the library's. The set outlives it; the innermost counts. What is
// compiled meanwhile stays in the cache of compiled graphs.
class ScopedRules {
 public:
  explicit ScopedRules(const RuleSet& rules);
  ~ScopedRules();
  ScopedRules(const ScopedRules&) = delete;
  ScopedRules& operator=(const ScopedRules&) = delete;

 private:
  const RuleSet* outer_;
};

[[nodiscard]] const RuleSet& rules_in_use();

}  // namespace cotan::rewrite
