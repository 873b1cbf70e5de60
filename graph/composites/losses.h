// What the families of losses share: options, shapes, and how a loss for each entry becomes one number.
#pragma once

#include "graph/composites/requirements.h"

namespace cotan::graph {

// Throws Error unless the word is "mean", "sum" or "none".
void require_reduction(const std::string& reduction);
// x is floating and `other` has its shape and type: a loss broadcasts nothing.
void require_alike(const Ref& x, const Ref& other, std::string_view what);
// The losses as they are, their sum or their mean. Throws Error for the mean of none.
[[nodiscard]] Ref reduced(const Ref& losses, const std::string& reduction);

}  // namespace cotan::graph
