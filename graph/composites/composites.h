// Composites: operations that are written with others (composites.def), as functions over Refs and as a table of values.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/builder.h"
#include "graph/composites/composite_options.h"
#include "ops/row_macros.h"

namespace cotan {

namespace graph {

#define COTAN_REF_PARAMETER(name) const Ref& name
#define COMPOSITE(form_, name_, Options_, operands_, ...) \
  [[nodiscard]] Ref name_(COTAN_LIST(COTAN_REF_PARAMETER, COTAN_UNWRAP operands_), const Options_& options = {});
#include "graph/composites/composites.def"
#undef COMPOSITE
#undef COTAN_REF_PARAMETER

}  // namespace graph

// A composite with options applied: what tests and goldens go through.
struct CompositeCase {
  Attributes attributes;
  std::vector<rows::CaseOperand> operands;
  std::function<std::vector<Ref>(std::span<const Ref>)> record;
  std::string error;  // for a bad case: what the message must contain
};

struct CompositeRow {
  bool is_call = false;
  std::string_view name;
  std::string_view description;
  std::vector<std::string_view> operands;
  std::string_view oracle;
  std::vector<CompositeCase> (*cases)();
  std::vector<CompositeCase> (*bad_cases)();
  // Records the composite with options given by name, as text has them; missing ones take their defaults.
  std::function<std::vector<Ref>(std::span<const Ref>, const Attributes&)> record;
};
[[nodiscard]] std::span<const CompositeRow> composite_rows();
// Null where there is none of that name.
[[nodiscard]] const CompositeRow* find_composite(std::string_view name);

}  // namespace cotan
