#include <fmt/format.h>
#include <fmt/ranges.h>

#include "graph/text/print.h"
#include "graph/text/text.h"
#include "graph/text/words.h"

namespace cotan::text_form {
namespace {

std::vector<std::string> operand_texts(const Node& n, const Names& names) {
  std::vector<std::string> texts;
  for (const Edge& e : n.operands()) texts.push_back(names.of(e));
  return texts;
}

std::string map_text(const Node& n, const Names& names) {
  const Formula& f = n.formula();
  const std::vector<std::string> operands = operand_texts(n, names);
  if (f.row.empty()) return formula_text(f, operands, names);
  return fmt::format("{}({}){}", f.row, fmt::join(operands, ", "), f.attributes.text());
}

std::string leaf_text(const LeafSpec& leaf) {
  switch (leaf.role) {
    case LeafRole::iota: return fmt::format("iota() {{axis={}}}", leaf.axis);
    case LeafRole::random: return fmt::format("random() {{key={}, counter={}}}", leaf.key, leaf.counter);
    default: return "<a leaf that is a parameter>";
  }
}

// What a node without a specification of its kind prints as.
std::string bare_text(const Node& n, const Names& names) { return fmt::format("{}({})", name_of(n.kind), fmt::join(operand_texts(n, names), ", ")); }

std::string plain_text(const Node& n, const Names& names, const Bodies* bodies) {
  const std::string operands = fmt::format("({})", fmt::join(operand_texts(n, names), ", "));
  switch (n.kind) {
    case Kind::leaf: return leaf_text(n.as<LeafSpec>());
    case Kind::map: return map_text(n, names);
    case Kind::sum: return sum_text(n, names).right;
    case Kind::reduce: return reduce_text(n, names).right;
    case Kind::scan: return fmt::format("scan{} {{axis={}, reverse={}}}", operands, n.as<ScanSpec>().axis, n.as<ScanSpec>().reverse);
    case Kind::order: return fmt::format("order{} {{axis={}, descending={}}}", operands, n.as<OrderSpec>().axis, n.as<OrderSpec>().descending);
    case Kind::check: {
      const auto& c = n.as<CheckSpec>();
      return fmt::format("check{} {{below={}, what={}{}}}", operands, c.below, quoted(c.what), c.remedy.empty() ? "" : ", remedy=" + quoted(c.remedy));
    }
    case Kind::call: {
      const auto& c = n.as<CallSpec>();
      std::string text = fmt::format("call {}{}{}", name_text(c.name), operands, c.attributes.text());
      if (bodies != nullptr && c.body) text += fmt::format(" using {}", bodies->label(*c.body));
      return text;
    }
    case Kind::cast:
    case Kind::barrier:
    case Kind::stop_gradient: break;
  }
  return bare_text(n, names);
}

std::string parameter_text(const Names::Parameter& p) {
  std::string_view role;
  if (p.leaf->kind == Kind::leaf && p.leaf->spec) {
    if (p.leaf->as<LeafSpec>().role == LeafRole::variable) role = "var ";
    if (p.leaf->as<LeafSpec>().role == LeafRole::scalar) role = "scalar ";
  }
  return fmt::format("{}{}: {}", role, name_text(p.name), type_text(p.leaf->dtype, p.leaf->shape));
}

void print_block(const Function& f, const Bodies& bodies, std::string& out) {
  const Names names(f);
  std::vector<std::string> parameters;
  for (const Names::Parameter& p : names.parameters()) parameters.push_back(parameter_text(p));
  out += fmt::format("({}) {{\n", fmt::join(parameters, ", "));
  for (const Node* n : names.statements()) out += fmt::format("  {}\n", statement_text(*n, names, &bodies));
  out += "  return";
  for (std::size_t r = 0; r < f.results.size(); ++r) {
    out += r > 0 ? ", " : " ";
    if (r < f.result_names.size() && !f.result_names[r].empty()) out += fmt::format("{}=", name_text(f.result_names[r]));
    out += names.of(f.results[r].edge());
  }
  out += "\n}\n";
}

}  // namespace

std::string right_side(const Node& n, const Names& names, const Bodies* bodies) {
  return n.spec || n.kind == Kind::cast || n.kind == Kind::stop_gradient || n.kind == Kind::barrier ? plain_text(n, names, bodies) : bare_text(n, names);
}

std::string statement_text(const Node& n, const Names& names, const Bodies* bodies) {
  std::vector<std::string> values, types;
  const std::uint32_t results = n.spec ? n.result_count() : 1;
  for (std::uint32_t r = 0; r < results; ++r) {
    values.push_back(names.of(Edge{const_cast<Node*>(&n), r}));
    types.push_back(type_text(n.dtype_of(r), n.shape_of(r)));
  }
  std::string access;
  if (n.spec && n.kind == Kind::sum) access = sum_text(n, names).left;
  if (n.spec && n.kind == Kind::reduce) access = reduce_text(n, names).left;
  return fmt::format("{}: {}{} = {}", fmt::join(values, ", "), fmt::join(types, ", "), access, right_side(n, names, bodies));
}

}  // namespace cotan::text_form

namespace cotan {

std::string to_text(const Function& f) {
  const text_form::Bodies bodies(f);
  std::string out;
  for (const Function* body : bodies.in_order()) {
    out += fmt::format("body {}", bodies.label(*body));
    text_form::print_block(*body, bodies, out);
    out += '\n';
  }
  out += f.name.empty() ? "func " : fmt::format("func {}", text_form::name_text(f.name));
  text_form::print_block(f, bodies, out);
  return out;
}

}  // namespace cotan
