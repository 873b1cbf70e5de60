#include "ops/sum_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "ops/hash.h"
#include "ops/sum_expressions.h"

namespace cotan {
namespace {

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

// `numbers` says which given factor stands at each place, and is permuted alike.
void order_factors(SumSpec& s, std::span<const std::uint64_t> hashes, std::vector<int>& numbers, bool by_access) {
  std::vector<std::size_t> order(s.factors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto key = [&](std::size_t i) { return std::pair(hashes[static_cast<std::size_t>(numbers[i])], by_access ? hash_of(s.factors[i]) : 0); };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::vector<Access> factors;
  std::vector<int> moved;
  for (std::size_t i : order) {
    factors.push_back(std::move(s.factors[i]));
    moved.push_back(numbers[i]);
  }
  s.factors = std::move(factors);
  numbers = std::move(moved);
}

// Tables by first appearance, each once. `numbers` says which given table each one is; empty: not numbered before.
void number_tables(SumSpec& s, std::vector<int>& numbers) {
  std::vector<int> at, given;
  for_each_expression(s, [&](const IndexExpr& e) {
    for_each_table(e, [&](int t) {
      const auto i = static_cast<std::size_t>(t);
      if (i >= at.size()) at.resize(i + 1, -1);
      if (at[i] >= 0) return;
      at[i] = static_cast<int>(given.size());
      given.push_back(numbers.empty() ? t : numbers[i]);
    });
  });
  for_each_expression(s, [&](IndexExpr& e) { e = rename_tables(e, at); });
  numbers = std::move(given);
}

}  // namespace

std::uint64_t SumSpec::hash() const {
  std::uint64_t h = mix(hash_of(std::span<const std::int64_t>(domain)), hash_of(coefficient));
  h = mix(h, hash_of(output));
  for (const Access& a : factors) h = mix(h, hash_of(a));
  for (const Guard& g : guards) h = mix(mix(h, g.expression.hash()), static_cast<std::uint64_t>(g.below));
  return h;
}

namespace {
constexpr std::string_view reduction_names[] = {"max", "min", "argmax", "argmin", "amax", "amin"};
}

std::string_view name_of(Reduction reduction) { return reduction_names[static_cast<std::size_t>(reduction)]; }

std::optional<Reduction> reduction_named(std::string_view name) {
  const auto found = std::find(std::begin(reduction_names), std::end(reduction_names), name);
  if (found == std::end(reduction_names)) return std::nullopt;
  return static_cast<Reduction>(found - std::begin(reduction_names));
}

std::uint64_t ReduceSpec::hash() const {
  return mix(mix(hash_of(std::span<const std::int64_t>(domain)), hash_of(access)),
             static_cast<std::uint64_t>(outputs) * 8 + static_cast<std::uint64_t>(reduction));
}

std::uint64_t ScanSpec::hash() const { return mix(static_cast<std::uint64_t>(axis), reverse ? 1 : 0); }

std::uint64_t OrderSpec::hash() const { return mix(static_cast<std::uint64_t>(axis), descending ? 3 : 2); }

std::uint64_t CheckSpec::hash() const { return mix(mix(hash_of(what), hash_of(remedy)), static_cast<std::uint64_t>(below)); }

std::pair<std::string, std::string> CheckSpec::error_of(std::int64_t value, std::int64_t position) const {
  if (!remedy.empty()) return {what, remedy};
  return {fmt::format("{} {} at position {} is outside 0..{}", what, value, position, below - 1),
          "Indices count from 0 and stay below the size that they index"};
}

NormalSum normal_form(SumSpec s, std::span<const std::uint64_t> factor_hashes) {
  const double coefficient = std::exchange(s.coefficient, 1.0);  // it decides nothing, not even between the members of a circle
  drop_unit_indices(s);
  drop_implied_guards(s);
  NormalSum result;
  result.factors.resize(s.factors.size());
  std::iota(result.factors.begin(), result.factors.end(), 0);
  // Equal factors are told apart by their accesses, which depend on the numbering of the indices, which depends on the order: repeat until it settles. Where
  // it goes round in a circle instead, the least of the circle is taken, so that the normal form of a normal form is itself.
  std::vector<NormalSum> seen;
  for (int round = 0; round < 16; ++round) {
    order_factors(s, factor_hashes, result.factors, round > 0);
    number_tables(s, result.tables);
    number_indices(s);
    const auto circle = std::find_if(seen.begin(), seen.end(), [&](const NormalSum& n) { return n.spec == s; });
    if (circle != seen.end()) {
      result = std::move(*std::min_element(circle, seen.end(), [](const NormalSum& a, const NormalSum& b) { return a.spec.hash() < b.spec.hash(); }));
      result.spec.coefficient = coefficient;
      return result;
    }
    seen.push_back({s, result.factors, result.tables});
  }
  result.spec = std::move(s);
  result.spec.coefficient = coefficient;
  return result;
}

bool moves_entries(const SumSpec& spec) { return spec.coefficient == 1 && spec.factors.size() == 1 && is_injective(spec.output, spec.domain); }

SumSpec adjoint(const SumSpec& spec, std::size_t k) {
  SumSpec r = spec;
  std::swap(r.output, r.factors[k]);
  return r;
}

}  // namespace cotan
