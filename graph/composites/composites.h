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

// An operand that is optional is left out as an empty Ref. NAME_results takes the operands as a list and gives the results as one.
#define COTAN_TAKES(operand) COTAN_CAT(COTAN_TAKES_, COTAN_FORM_OF(operand))(COTAN_NAME_OF(operand))
#define COTAN_TAKES_REQUIRED(name) const Ref& name
#define COTAN_TAKES_OPTIONAL(name) const Ref& name
#define COTAN_TAKES_LIST(name) const std::vector<Ref>& name
#define COMPOSITE(form_, name_, Options_, results_, operands_, ...)                                                                   \
  [[nodiscard]] COTAN_RESULTS_OF(Ref, results_) name_(COTAN_LIST(COTAN_TAKES, COTAN_UNWRAP operands_), const Options_& options = {}); \
  [[nodiscard]] std::vector<Ref> name_##_results(std::span<const Ref> operands, const Options_& options);
#include "graph/composites/composites.def"
#undef COMPOSITE
#undef COTAN_TAKES_LIST
#undef COTAN_TAKES_OPTIONAL
#undef COTAN_TAKES_REQUIRED
#undef COTAN_TAKES

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
  std::vector<bool> optional;  // which operands may be left out
  bool takes_list = false;     // the one operand is a list of tensors
  std::string_view results;    // "ONE", "MANY", "NAMED(SortResult, values, indices)"
  std::string_view oracle;
  Attributes defaults;  // of the options
  std::vector<CompositeCase> (*cases)();
  std::vector<CompositeCase> (*bad_cases)();
  // Records the composite with options given by name, as text has them; missing ones take their defaults. An attribute `given` lists the operands' positions
  // where optional ones are left out. All results, those of the body that the user does not see included.
  std::function<std::vector<Ref>(std::span<const Ref>, const Attributes&)> record;
};
[[nodiscard]] std::span<const CompositeRow> composite_rows();
// Null where there is none of that name.
[[nodiscard]] const CompositeRow* find_composite(std::string_view name);

}  // namespace cotan
