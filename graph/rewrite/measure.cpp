#include "graph/rewrite/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "graph/rewrite/match.h"

namespace cotan::rewrite {

Measure& Measure::operator+=(const Measure& o) {
  work += o.work, nodes += o.nodes, atoms += o.atoms;
  return *this;
}
Measure& Measure::operator-=(const Measure& o) {
  work -= o.work, nodes -= o.nodes, atoms -= o.atoms;
  return *this;
}

std::string Measure::text() const { return fmt::format("work {}, {} nodes, {} atoms", work, nodes, atoms); }

int weight_of(Atom atom) {
  switch (atom) {
    case Atom::operand:
    case Atom::constant: return 0;
    case Atom::div:
    case Atom::rem:
    case Atom::sqrt: return 10;
    case Atom::exp:
    case Atom::expm1:
    case Atom::log:
    case Atom::log1p:
    case Atom::cbrt:
    case Atom::sin:
    case Atom::cos:
    case Atom::asin:
    case Atom::tanh:
    case Atom::erf:
    case Atom::erfc: return 16;
    case Atom::pow:
    case Atom::atan2: return 32;
    default: return 1;
  }
}

int weight_of(const Formula& formula) {
  std::vector<char> varies(formula.nodes.size(), 0);
  int weight = 0;
  for (std::size_t i = 0; i < formula.nodes.size(); ++i) {
    const FormulaNode& n = formula.nodes[i];
    const int reads[] = {n.a, n.b, n.c};
    bool any = n.atom == Atom::operand;
    for (int k = 0; k < arity_of(n.atom); ++k) any |= varies[static_cast<std::size_t>(reads[k])] != 0;
    varies[i] = any;
    if (any) weight += weight_of(n.atom);
  }
  return weight;
}

Measure measure_of(const Node& node) {
  const std::int64_t elements = node.shape.elements();
  switch (node.kind) {
    case Kind::leaf: return {};
    case Kind::map: {
      const Formula& f = node.formula();
      return {elements * weight_of(f), 1, static_cast<std::int64_t>(f.nodes.size() - f.operands.size())};
    }
    case Kind::sum: {
      const auto& s = node.as<SumSpec>();
      if (s.coefficient == 1 && points_an_entry(node) == 1) return {0, 1, 0};
      const bool tables = node.operand_count > s.factors.size();
      std::int64_t points = 1;
      for (std::int64_t n : s.domain) points *= n;
      points *= static_cast<std::int64_t>(std::max<std::size_t>(1, s.factors.size()));
      return {std::max(points, elements) + (tables ? 3 * elements : 0), 1, s.coefficient == 1 ? 0 : 1};
    }
    case Kind::reduce: {
      std::int64_t points = 1;
      for (std::int64_t n : node.as<ReduceSpec>().domain) points *= n;
      return {points, 1, 0};
    }
    case Kind::order: return {16 * elements, 1, 0};
    case Kind::call: {
      const Measure body = measure_of(*node.as<CallSpec>().body);
      return {body.work * 4 / 5, 1, 0};
    }
    case Kind::barrier:
    case Kind::stop_gradient: return {0, 1, 0};
    case Kind::scan:
    case Kind::cast:
    case Kind::check: return {elements, 1, 0};
  }
  return {};
}

Measure measure_of(const Function& function) {
  Measure all;
  for (const Node* n : topological(function.results)) all += measure_of(*n);
  return all;
}

}  // namespace cotan::rewrite
