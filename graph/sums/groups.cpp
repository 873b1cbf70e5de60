#include "graph/sums/groups.h"

#include <algorithm>
#include <limits>

#include "graph/builder.h"
#include "graph/recognise_tensor.h"
#include "ops/sum_expressions.h"

namespace cotan::sums {
namespace {

using Indices = std::vector<bool>;

// Every pair of factors is looked at for each pair that becomes one, so sums of more factors stay one loop.
constexpr std::size_t most_regrouped = 32;

bool any_of(const Indices& some) { return std::find(some.begin(), some.end(), true) != some.end(); }

Indices joined(Indices a, const Indices& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = a[i] || b[i];
  return a;
}

double count_points(const Indices& some, const Domain& domain) {
  double n = 1;
  for (std::size_t i = 0; i < some.size(); ++i)
    if (some[i]) n *= static_cast<double>(domain[i]);
  return n;
}

// Which indices each tensor of a sum uses: the factors, and the output with the guards.
struct IndexSets {
  std::vector<Indices> factors;
  Indices output, guards;
  explicit IndexSets(const SumSpec& s) : output(indices_of(s.output, s.domain.size())), guards(s.domain.size(), false) {
    for (const Access& a : s.factors) factors.push_back(indices_of(a, s.domain.size()));
    for (const Guard& g : s.guards) guards = joined(guards, indices_of({g.expression}, s.domain.size()));
  }
};

// Some factors become one: their product, summed over the indices that nobody else needs.
std::optional<OpenSum> with_part(const OpenSum& sum, const std::vector<std::size_t>& which, const IndexSets& sets) {
  const std::size_t count = sum.spec.domain.size();
  Indices inside(count, false), outside = joined(sets.output, sets.guards);
  for (std::size_t k = 0; k < sum.factors.size(); ++k) {
    const bool in = std::find(which.begin(), which.end(), k) != which.end();
    Indices& to = in ? inside : outside;
    to = joined(to, sets.factors[k]);
  }
  OpenSum part{{}, {}, sum.tables, {sum.type.dtype, {}}};
  Access read;
  std::vector<IndexExpr> to;
  for (std::size_t i = 0; i < count; ++i) {
    to.push_back(inside[i] ? index_of(static_cast<int>(part.spec.domain.size())) : IndexExpr(0));
    if (!inside[i]) continue;
    part.spec.domain.push_back(sum.spec.domain[i]);
    if (!outside[i]) continue;
    if (read.size() == Shape::max_rank) return std::nullopt;
    read.push_back(index_of(static_cast<int>(i)));
    part.spec.output.push_back(to.back());
    part.type.shape.push_back(sum.spec.domain[i]);
  }
  for (std::size_t k : which) {
    Access access;
    for (const IndexExpr& e : sum.spec.factors[k]) access.push_back(substitute(e, to));
    part.spec.factors.push_back(std::move(access));
    part.factors.push_back(sum.factors[k]);
  }
  OpenSum rest = sum;
  for (auto k = which.rbegin(); k != which.rend(); ++k) {
    rest.factors.erase(rest.factors.begin() + static_cast<std::ptrdiff_t>(*k));
    rest.spec.factors.erase(rest.spec.factors.begin() + static_cast<std::ptrdiff_t>(*k));
  }
  const auto made = regrouped(part);
  rest.factors.push_back(made ? *made : closed(std::move(part)));
  rest.spec.factors.push_back(std::move(read));
  // Indices that only the part had are gone from the domain.
  std::vector<IndexExpr> renamed;
  Domain left;
  for (std::size_t i = 0; i < count; ++i) {
    const bool stays = outside[i] || !inside[i];
    renamed.push_back(stays ? index_of(static_cast<int>(left.size())) : IndexExpr(0));
    if (stays) left.push_back(sum.spec.domain[i]);
  }
  substitute_all(rest.spec, renamed, std::move(left));
  return rest;
}

Ref finished(OpenSum sum) {
  if (auto made = regrouped(sum)) return *made;
  return closed(std::move(sum));
}

// Nothing is summed, and the output is in order: a map over views of the factors.
std::optional<Ref> as_map(const OpenSum& sum) {
  const SumSpec& s = sum.spec;
  if (sum.factors.size() < 2 || !s.guards.empty() || !is_computed(sum.type.dtype) || sum.type.dtype == DType::boolean || !fills_output(sum))
    return std::nullopt;
  if (s.coefficient != 1 && !is_floating(sum.type.dtype)) return std::nullopt;
  for (std::size_t d = 0; d < s.output.size(); ++d)
    if (s.output[d].plain() < 0 && sum.type.shape[d] != 1) return std::nullopt;
  std::vector<Ref> views;
  for (std::size_t k = 0; k < sum.factors.size(); ++k) {
    for (std::size_t d = 0; d < s.factors[k].size(); ++d)
      if (!always_in_range(s.factors[k][d], sum.factors[k].shape()[d], sum)) return std::nullopt;
    views.push_back(closed({{1, s.domain, s.output, {s.factors[k]}, {}}, {sum.factors[k]}, sum.tables, sum.type}));
  }
  return graph::formula(views, [&](std::span<const Ex> x) {
    using namespace formula_language;
    Ex product = x[0];
    for (std::size_t k = 1; k < x.size(); ++k) product = product * x[k];
    return s.coefficient == 1 ? product : product * Ex(s.coefficient);
  });
}

// The output's dimensions that no factor and no guard has are left out and repeated afterwards.
std::optional<Ref> repeated(const OpenSum& sum, const IndexSets& sets) {
  if (sum.factors.empty()) return std::nullopt;
  Indices read = sets.guards;
  for (const Indices& f : sets.factors) read = joined(read, f);
  OpenSum once = sum;
  once.spec.output.clear();
  once.type.shape = {};
  Access from, to;
  Domain domain;
  bool summed = false;
  for (std::size_t i = 0; i < read.size(); ++i) summed = summed || (read[i] && !sets.output[i]);
  if (!summed && sum.factors.size() == 1) return std::nullopt;  // a broadcast already
  for (std::size_t d = 0; d < sum.spec.output.size(); ++d) {
    const int i = sum.spec.output[d].plain();
    const bool alone = i >= 0 && !read[static_cast<std::size_t>(i)] && sum.spec.domain[static_cast<std::size_t>(i)] == sum.type.shape[d] &&
                       std::count_if(sum.spec.output.begin(), sum.spec.output.end(), [&](const IndexExpr& e) { return uses_index(e, i); }) == 1;
    to.push_back(index_of(static_cast<int>(domain.size())));
    domain.push_back(sum.type.shape[d]);
    if (alone) {
      once.spec.domain[static_cast<std::size_t>(i)] = 1;
      continue;
    }
    from.push_back(to.back());
    once.spec.output.push_back(sum.spec.output[d]);
    once.type.shape.push_back(sum.type.shape[d]);
  }
  if (from.size() == to.size()) return std::nullopt;
  if (!tidy(once)) return std::nullopt;
  return closed({{1, std::move(domain), std::move(to), {std::move(from)}, {}}, {finished(std::move(once))}, {}, sum.type});
}

// A factor with indices of its own is summed over them first.
std::optional<Ref> summed_first(const OpenSum& sum, const IndexSets& sets) {
  if (sum.factors.size() < 2 || sum.factors.size() > most_regrouped) return std::nullopt;
  for (std::size_t k = 0; k < sum.factors.size(); ++k) {
    Indices others = joined(sets.output, sets.guards);
    for (std::size_t o = 0; o < sum.factors.size(); ++o)
      if (o != k) others = joined(others, sets.factors[o]);
    Indices own(others.size());
    for (std::size_t i = 0; i < own.size(); ++i) own[i] = sets.factors[k][i] && !others[i];
    if (!any_of(own)) continue;
    const double all = points_of(sum.spec), first = count_points(sets.factors[k], sum.spec.domain);
    if (first + all / count_points(own, sum.spec.domain) > all) continue;
    if (auto rest = with_part(sum, {k}, sets)) return finished(*std::move(rest));
  }
  return std::nullopt;
}

// The pair of factors whose product has the fewest points becomes a factor.
std::optional<Ref> as_tree(const OpenSum& sum, const IndexSets& sets) {
  if (sum.factors.size() < 3 || sum.factors.size() > most_regrouped) return std::nullopt;
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> pair;
  for (std::size_t a = 0; a < sum.factors.size(); ++a)
    for (std::size_t b = a + 1; b < sum.factors.size(); ++b) {
      const double points = count_points(joined(sets.factors[a], sets.factors[b]), sum.spec.domain);
      if (points >= best) continue;
      best = points;
      pair = {a, b};
    }
  if (best >= points_of(sum.spec)) return std::nullopt;  // nothing gets smaller: one loop over all of them
  auto rest = with_part(sum, pair, sets);
  if (!rest) return std::nullopt;
  return finished(*std::move(rest));
}

// A coefficient beside what a primitive or a view would be.
std::optional<Ref> without_scale(const OpenSum& sum) {
  if (sum.spec.coefficient == 1 || !is_floating(sum.type.dtype) || !is_computed(sum.type.dtype)) return std::nullopt;
  OpenSum plain = sum;
  plain.spec.coefficient = 1;
  if (standing_of(sum).kind == Standing::contraction) return scaled(finished(std::move(plain)), sum.spec.coefficient);
  if (sum.factors.size() != 1 || !std::holds_alternative<ViewForm>(recognise(plain.spec, shapes_of(plain)))) return std::nullopt;
  if (sum.factors[0].shape().elements() > sum.type.shape.elements()) return scaled(closed(std::move(plain)), sum.spec.coefficient);
  plain.factors[0] = scaled(plain.factors[0], sum.spec.coefficient);
  return closed(std::move(plain));
}

}  // namespace

Ref scaled(const Ref& x, double c) {
  return graph::formula({x}, [&](std::span<const Ex> in) {
    using namespace formula_language;
    return c == -1 ? -in[0] : in[0] * Ex(c);
  });
}

std::optional<Ref> regrouped(const OpenSum& sum) {
  if (!has_points(sum.spec.domain) || !is_computed(sum.type.dtype)) return std::nullopt;
  if (auto made = without_scale(sum)) return made;
  if (standing_of(sum).kind != Standing::loop) return std::nullopt;
  const IndexSets sets(sum.spec);
  if (auto made = as_map(sum)) return made;
  if (auto made = repeated(sum, sets)) return made;
  if (auto made = summed_first(sum, sets)) return made;
  return as_tree(sum, sets);
}

}  // namespace cotan::sums
