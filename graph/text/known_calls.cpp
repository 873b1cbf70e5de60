#include "graph/text/known_calls.h"

#include <algorithm>
#include <optional>

#include "graph/composites/composites.h"
#include "graph/composites/gradient_calls.h"
#include "ops/error.h"

namespace cotan::text_form {
namespace {

constexpr std::string_view of_gradient = ".vjp";

using Positions = std::vector<std::int64_t>;

// The attribute as positions below n, in ascending order; nothing where it is not that.
std::optional<std::vector<bool>> marked(const Attributes& attributes, std::string_view name, std::size_t n) {
  const Attribute* given = attributes.find(name);
  if (given == nullptr || !std::holds_alternative<Positions>(*given)) return std::nullopt;
  std::vector<bool> marks(n, false);
  std::int64_t last = -1;
  for (const std::int64_t at : std::get<Positions>(*given)) {
    if (at <= last || at >= static_cast<std::int64_t>(n)) return std::nullopt;
    marks[static_cast<std::size_t>(at)] = true;
    last = at;
  }
  return marks;
}

// The composite's call on these operands; nothing where it does not take them.
std::optional<Ref> recorded(const CompositeRow& row, std::span<const Ref> operands, const Attributes& attributes) {
  try {
    return row.record(operands, attributes)[0];
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The gradient's operands are the call's operands, its results, and the cotangents that are given.
bool is_gradient_of(const CompositeRow& row, const CallSpec& gradient, std::span<const Ref> operands) {
  Attributes attributes;
  for (const auto& [name, value] : gradient.attributes)
    if (name != "wrt" && name != "cotangents") attributes.set(name, value);
  for (std::size_t n = 1; n < operands.size(); ++n) {
    const std::optional<Ref> call = recorded(row, operands.first(n), attributes);
    if (!call || (*call)->kind != Kind::call) continue;
    const std::size_t results = (*call)->result_count();
    const auto wanted = marked(gradient.attributes, "wrt", n), given = marked(gradient.attributes, "cotangents", results);
    if (!wanted || !given || n + results + static_cast<std::size_t>(std::ranges::count(*given, true)) != operands.size()) continue;
    const GradientCall made = gradient_call((*call)->as<CallSpec>(), operands, *given, *wanted);
    if (CallSpec{gradient.name, made.attributes, made.body, {}} == gradient) return true;
  }
  return false;
}

}  // namespace

bool is_as_named(const Ref& call) {
  const auto& spec = call->as<CallSpec>();
  std::vector<Ref> operands;
  for (const Edge& e : call->operands()) operands.emplace_back(e);
  if (const CompositeRow* row = find_composite(spec.name); row != nullptr && row->is_call)
    return row->record(operands, spec.attributes)[0].node() == call.node();
  const std::string_view name = spec.name;
  if (!name.ends_with(of_gradient)) return true;
  const CompositeRow* row = find_composite(name.substr(0, name.size() - of_gradient.size()));
  return row == nullptr || !row->is_call || is_gradient_of(*row, spec, operands);
}

}  // namespace cotan::text_form
