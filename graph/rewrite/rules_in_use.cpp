#include "graph/rewrite/rules_in_use.h"

#include <utility>

namespace cotan::rewrite {
namespace {

thread_local const RuleSet* standing_in = nullptr;

}  // namespace

ScopedRules::ScopedRules(const RuleSet& rules) : outer_(std::exchange(standing_in, &rules)) {}
ScopedRules::~ScopedRules() { standing_in = outer_; }

const RuleSet& rules_in_use() { return standing_in == nullptr ? library_rules() : *standing_in; }

}  // namespace cotan::rewrite
