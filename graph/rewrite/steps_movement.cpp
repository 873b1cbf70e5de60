// Steps on casts, fills and broadcasts. What the algebra of sums knows (graph/sums: sums of sums, scales, masks) is left to it.
#include "graph/builder.h"
#include "graph/casts.h"
#include "graph/rewrite/measure.h"
#include "graph/rewrite/replacement.h"
#include "graph/rewrite/rule.h"
#include "ops/float_mode.h"

namespace cotan::rewrite {
namespace {

// Rounded correctly on every backend.
bool rounds_once(Atom atom) { return weight_of(atom) <= 1 || atom == Atom::div || atom == Atom::sqrt; }

// The map with the atoms of constants computed, and the fills that it reads as numbers. `functions`: exp and its like too.
Ref with_constants(const Ref& n, bool functions) {
  Formula f = n->formula();
  bool changed = false;
  for (std::size_t i = 0; i < f.nodes.size(); ++i) {
    FormulaNode& node = f.nodes[i];
    double value = 0;
    if (node.atom == Atom::operand) {
      const auto number = term_of(n->operands()[static_cast<std::size_t>(node.a)]).constant();
      if (!number) continue;
      value = *number;
    } else {
      if (arity_of(node.atom) == 0 || (!functions && !rounds_once(node.atom)) || kind_of(node.dtype) == DTypeKind::integer) continue;
      const int reads[] = {node.a, node.b, node.c};
      double in[3] = {};
      bool constants = true;
      for (int k = 0; k < arity_of(node.atom); ++k) {
        const FormulaNode& read = f.nodes[static_cast<std::size_t>(reads[k])];
        constants &= read.atom == Atom::constant && read.dtype != DType::i64 && !is_subnormal(read.dtype, read.literal);
        in[k] = read.literal;
      }
      if (!constants) continue;
      value = apply_atom(node.atom, node.dtype, in[0], in[1], in[2]);
      if (is_subnormal(node.dtype, value)) continue;  // what it is depends on the mode that the program runs in
    }
    node = {Atom::constant, node.dtype, -1, -1, -1, value};
    changed = true;
  }
  if (!changed) return {};
  const FormulaRef made = make_formula(
      f.operands, [&](std::span<const Ex> x) { return inlined(f, x); }, f.dtype());
  std::vector<Ref> operands;
  for (const Edge& e : n->operands()) operands.emplace_back(e);
  return graph::map(made, operands, n.shape());
}

// Inside one formula, building has done it.
Ref double_negation(const Ref& n) {
  const auto& nodes = n->formula().nodes;
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (nodes[i].atom != Atom::neg) continue;
    const Term inner = term_at(*n.node(), nodes[i].a);
    if (!inner.is_atom() || inner.atom().atom != Atom::neg) continue;
    const Piece itself = compiled(variable("x"), {{"x"}, {false}}, nodes[i].dtype, nodes[i].dtype);
    Match found;
    found.variables = {term_at(*inner.node, inner.atom().a)};
    std::vector<Ref> calls;
    return replaced_in(n, static_cast<int>(i), itself, found, calls);
  }
  return {};
}

Ref sum_of_fill(const Ref& n, bool reduced) {
  const auto& s = n->as<SumSpec>();
  if (!is_floating(n.dtype()) || s.factors.empty()) return {};
  const auto number = term_of(n->operands()[0]).constant();
  const auto points = number ? points_an_entry(*n.node()) : std::nullopt;
  if (!points || (*points != 1) != reduced) return {};
  return graph::fill(round_to(n.dtype(), *number * s.coefficient * static_cast<double>(*points)), n.dtype(), n.shape());
}

// What a part of a formula is computed from, where that is broadcasts that are all alike: computed before the broadcast, on the smaller tensors.
Ref before_broadcast(const Ref& n) {
  const Formula& f = n->formula();
  if (f.operands.empty()) return {};
  auto broadcast_of = [&](std::size_t operand) -> const Node* {
    const Node* s = n->operands()[operand].node;
    if (s->kind != Kind::sum || s->as<SumSpec>().factors.size() != 1 || s->as<SumSpec>().coefficient != 1) return nullptr;
    return points_an_entry(*s) == 1 && s->operand(0).shape().elements() < s->shape.elements() ? s : nullptr;
  };
  struct Part {
    bool mixed = false;
    const Node* like = nullptr;  // a broadcast; null for constants
  };
  std::vector<Part> parts(f.nodes.size());
  for (std::size_t i = 0; i < f.nodes.size(); ++i) {
    const FormulaNode& node = f.nodes[i];
    if (node.atom == Atom::operand) {
      parts[i].like = broadcast_of(static_cast<std::size_t>(node.a));
      parts[i].mixed = parts[i].like == nullptr;
      continue;
    }
    const int reads[] = {node.a, node.b, node.c};
    for (int k = 0; k < arity_of(node.atom); ++k) {
      const Part& read = parts[static_cast<std::size_t>(reads[k])];
      const Node *a = parts[i].like, *b = read.like;
      parts[i].mixed |= read.mixed || (a != nullptr && b != nullptr && (a->spec != b->spec || !(a->operand(0).shape() == b->operand(0).shape())));
      if (a == nullptr) parts[i].like = b;
    }
  }
  for (std::size_t i = f.nodes.size(); i-- > 0;) {
    if (parts[i].mixed || parts[i].like == nullptr || arity_of(f.nodes[i].atom) == 0) continue;
    const Node& like = *parts[i].like;
    const bool whole = i + 1 == f.nodes.size();
    const Ref part = extracted(*n.node(), static_cast<int>(i));
    if (part->kind != Kind::map || part->operand_count == 0) continue;  // extracting it has folded it
    if (!whole && weight_of(part->formula()) < weight_of(Atom::div)) continue;
    std::vector<Ref> small;
    for (const Edge& e : part->operands()) small.push_back(e.node->operand(0));
    const Ref computed = graph::map(part->shared<Formula>(), small, like.operand(0).shape());
    const Ref operand[] = {computed};
    const Ref spread = graph::record_sum(like.shared<SumSpec>(), {computed.dtype(), n.shape()}, operand);
    return whole ? spread : with_operand_at(n, static_cast<int>(i), spread);
  }
  return {};
}

}  // namespace

