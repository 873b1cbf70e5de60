#include "autograd/extremes.h"

#include "graph/builder.h"

namespace cotan::rules {

using namespace formula_language;

namespace {

// The same reduction with a result of the dimensions that have more than one entry only, if its result has as many dimensions as a tensor can have: positions
// have one more. `kept`: the indices of those dimensions.
ReduceSpec with_room(const ReduceSpec& r, std::vector<int>& kept) {
  const bool full = static_cast<std::size_t>(r.outputs) == Shape::max_rank;
  ReduceSpec roomy{r.reduction, {}, 0, {}};
  std::vector<IndexExpr> to;
  for (int i = 0; i < static_cast<int>(r.domain.size()); ++i) {
    const std::int64_t size = r.domain[static_cast<std::size_t>(i)];
    if (full && i < r.outputs && size == 1) {
      to.emplace_back(0);
      continue;
    }
    to.push_back(index_of(static_cast<int>(roomy.domain.size())));
    roomy.domain.push_back(size);
    if (i < r.outputs) kept.push_back(i);
  }
  roomy.outputs = static_cast<int>(kept.size());
  for (const IndexExpr& e : r.access) roomy.access.push_back(substitute(e, to));
  return roomy;
}

}  // namespace

FirstExtreme first_extreme_of(const Ref& node) {
  const auto& r = node->as<ReduceSpec>();
  std::vector<int> kept;
  ReduceSpec at = with_room(r, kept);
  at.reduction = seeks_largest(r.reduction) ? Reduction::argmax : Reduction::argmin;
  FirstExtreme e{{}, graph::reduce(at, node->operand(0))};
  std::vector<IndexExpr> to, place;  // of the domain's indices, and where the positions of an entry stand
  for (int i : kept) place.push_back(index_of(i));
  for (int i = 0; i < r.outputs; ++i) to.push_back(index_of(i));
  for (std::size_t i = to.size(); i < r.domain.size(); ++i) {
    std::vector<IndexExpr> entry = place;
    entry.emplace_back(static_cast<std::int64_t>(i) - r.outputs);
    to.push_back(entry_of(0, std::move(entry)));
  }
  e.gather.domain.assign(r.domain.begin(), r.domain.begin() + r.outputs);
  e.gather.output.assign(to.begin(), to.begin() + r.outputs);
  Access access;
  for (const IndexExpr& x : r.access) access.push_back(substitute(x, to));
  e.gather.factors = {std::move(access)};
  return e;
}

Ties::Ties(const Ref& node) {
  const auto& r = node->as<ReduceSpec>();
  const Ref x = node->operand(0);
  domain_ = r.domain;
  operand_ = r.access;
  operand_shape_ = x.shape();
  result_shape_ = node->shape;
  for (int i = 0; i < r.outputs; ++i) result_.push_back(index_of(i));
  for (std::size_t i = 0; i < r.domain.size(); ++i) {
    if (r.domain[i] == 1) continue;
    points_.push_back(index_of(static_cast<int>(i)));
    points_shape_.push_back(r.domain[i]);
  }
  const Ref entry = moved(x, operand_, points_, points_shape_), extreme = moved(node, result_, points_, points_shape_);
  holds_ = graph::formula({entry, extreme}, [](std::span<const Ex> in) { return eq(in[0], in[1]) || !eq(in[0], in[0]); });
  bool inside = true;
  for (std::size_t d = 0; d < operand_.size(); ++d) inside = inside && in_range(operand_[d], operand_shape_[d], domain_);
  if (!inside) {  // the entries read as 0 there may equal the extreme
    const Ref exists = moved(graph::fill(1, x.dtype(), x.shape()), operand_, points_, points_shape_);
    holds_ = graph::formula({holds_, exists}, [](std::span<const Ex> in) { return in[0] && eq(in[1], 1); });
  }
  const Ref held = moved(graph::cast(holds_, node->dtype), points_, result_, result_shape_);
  count_ = graph::formula({held}, [](std::span<const Ex> in) { return max(in[0], 1); });
}

Ref Ties::moved(const Ref& from, const Access& read, const Access& written, const Shape& to) const {
  const Ref factors[] = {from};
  return graph::sum({1, domain_, written, {read}, {}}, to, factors);
}

Ref Ties::where_held(const Ref& values) const {
  return graph::formula({holds_, values}, [](std::span<const Ex> in) { return where(in[0], in[1], typed(Ex(0), dtype_of(in[1]))); });
}

Ref Ties::shared_out(const Ref& result) const {
  return moved(where_held(moved(graph::div(result, count_), result_, points_, points_shape_)), points_, operand_, operand_shape_);
}

Ref Ties::mean_of(const Ref& operand) const {
  return graph::div(moved(where_held(moved(operand, operand_, points_, points_shape_)), points_, result_, result_shape_), count_);
}

}  // namespace cotan::rules
