// Calls that bear a name of the library's: what computes them goes by the name and the attributes alone, so the body has to be the library's own.
#pragma once

#include "graph/node.h"

namespace cotan::text_form {

// Whether the call's body and attributes are those that the library gives to a call of this name: a composite's, or, for NAME.vjp, those that differentiation
// gives to its gradient. True of any other name. Throws what the composite says of attributes or operands that do not fit it.
[[nodiscard]] bool is_as_named(const Ref& call);

}  // namespace cotan::text_form