void add_movement_steps(RuleSet& rules) {
  rules.add(
      RuleClass::exact, "stop_gradient(x)", Kind::stop_gradient, [](const Ref& n) { return n->operand(0); },
      "func f(x: f32[3,4]) { %0: f32[3,4] = stop_gradient(x) %1: f32[3,4] = exp(%0) return %1 }");
  rules.add(RuleClass::exact, "cast(cast(x))", Kind::cast, graph::merged_casts, "func f(x: f32[3,4]) { %0: f64[3,4] = cast(x) %1: i32[3,4] = cast(%0) return %1 }");
  rules.add(RuleClass::exact, "-(-x)", Kind::map, double_negation,
            "func f(x: f32[3,4]) { %0: f32[3,4] = neg(x) %1: f32[3,4] = neg(%0) %2: f32[3,4] = exp(%1) return %2 }");
  rules.add(
      RuleClass::exact, "constants", Kind::map, [](const Ref& n) { return with_constants(n, false); },
      "func f(x: f32[3,4]) { %0: f32[3,4] = { 0.1 } %1: f32[3,4] = { 3 } %2: f32[3,4] = div(%0, %1) %3: f32[3,4] = mul(x, %2) return %3 }");
  rules.add(
      RuleClass::exact, "broadcast of a fill", Kind::sum, [](const Ref& n) { return sum_of_fill(n, false); },
      "func f(x: f32[3,4]) { %0: f32[3] = { 0.1 } %1: f32[3,4][i,j] = 0.3 * %0[i] %2: f32[3,4] = mul(x, %1) return %2 }");
  rules.add(RuleClass::exact, "f(broadcast(x))", Kind::map, before_broadcast,
            "func f(x: f32[3,4], b: f32[4], c: f32[4]) { %0: f32[3,4][i,j] = b[j] %1: f32[3,4][i,j] = c[j] %2: f32[3,4] = { x * (%0 / (%1 + 1)) } return %2 }");
  rules
      .add(
          RuleClass::stable, "functions of constants", Kind::map, [](const Ref& n) { return with_constants(n, true); },
          "func f(x: f32[3,4]) { %0: f32[3,4] = { 0.1 } %1: f32[3,4] = exp(%0) %2: f32[3,4] = mul(x, %1) return %2 }")
      .ulp(1);
  rules
      .add(
          RuleClass::stable, "sum of a fill", Kind::sum, [](const Ref& n) { return sum_of_fill(n, true); },
          "func f(x: f32[3]) { %0: f32[3,4] = { 0.1 } %1: f32[3][i] = 0.25 * %0[i,j] %2: f32[3] = mul(x, %1) return %2 }")
      .ulp(1);
}

}  // namespace cotan::rewrite
