// Formulas as steps: patterns, matched from the sum's value upwards.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "backends/onednn/tail.h"
#include "ops/elementwise.h"

namespace cotan::onednn {
namespace {

// Stand for any constants in a pattern: floats that no formula has, the first one less than the second.
constexpr std::array<double, 2> wild{0x1.a5b3c6p-91, 0x1.c7a5b2p-90};

// A formula of the value (operand 0) and perhaps a tensor (operand 1) that is one step. `make` gets what the wild constants stand for; where there is none, or
// it gives none, the step is no post-operation.
struct Pattern {
  FormulaRef formula;
  std::string_view name;
  std::optional<PostOp> (*make)(std::span<const double, 2> constants);
};

using Make = decltype(Pattern::make);

template <PostOpKind kind>
std::optional<PostOp> plain(std::span<const double, 2>) {
  return PostOp{kind};
}
template <PostOpKind kind>
std::optional<PostOp> with_constants(std::span<const double, 2> c) {
  return PostOp{kind, static_cast<float>(c[0]), static_cast<float>(c[1])};
}
std::optional<PostOp> shifted(std::span<const double, 2> c) { return PostOp{PostOpKind::linear, 1, static_cast<float>(c[0])}; }
std::optional<PostOp> scaled(std::span<const double, 2> c) { return PostOp{PostOpKind::linear, static_cast<float>(c[0]), 0}; }
std::optional<PostOp> negated(std::span<const double, 2>) { return PostOp{PostOpKind::linear, -1, 0}; }
// With a slope of 0 it would be the library's relu, which loses NaN.
std::optional<PostOp> leaky(std::span<const double, 2> c) {
  return c[0] == 0 ? std::nullopt : std::optional(PostOp{PostOpKind::leaky_relu, static_cast<float>(c[0])});
}
std::optional<PostOp> elu_of_one(std::span<const double, 2>) { return PostOp{PostOpKind::elu, 1}; }
constexpr Make by_loop = nullptr;

const std::vector<Pattern>& patterns() {
  static const auto& all = *new std::vector<Pattern>([] {
    using namespace formula_language;
    using K = PostOpKind;
    std::vector<Pattern> p;
    const auto row = [&](std::string_view name, ElementwiseId id, std::vector<double> parameters, Make make) {
      const DType one[] = {f32};
      p.push_back({formula_of(id, one, parameters), name, make});
    };
    const auto of_tensor = [&](std::string_view name, Ex (*body)(Ex, Ex), Make make) {
      p.push_back({make_formula({f32, f32}, [&](auto x) { return body(x[0], x[1]); }), name, make});
    };
    const auto of_constant = [&](std::string_view name, Ex (*body)(Ex, Ex), Make make) {
      p.push_back({make_formula({f32}, [&](auto x) { return body(x[0], Ex(wild[0])); }), name, make});
    };
    of_tensor(
        "add", [](Ex v, Ex t) { return v + t; }, plain<K::add>);
    of_tensor(
        "sub", [](Ex v, Ex t) { return v - t; }, plain<K::sub>);
    of_tensor(
        "mul", [](Ex v, Ex t) { return v * t; }, plain<K::mul>);
    of_tensor(
        "div", [](Ex v, Ex t) { return v / t; }, plain<K::div>);
    of_tensor(
        "max", [](Ex v, Ex t) { return max(v, t); }, by_loop);
    of_tensor(
        "min", [](Ex v, Ex t) { return min(v, t); }, by_loop);
    of_constant(
        "linear", [](Ex v, Ex c) { return v + c; }, shifted);
    of_constant(
        "linear", [](Ex v, Ex c) { return v * c; }, scaled);
    of_constant(
        "clip", [](Ex v, Ex c) { return max(v, c); }, by_loop);
    of_constant(
        "clip", [](Ex v, Ex c) { return min(v, c); }, by_loop);
    row("linear", ElementwiseId::neg, {}, negated);
    row("relu", ElementwiseId::relu, {}, by_loop);
    row("leaky_relu", ElementwiseId::leaky_relu, {wild[0]}, leaky);
    row("elu", ElementwiseId::elu, {1}, elu_of_one);
    row("elu", ElementwiseId::elu, {wild[0]}, with_constants<K::elu>);
    row("tanh", ElementwiseId::tanh, {}, plain<K::tanh>);
    row("sigmoid", ElementwiseId::sigmoid, {}, plain<K::sigmoid>);
    row("exp", ElementwiseId::exp, {}, by_loop);
    row("sqrt", ElementwiseId::sqrt, {}, plain<K::sqrt>);
    row("square", ElementwiseId::square, {}, plain<K::square>);
    row("abs", ElementwiseId::abs, {}, plain<K::abs>);
    row("gelu", ElementwiseId::gelu, {}, by_loop);
    row("silu", ElementwiseId::silu, {}, plain<K::silu>);
    row("clip", ElementwiseId::hardtanh, {wild[0], wild[1]}, by_loop);
    row("clip", ElementwiseId::clip, {wild[0], wild[1]}, by_loop);
    row("clip", ElementwiseId::clip, {wild[0], INFINITY}, by_loop);
    row("clip", ElementwiseId::clip, {-INFINITY, wild[0]}, by_loop);
    return p;
  }());
  return all;
}

// Whether the part of `formula` below node `at` is the part of the pattern below its node `p`, where operand 0 is node `value`.
class Matching {
 public:
  Matching(const Formula& pattern, const Formula& formula, int value) : pattern_(pattern), formula_(formula), value_(value) {}

