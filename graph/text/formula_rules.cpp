#include "graph/text/formula_rules.h"

#include <fmt/format.h>

#include <bit>
#include <set>
#include <tuple>

namespace cotan::text_form {
namespace {

enum class Takes : std::uint8_t { any, number, floating, boolean };
enum class Gives : std::uint8_t { same, boolean };

struct Rule {
  Takes takes;
  Gives gives;
};

constexpr Rule rules[] = {
    {Takes::any, Gives::same},  // operand, constant, where and cast have rules of their own
    {Takes::any, Gives::same},
    {Takes::any, Gives::same},
    {Takes::any, Gives::same},
#define ATOM(name, arity, operands, result, ...) {Takes::operands, Gives::result},
#include "ops/atoms.def"
#undef ATOM
};

const Rule& rule_of(Atom atom) { return rules[static_cast<std::size_t>(atom)]; }

std::string fault_of_node(const Formula& f, const FormulaNode& n, int at) {
  const int arity = arity_of(n.atom);
  const int given[] = {n.a, n.b, n.c};
  for (int k = 0; k < 3; ++k) {
    if (n.atom == Atom::operand && k == 0) continue;
    if (k < arity && (given[k] < 0 || given[k] >= at)) return "names a later or no node";
    if (k >= arity && given[k] != -1) return "has too many operands";
  }
  auto type = [&](int i) { return f.nodes[static_cast<std::size_t>(i)].dtype; };
  switch (n.atom) {
    case Atom::operand:
      if (n.a < 0 || static_cast<std::size_t>(n.a) >= f.operands.size()) return "names no operand";
      return n.dtype == f.operands[static_cast<std::size_t>(n.a)] ? "" : "has another type than its operand";
    case Atom::constant: {
      const double held = round_to(n.dtype, n.literal);
      if (!takes_number(n.dtype, n.literal)) return fmt::format("is a literal {} that {} cannot hold", n.literal, name_of(n.dtype));
      return std::bit_cast<std::uint64_t>(held) == std::bit_cast<std::uint64_t>(n.literal) || (held == n.literal && held == 0)
                 ? ""
                 : fmt::format("is a literal {} that {} cannot hold", n.literal, name_of(n.dtype));
    }
    case Atom::where:
      if (type(n.a) != DType::boolean) return "has a condition that is not bool";
      if (!is_computed(n.dtype)) return fmt::format("chooses between {}, which is for storage only", name_of(n.dtype));
      return type(n.b) == n.dtype && type(n.c) == n.dtype ? "" : "has branches of another type";
    case Atom::cast: return "";
    default:
      if (arity == 2 && type(n.a) != type(n.b)) return "mixes types";
      if (!atom_takes(n.atom, type(n.a))) return fmt::format("takes {}, not {}", atom_wants(n.atom), name_of(type(n.a)));
      return atom_gives(n.atom, type(n.a)) == n.dtype ? "" : "has the wrong type";
  }
}

}  // namespace

bool atom_takes(Atom atom, DType dtype) {
  if (!is_computed(dtype)) return false;
  switch (rule_of(atom).takes) {
    case Takes::any: return true;
    case Takes::number: return dtype != DType::boolean;
    case Takes::floating: return is_floating(dtype);
    case Takes::boolean: return dtype == DType::boolean;
  }
  return false;
}

std::string_view atom_wants(Atom atom) {
  switch (rule_of(atom).takes) {
    case Takes::any: return "what is computed with";
    case Takes::number: return "a number";
    case Takes::floating: return "floating";
    case Takes::boolean: return "bool";
  }
  return "";
}

DType atom_gives(Atom atom, DType dtype) { return rule_of(atom).gives == Gives::boolean ? DType::boolean : dtype; }

std::string fault_of(const Formula& f) {
  if (f.nodes.empty()) return "an empty formula";
  std::set<std::tuple<Atom, DType, int, int, int, std::uint64_t>> seen;
  std::vector<char> live(f.nodes.size(), 0);
  bool operands_only = true;
  int last_operand = -1;
  for (std::size_t i = 0; i < f.nodes.size(); ++i) {
    const FormulaNode& n = f.nodes[i];
    if (static_cast<std::size_t>(n.atom) >= std::size(rules)) return fmt::format("node {} of the formula is no atom", i);
    if (std::string fault = fault_of_node(f, n, static_cast<int>(i)); !fault.empty())
      return fmt::format("node {} of the formula, {}, {}", i, name_of(n.atom), fault);
    if (!seen.emplace(n.atom, n.dtype, n.a, n.b, n.c, std::bit_cast<std::uint64_t>(n.literal)).second)
      return fmt::format("node {} of the formula stands there twice", i);
    if (n.atom == Atom::operand) {
      if (!operands_only || n.a <= last_operand) return "the formula's operands are not first and in order";
      last_operand = n.a;
    } else {
      operands_only = false;
    }
  }
  live.back() = 1;
  for (std::size_t i = f.nodes.size(); i-- > 0;) {
    if (!live[i]) return fmt::format("node {} of the formula is not needed", i);
    const FormulaNode& n = f.nodes[i];
    if (n.atom == Atom::operand) continue;
    for (int k : {n.a, n.b, n.c})
      if (k >= 0) live[static_cast<std::size_t>(k)] = 1;
  }
  return "";
}

}  // namespace cotan::text_form
