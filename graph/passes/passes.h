// The passes of the pipeline, one function each, in the order in which pipeline.cpp runs them.
#pragma once

#include "graph/passes/pass.h"

namespace cotan::passes {

// Calls that no backend claims become their bodies, with the bodies' own calls.
[[nodiscard]] Function inline_calls(const Function& function, PassContext& context);
// Sums that only move entries (transposes, slices, pads, broadcasts, gathers) are put into the sums that read them.
[[nodiscard]] Function fold_views(const Function& function, PassContext& context);
// Sums of sums become one sum, constants and scales their coefficient: a product's transpose is the product written in another order.
[[nodiscard]] Function merge_sums(const Function& function, PassContext& context);
// Constants that are one number everywhere become that number.
[[nodiscard]] Function fold_constants(const Function& function, PassContext& context);
// One-hot sums and sums of nothing but conditions that only maps read become maps over positions, or part of the one map that reads them.
[[nodiscard]] Function masks(const Function& function, PassContext& context);
// Sums that are no product, view or reduction by themselves are taken apart into such, by cost.
[[nodiscard]] Function regroup(const Function& function, PassContext& context);

// Convolutions become convolutions over blocked tensors where a backend wants them so, and what lies between them stays in blocks.
[[nodiscard]] Function layouts(const Function& function, PassContext& context);
// Sums of placed copies that are read in another order of dimensions are added up in that order.
[[nodiscard]] Function place_in_order(const Function& function, PassContext& context);
// Casts to narrower types go up before movements of entries, casts to wider ones down behind them, so that what is moved and stored is narrow. Casts of casts
// become one. The bits stay.
[[nodiscard]] Function place_casts(const Function& function, PassContext& context);

// Long sums over a tensor's first dimension become sums of blocks, then a sum over the blocks.
[[nodiscard]] Function split_sums(const Function& function, PassContext& context);
// Derivatives that read an activation's operand only to learn what its result says as well read the result.
[[nodiscard]] Function derivatives_in_outputs(const Function& function, PassContext& context);
// relu before a maximum over windows goes behind it, where there are fewer entries.
[[nodiscard]] Function max_before_relu(const Function& function, PassContext& context);

// The rules of `simplify` about calls alone: what they do must be done before calls become their bodies.
[[nodiscard]] Function simplify_calls(const Function& function, PassContext& context);
// The rules of graph/rewrite whose results are the same or more accurate (exact and stable), applied until none applies.
[[nodiscard]] Function simplify(const Function& function, PassContext& context);
// The same with the rules that are equal in real arithmetic only.
[[nodiscard]] Function fast_rules(const Function& function, PassContext& context);

}  // namespace cotan::passes