  bool at(int p, int node) {
    const FormulaNode& want = pattern_.nodes[static_cast<std::size_t>(p)];
    const FormulaNode& have = formula_.nodes[static_cast<std::size_t>(node)];
    if (want.atom == Atom::operand && want.a == 0) return node == value_;
    if (node == value_) return false;
    if (want.atom == Atom::operand) {
      if (have.atom != Atom::operand || have.dtype != f32 || (operand >= 0 && operand != have.a)) return false;
      operand = have.a;
      return true;
    }
    if (want.atom != have.atom || want.dtype != have.dtype) return false;
    if (want.atom == Atom::constant) return constant(want.literal, have.literal);
    const int arity = arity_of(want.atom);
    const bool either_order = want.atom == Atom::add || want.atom == Atom::mul || want.atom == Atom::max || want.atom == Atom::min;
    const auto saved = std::pair(operand, constants);
    if (at(want.a, have.a) && (arity < 2 || at(want.b, have.b)) && (arity < 3 || at(want.c, have.c))) return true;
    std::tie(operand, constants) = saved;
    return either_order && at(want.a, have.b) && at(want.b, have.a);
  }

  int operand = -1;
  std::array<double, 2> constants{NAN, NAN};

 private:
  bool constant(double want, double have) {
    for (std::size_t w = 0; w < wild.size(); ++w) {
      if (want != wild[w]) continue;
      if (!std::isnan(constants[w])) return constants[w] == have;
      constants[w] = have;
      return !std::isnan(have);
    }
    return want == have && std::signbit(want) == std::signbit(have);
  }

