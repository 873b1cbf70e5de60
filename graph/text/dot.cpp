#include <fmt/format.h>

#include <unordered_map>

#include "graph/text/print.h"
#include "graph/text/text.h"
#include "graph/text/words.h"

namespace cotan {
namespace {

std::string_view colour_of(Kind kind) {
  switch (kind) {
    case Kind::map: return "#d8ead3";
    case Kind::sum: return "#d0e0f5";
    case Kind::reduce:
    case Kind::scan:
    case Kind::order: return "#f9e3c8";
    case Kind::call: return "#e6d6ee";
    case Kind::leaf: return "#eeeeee";
    default: return "#ffffff";
  }
}

}  // namespace

std::string to_dot(const Function& f) {
  const text_form::Names names(f);
  std::unordered_map<const Node*, std::size_t> numbers;
  std::string out = fmt::format("digraph {} {{\n  rankdir=TB;\n  node [shape=box, style=filled, fontname=monospace];\n", quoted(f.name));
  auto box = [&](const Node* n, const std::string& label, std::string_view shape) {
    const std::size_t number = numbers.size();
    numbers.emplace(n, number);
    out += fmt::format("  n{} [label={}, fillcolor=\"{}\"{}];\n", number, quoted(label), colour_of(n->kind), shape);
  };
  for (const auto& p : names.parameters()) box(p.leaf, fmt::format("{}: {}", p.name, text_form::type_text(p.leaf->dtype, p.leaf->shape)), ", shape=ellipse");
  for (const Node* n : names.statements()) box(n, text_form::statement_text(*n, names, nullptr), "");
  for (const Node* n : names.statements())
    for (const Edge& e : n->operands())
      out += e.result == 0 ? fmt::format("  n{} -> n{};\n", numbers[e.node], numbers[n])
                           : fmt::format("  n{} -> n{} [label=\"result {}\"];\n", numbers[e.node], numbers[n], e.result);
  for (std::size_t r = 0; r < f.results.size(); ++r) {
    const bool named = r < f.result_names.size() && !f.result_names[r].empty();
    out += fmt::format("  r{} [label={}, shape=ellipse, style=bold];\n  n{} -> r{};\n", r, quoted(named ? f.result_names[r] : fmt::format("result {}", r)),
                       numbers[f.results[r].node()], r);
  }
  return out + "}\n";
}

}  // namespace cotan
