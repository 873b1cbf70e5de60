// What a rule of each class must keep, checked on a sample with drawn operands.
#pragma once

#include <optional>
#include <string>

#include "graph/rewrite/engine.h"
#include "tests/support/random.h"

namespace cotan::rewrite_test {

// The operands that are drawn: numbers of everyday size, or all kinds: infinities, NaN, zeros of both signs, subnormal, huge and tiny ones too.
enum class Draw : std::uint8_t { ordinary, anything };

// The rewritten function against the one before, by the reference backend, as the rule's class demands: what is wrong, or nothing.
[[nodiscard]] std::optional<std::string> check_rule(const rewrite::Rule& rule, const Function& before, const Function& after, testing::Random& random,
                                                    Draw draw);

// The rule on all of its samples, `rounds` times each with shapes, axes and operands drawn: that it applies, and what it keeps.
[[nodiscard]] std::optional<std::string> fuzz_rule(const rewrite::Rule& rule, const rewrite::RuleSet& rules, int rounds);

}  // namespace cotan::rewrite_test
