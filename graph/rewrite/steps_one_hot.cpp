// The step on one-hot tensors: what the gradient of a pick scatters, one entry along an axis for each of the others.
//
// The gradient of cross entropy is (softmax - onehot) * scale. It is generated as a scatter of the scale and the gradient of log_softmax, a call, into which
// the algebra of sums does not look: the step sees that the scatter's rows add up to the scale. The scatter itself becomes a comparison in the pass `masks`.
#include <algorithm>

#include "graph/builder.h"
#include "graph/rewrite/replacement.h"
#include "graph/rewrite/rule.h"

namespace cotan::rewrite {
namespace {

// The axis along which out[.., table[..], ..] = coefficient * factor[..] has one entry, the table proven in range by a check: the indices of the other
// dimensions, in order, are the table's.
std::optional<std::size_t> axis_of_one_hot(const Node& n) {
  if (n.kind != Kind::sum) return std::nullopt;
  const auto& s = n.as<SumSpec>();
  if (!is_floating(n.dtype) || s.factors.size() != 1 || n.operand_count != 2 || !s.guards.empty()) return std::nullopt;
  std::optional<std::size_t> axis;
  Access others;
  Shape shape;
  for (std::size_t d = 0; d < s.output.size(); ++d) {
    const IndexExpr& e = s.output[d];
    if (e.affine()) {
      others.push_back(e);
      shape.push_back(n.shape[d]);
      continue;
    }
    if (axis || e.constant != 0 || e.terms.size() != 1 || e.terms[0].coefficient != 1) return std::nullopt;
    axis = d;
  }
  const Ref table = n.operand(1);
  if (!axis || table->kind != Kind::check || table->as<CheckSpec>().below > n.shape[*axis]) return std::nullopt;
  const auto plain = plain_indices(others, shape, s.domain);
  if (!plain || !(table.shape() == shape) || s.output[*axis].terms[0].at != others) return std::nullopt;
  if (!plain_indices(s.factors[0], n.operand(0).shape(), s.domain)) return std::nullopt;
  for (std::size_t i = 0; i < s.domain.size(); ++i)
    if (std::find(plain->begin(), plain->end(), static_cast<int>(i)) == plain->end()) return std::nullopt;
  return axis;
}

// The one entry that is not 0, for each of the other dimensions.
Ref entries_of(const Node& one_hot, std::size_t axis) {
  SumSpec spec = one_hot.as<SumSpec>();
  Shape shape = one_hot.shape;
  spec.output.erase(spec.output.begin() + static_cast<std::ptrdiff_t>(axis));
  shape.erase(axis);
  const Ref factors[] = {one_hot.operand(0)};
  return graph::sum(std::move(spec), shape, factors);
}

// The gradient of log_softmax by the cotangent d is d - softmax(x) * sum(d), and the sum of a one-hot d is known.
Ref gradient_of_log_softmax(const Ref& n) {
  using namespace formula_language;
  const auto& call = n->as<CallSpec>();
  if (call.name != "log_softmax.vjp" || n->operand_count != 3 || n->result_count() != 1) return {};
  const Ref y = n->operand(1), d = n->operand(2);
  if (y->kind != Kind::call || y->as<CallSpec>().name != "log_softmax" || y->operands()[0] != n->operands()[0]) return {};
  const auto axis = axis_of_one_hot(*d.node());
  const auto dim = call.attributes.get<std::int64_t>("dim");
  if (!axis || (dim < 0 ? dim + static_cast<std::int64_t>(n.shape().rank()) : dim) != static_cast<std::int64_t>(*axis)) return {};
  const Ref entries = spread_along(entries_of(*d.node(), *axis), static_cast<int>(*axis), n.shape());
  return graph::formula({d, y, entries}, [](std::span<const Ex> x) { return x[0] - formula_language::exp(x[1]) * x[2]; });
}

}  // namespace

void add_one_hot_steps(RuleSet& rules) {
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
