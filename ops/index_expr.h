// Index expressions: the integer-affine forms by which sums and reductions read and write tensors.
//
// An expression is constant + sum of coefficient * atom, where an atom is an index of the node's domain or the entry of an integer tensor (a "table") at
// index expressions: 2*i + p - 1, t[n]. There is no division, remainder, minimum or maximum; a reshape splits an index into radix indices (4*a + b).
// Tables are named by number, so that an expression holds no node.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace cotan {

struct IndexExpr;

// coefficient * index, or coefficient * table[at...].
struct IndexTerm {
  std::int64_t coefficient = 1;
  int index = -1;  // the domain index, or -1 for a table's entry
  int table = -1;
  std::vector<IndexExpr> at;
  bool operator==(const IndexTerm& other) const;
};

struct IndexExpr {
  std::int64_t constant = 0;
  std::vector<IndexTerm> terms;  // indices in order, then tables; no atom twice, no zero coefficient

  IndexExpr() = default;
  IndexExpr(std::int64_t constant) : constant(constant) {}  // NOLINT: constants are written plainly
  bool operator==(const IndexExpr& other) const { return constant == other.constant && terms == other.terms; }

  // The index that this expression is, or -1: true of `i`, not of `i + 1`.
  [[nodiscard]] int plain() const;
  // No table's entry in it.
  [[nodiscard]] bool affine() const;
  // The coefficient of an index; 0 where it does not occur outside tables' entries.
  [[nodiscard]] std::int64_t coefficient(int index) const;
  [[nodiscard]] std::uint64_t hash() const;
};

inline bool IndexTerm::operator==(const IndexTerm& o) const { return coefficient == o.coefficient && index == o.index && table == o.table && at == o.at; }

// One expression for each dimension of a tensor.
using Access = std::vector<IndexExpr>;
// The sizes of the domain's indices.
using Domain = std::vector<std::int64_t>;

// 0 <= expression < below, or the domain's point counts for nothing.
struct Guard {
  IndexExpr expression;
  std::int64_t below = 0;
  bool operator==(const Guard&) const = default;
};

[[nodiscard]] IndexExpr index_of(int i);                                 // the domain's index i
[[nodiscard]] IndexExpr entry_of(int table, std::vector<IndexExpr> at);  // table[at...]
[[nodiscard]] IndexExpr operator+(const IndexExpr& a, const IndexExpr& b);
[[nodiscard]] IndexExpr operator-(const IndexExpr& a, const IndexExpr& b);
[[nodiscard]] IndexExpr operator*(std::int64_t k, const IndexExpr& e);
[[nodiscard]] inline IndexExpr operator-(const IndexExpr& e) { return -1 * e; }

[[nodiscard]] std::uint64_t hash_of(const Access& access);
[[nodiscard]] std::uint64_t hash_of(std::span<const std::int64_t> sizes);

// e with index i replaced by to[i], inside tables' entries too.
[[nodiscard]] IndexExpr substitute(const IndexExpr& e, std::span<const IndexExpr> to);
// e with table t renamed to[t].
[[nodiscard]] IndexExpr rename_tables(const IndexExpr& e, std::span<const int> to);

// Calls f(i) for every index that occurs, inside tables' entries too, in order of appearance.
void for_each_index(const IndexExpr& e, const std::function<void(int)>& f);
void for_each_table(const IndexExpr& e, const std::function<void(int)>& f);
// True where index i occurs, inside tables' entries too.
[[nodiscard]] bool uses_index(const IndexExpr& e, int i);

// The exact interval [first, second] of an affine expression over the domain's box (no empty index); nothing where it reads a table.
[[nodiscard]] std::optional<std::pair<std::int64_t, std::int64_t>> range_of(const IndexExpr& e, std::span<const std::int64_t> domain);
// 0 <= e < size for every point of the domain. False where it reads a table.
[[nodiscard]] bool in_range(const IndexExpr& e, std::int64_t size, std::span<const std::int64_t> domain);

// True where different points of the domain give different values of the access, decided by mixed radix: every expression determines its indices one after
// the other. Conservative: false where it cannot tell. Indices that `ignored` marks need not be determined.
[[nodiscard]] bool is_injective(const Access& access, std::span<const std::int64_t> domain, const std::vector<bool>& ignored = {});

// e's value at a point of the domain. `entry(table, position)` reads an integer tensor.
[[nodiscard]] std::int64_t value_at(const IndexExpr& e, std::span<const std::int64_t> point,
                                    const std::function<std::int64_t(int, std::span<const std::int64_t>)>& entry);

}  // namespace cotan
