// Checks of the algebra of indexed sums: normal form and adjoint. The functions under test are arguments, so that tests of the tests can plant faults.
#pragma once

#include <functional>

#include "tests/support/close.h"
#include "tests/support/random_sum.h"

namespace cotan::testing {

using NormalForm = std::function<NormalSum(SumSpec, std::span<const std::uint64_t>)>;
using Adjoint = std::function<SumSpec(const SumSpec&, std::size_t)>;

// Distinct numbers for distinct factors, equal ones for equal factors: what a graph's structural hashes are.
[[nodiscard]] inline std::vector<std::uint64_t> factor_hashes(const DirectSum& s) {
  std::vector<std::uint64_t> hashes;
  for (const DirectTensor& f : s.factors) {
    std::uint64_t h = hash_of(std::span<const std::int64_t>(f.shape));
    for (double v : f.values) h = mix(h, hash_of(v));
    hashes.push_back(h);
  }
  return hashes;
}

// The sum that a normal form stands for.
[[nodiscard]] inline DirectSum applied(const DirectSum& s, const NormalSum& normal) {
  DirectSum r{normal.spec, s.shape, {}, {}};
  for (int k : normal.factors) r.factors.push_back(s.factors[static_cast<std::size_t>(k)]);
  for (int t : normal.tables) r.tables.push_back(s.tables[static_cast<std::size_t>(t)]);
  return r;
}

// The value stays, a second normalisation changes nothing, and no index of size one, implied guard or repeated guard is left.
[[nodiscard]] inline Failures check_normal_form(const DirectSum& s, const NormalForm& normal_form) {
  const NormalSum normal = normal_form(s.spec, factor_hashes(s));
  const DirectSum after = applied(s, normal);
  Failures failures = differences("normal form", direct_sum(after).values, direct_sum(s).values, 0);
  const NormalSum again = normal_form(normal.spec, factor_hashes(after));
  if (!(again.spec == normal.spec)) failures.emplace_back("the normal form of a normal form is another one");
  for (std::size_t k = 0; k < again.factors.size(); ++k)
    if (again.factors[k] != static_cast<int>(k)) failures.push_back(fmt::format("normal form again: factor {} moves to {}", again.factors[k], k));
  for (std::size_t t = 0; t < again.tables.size(); ++t)
    if (again.tables[t] != static_cast<int>(t)) failures.push_back(fmt::format("normal form again: table {} becomes {}", again.tables[t], t));
  for (std::int64_t size : normal.spec.domain)
    if (size == 1) failures.emplace_back("an index of size one is left");
  for (std::size_t i = 0; i < normal.spec.guards.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (normal.spec.guards[i] == normal.spec.guards[j]) failures.emplace_back("a guard is there twice");
  return failures;
}

// The same sum written otherwise: its indices renamed, its factors and tables in another order.
[[nodiscard]] inline DirectSum rewritten(const DirectSum& s, Random& random) {
  auto permutation = [&](std::size_t n) {
    std::vector<int> p(n);
    for (std::size_t i = 0; i < n; ++i) p[i] = static_cast<int>(i);
    random.shuffle(p);
    return p;
  };
  const std::vector<int> indices = permutation(s.spec.domain.size()), tables = permutation(s.tables.size()), order = permutation(s.factors.size());
  std::vector<IndexExpr> to;
  for (int i : indices) to.push_back(index_of(i));
  auto renamed = [&](Access access) {
    for (IndexExpr& e : access) e = rename_tables(substitute(e, to), tables);
    return access;
  };
  DirectSum r = s;
  for (std::size_t i = 0; i < indices.size(); ++i) r.spec.domain[static_cast<std::size_t>(indices[i])] = s.spec.domain[i];
  for (std::size_t t = 0; t < tables.size(); ++t) r.tables[static_cast<std::size_t>(tables[t])] = s.tables[t];
  r.spec.output = renamed(s.spec.output);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const auto from = static_cast<std::size_t>(order[k]);
    r.factors[k] = s.factors[from];
    r.spec.factors[k] = renamed(s.spec.factors[from]);
  }
  for (Guard& g : r.spec.guards) g.expression = rename_tables(substitute(g.expression, to), tables);
  return r;
}

// <A x, y> = <x, A' y> exactly, for every factor x.
[[nodiscard]] inline Failures check_adjoint(const DirectSum& s, const Adjoint& adjoint, Random& random) {
  Failures failures;
  const DirectTensor y(s.shape, random_integers(random, s.shape.elements()));
  const double forward = inner_product(direct_sum(s).values, y.values);
  for (std::size_t k = 0; k < s.factors.size(); ++k) {
    DirectSum a = s;
    a.spec = adjoint(s.spec, k);
    a.shape = s.factors[k].shape;
    a.factors[k] = y;
    const double backward = inner_product(direct_sum(a).values, s.factors[k].values);
    if (forward != backward) failures.push_back(fmt::format("adjoint by factor {}: <A x, y> = {}, <x, A' y> = {}", k, forward, backward));
  }
  return failures;
}

}  // namespace cotan::testing
