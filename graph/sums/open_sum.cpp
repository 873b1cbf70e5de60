#include "graph/sums/open_sum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "graph/builder.h"
#include "graph/recognise_tensor.h"
#include "ops/sum_expressions.h"

namespace cotan::sums {
namespace {

// What every entry of a table is known to be below (and not negative), through views of it.
std::optional<std::int64_t> entries_below(Ref table) {
  for (int views = 0; views < 8; ++views) {
    switch (table->kind) {
      case Kind::check: return table->as<CheckSpec>().below;
      case Kind::order: return table.shape()[static_cast<std::size_t>(table->as<OrderSpec>().axis)];
      case Kind::reduce: {
        const auto& reduce = table->as<ReduceSpec>();
        if (!gives_positions(reduce.reduction)) return std::nullopt;
        return std::accumulate(reduce.domain.begin() + reduce.outputs, reduce.domain.end(), std::int64_t{1}, [](auto a, auto b) { return std::max(a, b); });
      }
      case Kind::sum:
        if (!moves_entries(table->as<SumSpec>())) return std::nullopt;
        [[fallthrough]];
      case Kind::stop_gradient: table = table->operand(0); break;
      default: return std::nullopt;
    }
  }
  return std::nullopt;
}

// Whether 0 <= known < below of the one says 0 <= wanted < below of the other: equal but for a constant, or for sign and constant.
bool implies(const Guard& known, const Guard& wanted) {
  const IndexExpr apart = known.expression - wanted.expression;
  if (apart.terms.empty() && apart.constant <= 0 && known.below - apart.constant <= wanted.below) return true;
  const IndexExpr together = known.expression + wanted.expression;
  return together.terms.empty() && together.constant - known.below + 1 >= 0 && together.constant < wanted.below;
}

// All that must hold for a point to count, but for the guards.
std::vector<Guard> access_bounds(const OpenSum& sum) {
  std::vector<Guard> bounds;
  auto add = [&](const Access& access, const Shape& shape) {
    for (std::size_t d = 0; d < access.size(); ++d) bounds.push_back({access[d], shape[d]});
  };
  add(sum.spec.output, sum.type.shape);
  for (std::size_t k = 0; k < sum.factors.size(); ++k) add(sum.spec.factors[k], sum.factors[k].shape());
  return bounds;
}

void drop_guards(OpenSum& sum) {
  if (sum.spec.guards.empty()) return;
  const std::vector<Guard> bounds = access_bounds(sum);
  std::vector<Guard> given = std::move(sum.spec.guards), kept;
  for (std::size_t i = 0; i < given.size(); ++i) {
    auto by = [&](const Guard& known) { return implies(known, given[i]); };
    const bool implied = always_in_range(given[i].expression, given[i].below, sum) || std::any_of(bounds.begin(), bounds.end(), by) ||
                         std::any_of(kept.begin(), kept.end(), by) || std::any_of(given.begin() + static_cast<std::ptrdiff_t>(i) + 1, given.end(), by);
    if (!implied) kept.push_back(given[i]);
  }
  sum.spec.guards = std::move(kept);
}

// The values of its one index for which the bound holds, if it has one index with coefficient 1 or -1 and nothing else.
struct IndexRange {
  int index = -1;
  std::int64_t first = 0, end = 0;
};
std::optional<IndexRange> range_in(const Guard& bound) {
  const IndexExpr& e = bound.expression;
  if (e.terms.size() != 1 || e.terms[0].index < 0 || std::abs(e.terms[0].coefficient) != 1) return std::nullopt;
  if (e.terms[0].coefficient == 1) return IndexRange{e.terms[0].index, -e.constant, bound.below - e.constant};
  return IndexRange{e.terms[0].index, e.constant - bound.below + 1, e.constant + 1};
}

// Ranges of summed indices cut to where every plain access and guard holds; of the output's indices, to where the guards do. False: nothing is left.
bool cut_ranges(OpenSum& sum) {
  const std::size_t count = sum.spec.domain.size();
  std::vector<std::int64_t> first(count, 0), end = sum.spec.domain;
  const std::vector<bool> written = indices_of(sum.spec.output, count);
  auto cut = [&](const Guard& bound, bool guard) {
    const auto range = range_in(bound);
    if (!range || (!guard && written[static_cast<std::size_t>(range->index)])) return;
    const auto i = static_cast<std::size_t>(range->index);
    first[i] = std::max(first[i], range->first);
    end[i] = std::min(end[i], range->end);
  };
  for (const Guard& bound : access_bounds(sum)) cut(bound, false);
  for (const Guard& guard : sum.spec.guards) cut(guard, true);
  std::vector<IndexExpr> to;
  Domain domain;
  bool same = true;
  for (std::size_t i = 0; i < count; ++i) {
    if (end[i] <= first[i]) return false;
    same &= first[i] == 0 && end[i] == sum.spec.domain[i];
    domain.push_back(end[i] - first[i]);
    to.push_back(index_of(static_cast<int>(i)) + IndexExpr(first[i]));
  }
  if (!same) substitute_all(sum.spec, to, std::move(domain));
  return true;
}

// Indices of size one become 0, those that nothing reads a factor of the coefficient.
void drop_indices(OpenSum& sum) {
  std::vector<bool> read(sum.spec.domain.size(), false);
  for_each_expression(std::as_const(sum.spec), [&](const IndexExpr& e) { for_each_index(e, [&](int i) { read[static_cast<std::size_t>(i)] = true; }); });
  std::vector<IndexExpr> to;
  Domain left;
  for (std::size_t i = 0; i < read.size(); ++i) {
    const std::int64_t size = sum.spec.domain[i];
    const bool counted = !read[i] && (is_floating(sum.type.dtype) || sum.type.dtype == DType::boolean) && is_computed(sum.type.dtype);
    if (size != 1 && !counted) {
      to.push_back(index_of(static_cast<int>(left.size())));
      left.push_back(size);
      continue;
    }
    to.emplace_back(0);
    if (counted && is_floating(sum.type.dtype)) sum.spec.coefficient *= static_cast<double>(size);
  }
  if (left.size() != read.size()) substitute_all(sum.spec, to, std::move(left));
}

// Whether index `tens` always stands beside `ones` as the next digit: in every expression its coefficient is `ratio` times the other's.
bool are_digits(const IndexExpr& e, int tens, int ones, std::int64_t ratio) {
  if (e.coefficient(tens) != ratio * e.coefficient(ones)) return false;
  for (const IndexTerm& t : e.terms)
    for (const IndexExpr& at : t.at)
      if (!are_digits(at, tens, ones, ratio)) return false;
  return true;
}

// Two indices that are the digits of one number wherever they occur become that number.
bool join_digits(OpenSum& sum) {
  const Domain& domain = sum.spec.domain;
  std::vector<std::pair<int, int>> pairs;  // they stand together in some expression
  for_each_expression(sum.spec, [&](const IndexExpr& e) {
    for (const IndexTerm& tens : e.terms)
      for (const IndexTerm& ones : e.terms)
        if (tens.index >= 0 && ones.index >= 0 && tens.index != ones.index &&
            tens.coefficient == ones.coefficient * domain[static_cast<std::size_t>(ones.index)])
          pairs.emplace_back(tens.index, ones.index);
  });
  for (const auto& [tens, ones] : pairs) {
    const std::int64_t ratio = domain[static_cast<std::size_t>(ones)];
    bool always = true;
    for_each_expression(std::as_const(sum.spec), [&](const IndexExpr& e) { always = always && are_digits(e, tens, ones, ratio); });
    if (!always) continue;
    // The number takes the place of its ones; the tens become an index of size one, which is dropped later.
    std::vector<IndexExpr> to;
    for (std::size_t i = 0; i < domain.size(); ++i) to.push_back(index_of(static_cast<int>(i)));
    to[static_cast<std::size_t>(tens)] = IndexExpr(0);
    Domain joined = domain;
    joined[static_cast<std::size_t>(ones)] *= joined[static_cast<std::size_t>(tens)];
    joined[static_cast<std::size_t>(tens)] = 1;
    substitute_all(sum.spec, to, std::move(joined));
    return true;
  }
  return false;
}

bool is_identity(const OpenSum& sum) {
  const SumSpec& s = sum.spec;
  return s.factors.size() == 1 && s.coefficient == 1 && s.guards.empty() && s.factors[0] == s.output && sum.factors[0].shape() == sum.type.shape &&
         fills_output(sum);
}

}  // namespace

OpenSum opened(const Node& sum, std::span<const Ref> operands) {
  const auto& spec = sum.as<SumSpec>();
  const std::span<const Ref> factors = operands.first(spec.factors.size()), tables = operands.subspan(spec.factors.size());
  return {spec, {factors.begin(), factors.end()}, {tables.begin(), tables.end()}, {sum.dtype, sum.shape}};
}

OpenSum opened(const Node& sum) {
  std::vector<Ref> operands;
  for (const Edge& e : sum.operands()) operands.emplace_back(e);
  return opened(sum, operands);
}

Ref closed(OpenSum sum) {
  if (!tidy(sum)) return graph::fill(0, sum.type.dtype, sum.type.shape);
  if (is_identity(sum)) return sum.factors[0];
  if (sum.factors.empty() && sum.spec.guards.empty() && fills_output(sum)) return graph::fill(sum.spec.coefficient, sum.type.dtype, sum.type.shape);
  return graph::sum(std::move(sum.spec), sum.type.shape, sum.factors, sum.tables, sum.type.dtype);
}

TensorShapes shapes_of(const OpenSum& sum) {
  TensorShapes shapes{sum.type.shape};
  for (const Ref& factor : sum.factors) shapes.push_back(factor.shape());
  return shapes;
}

double points_of(const SumSpec& spec) {
  return std::accumulate(spec.domain.begin(), spec.domain.end(), 1.0, [](double n, std::int64_t size) { return n * static_cast<double>(size); });
}

void substitute_all(SumSpec& spec, std::span<const IndexExpr> to, Domain domain) {
  for_each_expression(spec, [&](IndexExpr& e) { e = substitute(e, to); });
  spec.domain = std::move(domain);
}

std::vector<bool> indices_of(const Access& access, std::size_t count) {
  std::vector<bool> found(count, false);
  for (const IndexExpr& e : access) for_each_index(e, [&](int i) { found[static_cast<std::size_t>(i)] = true; });
  return found;
}

bool always_in_range(const IndexExpr& e, std::int64_t size, const OpenSum& sum) {
  IndexExpr affine(e.constant);
  __int128 low = 0, high = 0;
  for (const IndexTerm& t : e.terms) {
    if (t.index >= 0) {
      affine.terms.push_back(t);
      continue;
    }
    const Ref& table = sum.tables[static_cast<std::size_t>(t.table)];
    const auto below = entries_below(table);
    if (!below) return false;
    for (std::size_t d = 0; d < t.at.size(); ++d)  // an entry that there is not counts for nothing, whatever the others are
      if (!always_in_range(t.at[d], table.shape()[d], sum)) return false;
    const __int128 reach = __int128{t.coefficient} * std::max<std::int64_t>(*below - 1, 0);
    (reach < 0 ? low : high) += reach;
  }
  const auto range = range_of(affine, sum.spec.domain);
  return range && range->first + low >= 0 && range->second + high < size;
}

bool fills_output(const OpenSum& sum) {
  const SumSpec& s = sum.spec;
  for (std::size_t d = 0; d < s.output.size(); ++d)
    if (!in_range(s.output[d], sum.type.shape[d], s.domain)) return false;
  return is_injective(s.output, s.domain) && points_of(s) == static_cast<double>(sum.type.shape.elements());
}

bool reaches_every_entry(const OpenSum& sum) {
  const SumSpec& s = sum.spec;
  if (!s.guards.empty() || !has_points(s.domain)) return false;
  for (std::size_t k = 0; k < s.factors.size(); ++k)
    for (std::size_t d = 0; d < s.factors[k].size(); ++d)
      if (!always_in_range(s.factors[k][d], sum.factors[k].shape()[d], sum)) return false;
  std::vector<bool> seen(s.domain.size(), false);
  for (std::size_t d = 0; d < s.output.size(); ++d) {
    const std::int64_t size = sum.type.shape[d];
    if (size == 1 && s.output[d] == IndexExpr(0)) continue;
    const int i = s.output[d].plain();
    if (i < 0 || s.domain[static_cast<std::size_t>(i)] != size || seen[static_cast<std::size_t>(i)]) return fills_output(sum);
    seen[static_cast<std::size_t>(i)] = true;
  }
  return true;
}

bool scales_terms_as_sum(const OpenSum& sum, double c) {
  return c > 0 || !is_floating(sum.type.dtype) || sum.factors.empty() || is_injective(sum.spec.output, sum.spec.domain);
}

bool may_multiply(double a, double b, DType dtype) {
  if (a == 1 || b == 1) return true;
  const double product = a * b;
  if (!is_floating(dtype) || !is_computed(dtype)) return product == -1 || product == 1;
  const bool single = dtype == DType::f32;
  const double least = single ? std::numeric_limits<float>::min() : std::numeric_limits<double>::min();
  const double most = single ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  return std::abs(product) >= least && std::abs(product) <= most;
}

bool tidy(OpenSum& sum) {
  if (!has_points(sum.spec.domain)) return false;
  drop_guards(sum);
  if (!cut_ranges(sum)) return false;
  drop_guards(sum);
  while (join_digits(sum)) {
  }
  drop_indices(sum);
  return true;
}

Standing standing_of(const OpenSum& sum) {
  const TensorShapes shapes = shapes_of(sum);
  if (sum.factors.size() == 2 && sum.tables.empty()) {
    const std::array<Shape, 3> strides{dense_strides(shapes[0]), dense_strides(shapes[1]), dense_strides(shapes[2])};
    const std::vector<ConvolutionForm> convolutions = as_convolution(sum.spec, shapes);
    const auto matmul = as_matmul(sum.spec, shapes);
    if (!convolutions.empty() && convolution_first(convolutions[0], matmul, sum.spec, strides)) return {Standing::contraction};
    if (!matmul || (matmul->m.empty() && matmul->n.empty())) return {};
    const auto at = arrange(*matmul, sum.spec, strides);
    if (!at) return {};
    return {Standing::contraction, points_of(sum.spec) / (static_cast<double>(at->m.size * at->n.size) * static_cast<double>(at->k.size))};
  }
  if (sum.factors.size() != 1) return {};
  if (sum.tables.empty()) return {as_pooling(sum.spec, shapes) ? Standing::pooling : Standing::loop};
  if (sum.tables.size() != 1 || sum.tables[0]->kind != Kind::reduce) return {};
  const Ref node = graph::sum(sum.spec, sum.type.shape, sum.factors, sum.tables, sum.type.dtype);
  return {as_max_gradient(*node.node()) ? Standing::pooling : Standing::loop};
}

}  // namespace cotan::sums
