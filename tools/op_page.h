// Operations as documentation: docs/ops.md, and one operation on a terminal. Everything said of an operation is taken from its row, or from what happens when
// it is recorded, differentiated, matched by the backends, and refused.
#pragma once

#include <span>
#include <string>

#include "tools/op_rows.h"

namespace cotan::tools {

// All of them as one page of Markdown, families in the order of the tables.
[[nodiscard]] std::string page_of(std::span<const Op> ops);
// One of them as plain text.
[[nodiscard]] std::string text_of(const Op& op);

}  // namespace cotan::tools