  const Formula& pattern_;
  const Formula& formula_;
  int value_;
};

// One more post-operation; of two that are linear, one behind the other, one.
void append(Steps& steps, const PostOp& op, int operand, std::string_view name) {
  if (!steps.ops.empty() && steps.ops.back().op.kind == PostOpKind::linear && op.kind == PostOpKind::linear) {
    PostOp& earlier = steps.ops.back().op;
    earlier = {PostOpKind::linear, earlier.alpha * op.alpha, earlier.beta * op.alpha + op.beta};
    return;
  }
  steps.ops.push_back({op, operand});
  steps.names.push_back(name);
}

// Which nodes a node reads.
std::array<int, 3> reads_of(const FormulaNode& n) {
  if (n.atom == Atom::operand || n.atom == Atom::constant) return {-1, -1, -1};
  return {n.a, n.b, n.c};
}

// What the formula does to the value of its node `value`, and which of its operands that reads.
std::pair<FormulaRef, std::vector<int>> rest_of(const Formula& formula, int value) {
  std::vector<bool> needed(formula.nodes.size(), false);
  std::vector<int> operands;
  needed.back() = true;
  for (std::size_t i = formula.nodes.size(); i-- > 0;) {
    if (!needed[i] || static_cast<int>(i) == value) continue;
    const FormulaNode& n = formula.nodes[i];
    if (n.atom == Atom::operand) operands.push_back(n.a);
    for (int r : reads_of(n))
      if (r >= 0) needed[static_cast<std::size_t>(r)] = true;
  }
  std::ranges::sort(operands);
  // The same nodes, but for this one, which is an operand more.
  Formula open = formula;
  open.nodes[static_cast<std::size_t>(value)] = {Atom::operand, f32, static_cast<int>(open.operands.size()), -1, -1, 0};
  open.operands.push_back(f32);
  const std::vector<DType> types(operands.size() + 1, f32);
  FormulaRef rest = make_formula(types, [&](std::span<const Ex> x) {
    std::vector<Ex> all(open.operands.size(), x[0]);
    for (std::size_t k = 0; k < operands.size(); ++k) all[static_cast<std::size_t>(operands[k])] = x[k + 1];
    return inlined(open, all);
  });
  return {std::move(rest), std::move(operands)};
}

}  // namespace

std::variant<Steps, Reason> steps_of(const Formula& formula, const BackendOptions& options) {
  const int count = static_cast<int>(formula.nodes.size());
  int value = -1;
  std::vector<bool> depends(formula.nodes.size(), false);
  for (int i = 0; i < count; ++i) {
    const FormulaNode& n = formula.nodes[static_cast<std::size_t>(i)];
    if (n.atom == Atom::operand && n.a == 0) depends[static_cast<std::size_t>(value = i)] = true;
    for (int r : reads_of(n))
      if (r >= 0 && depends[static_cast<std::size_t>(r)]) depends[static_cast<std::size_t>(i)] = true;
  }
  if (value < 0) return Reason{ReasonCode::not_recognised, "a formula without the value"};
  // Whether what comes after node `end` reads nothing of the value before it.
  const auto closed = [&](int end) {
    for (int i = end + 1; i < count; ++i)
      for (int r : reads_of(formula.nodes[static_cast<std::size_t>(i)]))
        if (r >= 0 && r < end && depends[static_cast<std::size_t>(r)]) return false;
    return true;
  };
  Steps steps;
  int rest = -1;  // the node whose value the rest begins with
  while (value + 1 < count) {
    int next = -1;
    std::string_view first;  // that could have been one
    for (int end = value + 1; end < count && next < 0; ++end) {
      if (!depends[static_cast<std::size_t>(end)] || !closed(end)) continue;
      for (const Pattern& pattern : patterns()) {
        Matching matching(*pattern.formula, formula, value);
        if (!matching.at(static_cast<int>(pattern.formula->nodes.size()) - 1, end)) continue;
        const std::optional<PostOp> op = pattern.make == by_loop ? std::nullopt : pattern.make(matching.constants);
        if (rest < 0 && (!op || (options.reproducible && !rounded_as_in_loops(op->kind)))) rest = value;
        if (rest < 0)
          append(steps, *op, matching.operand, pattern.name);
        else
          steps.names.push_back(pattern.name);
        next = end;
        break;
      }
      if (first.empty()) first = name_of(formula.nodes[static_cast<std::size_t>(end)].atom);
    }
    if (next < 0) return Reason{ReasonCode::not_recognised, fmt::format("{} is no post-operation", first)};
    value = next;
  }
  if (rest >= 0) std::tie(steps.rest, steps.rest_operands) = rest_of(formula, rest);
  return steps;
}

}  // namespace cotan::onednn
