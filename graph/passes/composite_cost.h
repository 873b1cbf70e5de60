// What a named composite costs, computed by its primitive and inlined into loops: the two figures by which inline_calls decides. Internal to the pass, and
// to the program that measures the constants (bench/composites.cpp).
#pragma once

#include <array>
#include <optional>

#include "graph/executor.h"
#include "graph/node.h"

namespace cotan::passes {

// What both figures are sums of, each times a constant of the composite and of the side. All but the first are those of one worker.
enum class CostTerm : std::uint8_t {
  call,                // 1: entering what computes it
  rows,                // what the primitive works on at once: rows of a softmax or a layer norm, blocks of sixteen channels of a batch norm
  short_rows,          // rows of less than 32 entries, which a primitive pads
  lines,               // pieces of a batch norm's channels that lie together in memory, a channel of one image each
  elements,            // of the tensor
  far_elements,        // the same, of tensors that the second cache does not hold
  strided_elements,    // the same, where entries that are reduced together lie apart in memory
  neighbour_elements,  // of the loops of the call's shape right before and behind it
};
inline constexpr std::size_t cost_terms = 8;
using CostTerms = std::array<double, cost_terms>;

// The terms of a call of a composite that has figures. `workers`: how many the work is cut for.
[[nodiscard]] CostTerms terms_of(const Node& call, int neighbours, int workers);

// Cycles, from its start to its end, of the call and the loops around it.
struct CompositeCost {
  double primitive = 0;  // the primitive, and the loops beside it as loops of their own, in its region or not
  double inlined = 0;    // the body, with those loops part of its loops
};

// The cost of a call that a backend would claim; nothing where no figures are known. `neighbours`: loops of the call's shape right before and behind it.
[[nodiscard]] std::optional<CompositeCost> composite_cost(const Node& call, int neighbours, int workers);

// Whether a primitive is to compute a call that a backend would claim, or its body in loops: as the switch of inline_calls says (+ the body, - the primitive),
// or else by cost, which is then in `cost` where figures are known.
[[nodiscard]] bool by_primitive(const Node& call, int neighbours, const CompileOptions& options, std::optional<CompositeCost>& cost);

}  // namespace cotan::passes
