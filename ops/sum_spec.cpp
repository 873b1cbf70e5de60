#include "ops/sum_spec.h"

#include <algorithm>
#include <numeric>

#include "ops/hash.h"

namespace cotan {
namespace {

template <class Spec, class F>
void for_each_expression(Spec& spec, F&& f) {
  for (auto& e : spec.output) f(e);
  for (auto& access : spec.factors)
    for (auto& e : access) f(e);
  for (auto& guard : spec.guards) f(guard.expression);
}

void drop_unit_indices(SumSpec& s) {
  if (std::find(s.domain.begin(), s.domain.end(), 1) == s.domain.end()) return;
  std::vector<IndexExpr> to;
  Domain left;
  for (std::int64_t size : s.domain) {
    to.push_back(size == 1 ? IndexExpr(0) : index_of(static_cast<int>(left.size())));
    if (size != 1) left.push_back(size);
  }
  for_each_expression(s, [&](IndexExpr& e) { e = substitute(e, to); });
  s.domain = std::move(left);
}

void drop_implied_guards(SumSpec& s) {
  std::vector<Guard> kept;
  for (Guard& g : s.guards)
    if (!in_range(g.expression, g.below, s.domain) && std::find(kept.begin(), kept.end(), g) == kept.end()) kept.push_back(std::move(g));
  s.guards = std::move(kept);
}

void number_indices(SumSpec& s) {
  std::vector<int> at(s.domain.size(), -1);
  int next = 0;
  for_each_expression(s, [&](const IndexExpr& e) {
    for_each_index(e, [&](int i) {
      if (at[static_cast<std::size_t>(i)] < 0) at[static_cast<std::size_t>(i)] = next++;
    });
  });
  for (int& i : at)
    if (i < 0) i = next++;
  std::vector<IndexExpr> to;
  Domain domain(s.domain.size());
  for (std::size_t i = 0; i < at.size(); ++i) {
    to.push_back(index_of(at[i]));
    domain[static_cast<std::size_t>(at[i])] = s.domain[i];
  }
  for_each_expression(s, [&](IndexExpr& e) { e = substitute(e, to); });
  s.domain = std::move(domain);
}

}  // namespace

std::uint64_t SumSpec::hash() const {
  std::uint64_t h = mix(hash_of(std::span<const std::int64_t>(domain)), hash_of(coefficient));
  h = mix(h, hash_of(output));
  for (const Access& a : factors) h = mix(h, hash_of(a));
  for (const Guard& g : guards) h = mix(mix(h, g.expression.hash()), static_cast<std::uint64_t>(g.below));
  return h;
}

std::uint64_t ReduceSpec::hash() const {
  return mix(mix(hash_of(std::span<const std::int64_t>(domain)), hash_of(access)),
             static_cast<std::uint64_t>(outputs) * 8 + static_cast<std::uint64_t>(reduction));
}

std::uint64_t ScanSpec::hash() const { return mix(static_cast<std::uint64_t>(axis), reverse ? 1 : 0); }

std::uint64_t OrderSpec::hash() const { return mix(static_cast<std::uint64_t>(axis), descending ? 3 : 2); }

std::uint64_t CheckSpec::hash() const { return mix(hash_of(what), static_cast<std::uint64_t>(below)); }

NormalSum normal_form(SumSpec s, std::span<const std::uint64_t> factor_hashes) {
  drop_unit_indices(s);
  drop_implied_guards(s);
  NormalSum result;
  result.factors.resize(s.factors.size());
  std::iota(result.factors.begin(), result.factors.end(), 0);
  // Equal factors are told apart by their accesses, which depend on the numbering of the indices, which depends on the order: two rounds settle it.
  for (int round = 0; round < 2; ++round) {
    std::vector<std::size_t> order(s.factors.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    auto key = [&](std::size_t i) { return std::pair(factor_hashes[static_cast<std::size_t>(result.factors[i])], round > 0 ? hash_of(s.factors[i]) : 0); };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
    std::vector<Access> factors;
    std::vector<int> numbers;
    for (std::size_t i : order) {
      factors.push_back(std::move(s.factors[i]));
      numbers.push_back(result.factors[i]);
    }
    s.factors = std::move(factors);
    result.factors = std::move(numbers);
    number_indices(s);
  }
  std::vector<int> table_at;
  for_each_expression(s, [&](const IndexExpr& e) {
    for_each_table(e, [&](int t) {
      if (static_cast<std::size_t>(t) >= table_at.size()) table_at.resize(static_cast<std::size_t>(t) + 1, -1);
      if (table_at[static_cast<std::size_t>(t)] >= 0) return;
      table_at[static_cast<std::size_t>(t)] = static_cast<int>(result.tables.size());
      result.tables.push_back(t);
    });
  });
  for_each_expression(s, [&](IndexExpr& e) { e = rename_tables(e, table_at); });
  result.spec = std::move(s);
  return result;
}

SumSpec adjoint(const SumSpec& spec, std::size_t k) {
  SumSpec r = spec;
  std::swap(r.output, r.factors[k]);
  return r;
}

}  // namespace cotan
