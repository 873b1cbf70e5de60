// Steps on one-hot tensors: what the gradient of a pick scatters, one entry along an axis for each of the others.
//
// The gradient of cross entropy is (softmax - onehot) * scale. It is generated as a scatter of the scale and the gradient of log_softmax; these steps see that
// the scatter's rows add up to the scale, and write it as a comparison inside the map that reads it.
#include <algorithm>

#include "graph/builder.h"
#include "graph/rewrite/replacement.h"
#include "graph/rewrite/rule.h"

namespace cotan::rewrite {
namespace {

// out[.., table[..], ..] = coefficient * factor[..]: the indices of the other dimensions, in order, are the table's.
struct OneHot {
  int axis = 0;
  Ref table;  // proven in range by a check
};

std::optional<OneHot> as_one_hot(const Node& n) {
  if (n.kind != Kind::sum) return std::nullopt;
  const auto& s = n.as<SumSpec>();
  if (!is_floating(n.dtype) || s.factors.size() != 1 || n.operand_count != 2 || !s.guards.empty()) return std::nullopt;
  std::optional<OneHot> found;
  Access others;
  Shape shape;
  for (std::size_t d = 0; d < s.output.size(); ++d) {
    const IndexExpr& e = s.output[d];
    if (e.affine()) {
      others.push_back(e);
      shape.push_back(n.shape[d]);
      continue;
    }
    if (found || e.constant != 0 || e.terms.size() != 1 || e.terms[0].coefficient != 1) return std::nullopt;
    found = OneHot{static_cast<int>(d), n.operand(1)};
  }
  if (!found || found->table->kind != Kind::check || found->table->as<CheckSpec>().below > n.shape[static_cast<std::size_t>(found->axis)]) return std::nullopt;
  const auto plain = plain_indices(others, shape, s.domain);
  if (!plain || !(found->table.shape() == shape) || s.output[static_cast<std::size_t>(found->axis)].terms[0].at != others) return std::nullopt;
  if (!plain_indices(s.factors[0], n.operand(0).shape(), s.domain)) return std::nullopt;
  for (std::size_t i = 0; i < s.domain.size(); ++i)
    if (std::find(plain->begin(), plain->end(), static_cast<int>(i)) == plain->end()) return std::nullopt;
  return found;
}

// The one entry that is not 0, for each of the other dimensions.
Ref entries_of(const Node& one_hot, const OneHot& form, double coefficient, bool keepdim) {
  SumSpec spec = one_hot.as<SumSpec>();
  Shape shape = one_hot.shape;
  const auto axis = static_cast<std::size_t>(form.axis);
  spec.coefficient *= coefficient;
  if (keepdim) {
    spec.output[axis] = IndexExpr(0);
    shape[axis] = 1;
  } else {
    spec.output.erase(spec.output.begin() + form.axis);
    shape.erase(axis);
  }
  const Ref factors[] = {one_hot.operand(0)};
  return graph::sum(std::move(spec), shape, factors);
}

Ref total_of_one_hot(const Ref& n, const Surroundings&) {
  if (n->as<SumSpec>().factors.size() != 1) return {};
  const Node& x = *n->operands()[0].node;
  const auto form = as_one_hot(x);
  const auto along = form ? as_total(*n.node(), true) : std::nullopt;
  if (!along || along->axis != form->axis) return {};
  return entries_of(x, *form, n->as<SumSpec>().coefficient, along->keepdim);
}

// 0, 1, 2, ... along the axis, and the table beside it: where they are equal, the entry stands.
Ref compared(const Node& one_hot, const OneHot& form) {
  using namespace formula_language;
  const Shape& full = one_hot.shape;
  const Ref iota = graph::iota(form.table.dtype(), {full[static_cast<std::size_t>(form.axis)]}, 0);
  SumSpec along;
  for (std::size_t d = 0; d < full.rank(); ++d) {
    along.domain.push_back(full[d]);
    along.output.push_back(index_of(static_cast<int>(d)));
  }
  along.factors.push_back({index_of(form.axis)});
  const Ref factors[] = {iota};
  const Ref place = graph::sum(std::move(along), full, factors), table = spread_along(form.table, form.axis, full);
  const Ref entries = spread_along(entries_of(one_hot, form, 1, false), form.axis, full);
  return graph::formula({place, table, entries}, [](std::span<const Ex> x) { return cotan::where(formula_language::eq(x[0], x[1]), x[2], 0); });
}

Ref one_hot_in_reader(const Ref& n, const Surroundings& around) {
  const Formula& f = n->formula();
  for (std::size_t k = 0; k < n->operand_count; ++k) {
    const Node& x = *n->operands()[k].node;
    const auto form = around.readers(&x) == 1 ? as_one_hot(x) : std::nullopt;
    if (!form) continue;
    const Ref inside = compared(x, *form);
    std::vector<Ref> operands;
    std::vector<DType> types;
    for (const Edge& e : inside->operands()) operands.emplace_back(e);
    const std::size_t own = operands.size();
    for (const Edge& e : n->operands()) operands.emplace_back(e);
    for (const Ref& r : operands) types.push_back(r.dtype());
    const FormulaRef made = make_formula(
        types,
        [&](std::span<const Ex> given) {
          std::vector<Ex> in(given.begin() + static_cast<std::ptrdiff_t>(own), given.end());
          in[k] = inlined(inside->formula(), given.first(own));
          return inlined(f, in);
        },
        f.dtype());
    return graph::map(made, operands, n.shape());
  }
  return {};
}

// The gradient of log_softmax by the cotangent d is d - softmax(x) * sum(d), and the sum of a one-hot d is known.
Ref gradient_of_log_softmax(const Ref& n, const Surroundings&) {
  using namespace formula_language;
  const auto& call = n->as<CallSpec>();
  if (call.name != "log_softmax.vjp" || n->operand_count != 3 || n->result_count() != 1) return {};
  const Ref y = n->operand(1), d = n->operand(2);
  if (y->kind != Kind::call || y->as<CallSpec>().name != "log_softmax" || y->operands()[0] != n->operands()[0]) return {};
  const auto form = as_one_hot(*d.node());
  const auto dim = call.attributes.get<std::int64_t>("dim");
  if (!form || (dim < 0 ? dim + static_cast<std::int64_t>(n.shape().rank()) : dim) != form->axis) return {};
  const Ref entries = spread_along(entries_of(*d.node(), *form, 1, false), form->axis, n.shape());
  return graph::formula({d, y, entries}, [](std::span<const Ex> x) { return x[0] - formula_language::exp(x[1]) * x[2]; });
}

}  // namespace

void add_one_hot_steps(RuleSet& rules) {
  rules
      .add(RuleClass::exact, "sum of a one-hot", Kind::sum, total_of_one_hot,
           "func f(g: f32[3], t: i32[3]) { %0: i32[3] = check(t) {below=4, what=\"target\"} %1: f32[3,4][i,%0[i]] = -0.25 * g[i] %2: f32[3,1][i,0] = %1[i,p] "
           "return %2 }")
      .zero_sign();
  rules.add(RuleClass::exact, "a one-hot inside its reader", Kind::map, one_hot_in_reader,
            "func f(x: f32[3,4], g: f32[3], t: i32[3]) { %0: i32[3] = check(t) {below=4, what=\"target\"} %1: f32[3,4][i,%0[i]] = -0.25 * g[i] "
            "%2: f32[3,4] = add(x, %1) return %2 }");
  rules
      .add(RuleClass::stable, "gradient of log_softmax at a one-hot", Kind::call, gradient_of_log_softmax,
           "body gradient(#0: f32[3,4], #1: f32[3,4], #2: f32[3,4]) { %0: f32[3,1][i,j] = max #0[i,p] %1: f32[3,1] = stop_gradient(%0) "
           "%2: f32[3,4][i,j] = %1[i,0] %3: f32[3,4] = sub(#0, %2) %4: f32[3,4] = exp(%3) %5: f32[3,1][i,0] = %4[i,p] %6: f32[3,4] = { -#2 } "
           "%7: f32[3,1][i,0] = %6[i,p] %8: f32[3,1] = map(%5, %7) { %7 / %5 } %9: f32[3,4][i,j] = %8[i,0] %10: f32[3,4] = map(%4, %9) { %9 * %4 } "
           "%11: f32[3,4] = add(#2, %10) return %11 } "
           "func f(x: f32[3,4], g: f32[3], t: i32[3]) { %0: i32[3] = check(t) {below=4, what=\"target\"} %1: f32[3,4] = call log_softmax(x) {dim=1} "
           "%2: f32[3,4][i,%0[i]] = -0.25 * g[i] %3: f32[3,4] = call log_softmax.vjp(x, %1, %2) {dim=1, wrt=[0], cotangents=[0]} using gradient return %3 }")
      .ulp(128, 1);
}

}  // namespace cotan::rewrite
