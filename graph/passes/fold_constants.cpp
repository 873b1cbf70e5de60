// Constants that are one number become that number. What is a constant but no single number stays in the graph, and is computed when the plan is made
// (graph/constants.cpp).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "graph/builder.h"
#include "graph/fusion/groups.h"
#include "graph/passes/passes.h"
#include "graph/plan.h"

namespace cotan::passes {
namespace {

constexpr std::int64_t most_elements = 16 * 1024;  // of a tensor that is looked into
constexpr int most_computed = 64;                  // in one function, since each is compiled and run
constexpr double most_exact = 0x1p53;              // integers beyond are not all doubles, as a fill's number is

// Whether the node's value follows from that of its operands, and from nothing else.
bool is_function_of_operands(const Node& n) {
  switch (n.kind) {
    case Kind::leaf: return n.as<LeafSpec>().role == LeafRole::iota;
    case Kind::map:
    case Kind::sum:
    case Kind::reduce:
    case Kind::scan:
    case Kind::order:
    case Kind::cast:
    case Kind::stop_gradient: return true;
    case Kind::call:
    case Kind::check:
    case Kind::barrier: return false;
  }
  return false;
}

// The number that every entry of the constant is.
std::optional<double> number_of(const Ref& constant, const CompileOptions& options) {
  const std::vector<std::byte> bytes = bytes_of_constant(constant, options.backends);
  if (bytes.empty()) return std::nullopt;
  const std::size_t size = size_of(constant.dtype());
  for (std::size_t at = size; at < bytes.size(); at += size)
    if (std::memcmp(bytes.data(), bytes.data() + at, size) != 0) return std::nullopt;
  const double number = visit_dtype(constant.dtype(), [&](auto zero) {
    std::memcpy(&zero, bytes.data(), sizeof zero);
    return static_cast<double>(zero);
  });
  const bool exact = is_floating(constant.dtype()) ? !std::isnan(number) : std::abs(number) <= most_exact;
  return exact ? std::optional(number) : std::nullopt;
}

}  // namespace

Function fold_constants(const Function& function, PassContext& context) {
  std::unordered_set<Ref, RefHash> constants;  // which it keeps, so that no other node gets the address of one
  int computed = 0;
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    const std::int64_t elements = node.shape().elements();
    if (!is_function_of_operands(*node.node()) || elements == 0 || elements > most_elements) return {};
    if (!std::all_of(operands.begin(), operands.end(), [&](const Ref& r) { return constants.contains(r); })) return {};
    const Ref here = node->operand_count == 0 ? node : graph::rebuild(*node.node(), operands)[0];
    constants.insert(here);
    if (here->kind == Kind::leaf || is_fill(*here.node()) || computed == most_computed) return {here};
    ++computed;
    const auto number = number_of(here, context.options);
    if (!number) return {here};
    const Ref fill = graph::fill(*number, here.dtype(), here.shape());
    constants.insert(fill);
    return {fill};
  });
}

}  // namespace cotan::passes
