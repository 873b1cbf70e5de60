// What a named composite costs, computed by its primitive and inlined into loops: the two figures by which inline_calls decides. Internal to the pass, and
// to the program that measures the constants (bench/composites.cpp).
#pragma once

#include <array>
#include <optional>

#include "graph/node.h"

namespace cotan::passes {

// What both figures are sums of, each times a constant of the composite and of the side.
enum class CostTerm : std::uint8_t {
  call,                // 1: entering what computes it
  rows,                // what is reduced at once: rows of a softmax or a layer norm, channels of a batch norm; those of one worker
  elements,            // those of one worker
  neighbours,          // loops of the call's shape right before and behind it: what they cost to start
  neighbour_elements,  // their elements, of one worker
};
inline constexpr std::size_t cost_terms = 5;
using CostTerms = std::array<double, cost_terms>;

// The terms of a call of a composite that a primitive knows. `workers`: how many the work is cut for.
[[nodiscard]] CostTerms terms_of(const Node& call, int neighbours, int workers);

// Cycles, from its start to its end, of the call and the loops around it.
struct CompositeCost {
  double primitive = 0;  // the primitive, and the loops beside it as loops of their own, in its region or not
  double inlined = 0;    // the body, with those loops part of its loops
};

// The cost of a call that a backend would claim; nothing where no figures are known. `neighbours`: loops of the call's shape right before and behind it.
[[nodiscard]] std::optional<CompositeCost> composite_cost(const Node& call, int neighbours, int workers);

}  // namespace cotan::passes
