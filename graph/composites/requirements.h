// What bodies of composites ask of their operands and options. Each throws Error, under the name of the innermost call site, unless it holds.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "graph/node.h"

namespace cotan::graph {

// x is of a floating type. `what` is how the message calls it: "a query".
void require_floating(const Ref& x, std::string_view what);
// The same where the message names the operation: "logsumexp of i32".
void require_floating_operand(std::string_view operation, const Ref& x);
// x has exactly this shape; `why` is the remedy.
void require_shape(const Ref& x, std::string_view what, const Shape& shape, std::string_view why);
// x broadcasts to exactly this shape, that of `target`.
void require_broadcasts(const Ref& x, std::string_view what, const Shape& shape, std::string_view target);
// An option given as a word is one of the choices, which the message lists.
void require_choice(std::string_view option, const std::string& given, std::initializer_list<std::string_view> choices);

}  // namespace cotan::graph
