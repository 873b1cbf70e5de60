// What sum, reduce, scan and order nodes compute, without saying on which tensors.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/index_expr.h"
#include "ops/shape.h"

namespace cotan {

// out[output(d)] = coefficient * sum over the points d of the domain, where every guard holds, of the product over k of factor_k[factors[k](d)].
// A point at which an affine access is out of range counts for nothing; a table's entry is in range, a check node sees to that.
struct SumSpec {
  double coefficient = 1;
  Domain domain;
  Access output;
  std::vector<Access> factors;
  std::vector<Guard> guards;

  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const SumSpec&) const = default;
};
using SumSpecRef = std::shared_ptr<const SumSpec>;

// amax and amin have the values of max and min; they differ in the gradient, which all the extreme points share instead of the first one taking it.
enum class Reduction : std::uint8_t { max, min, argmax, argmin, amax, amin };

// The word for it: "max", "argmin".
[[nodiscard]] std::string_view name_of(Reduction reduction);
// The reduction of that name, if it is one.
[[nodiscard]] std::optional<Reduction> reduction_named(std::string_view name);
// Whether it looks for the largest entry rather than the smallest.
[[nodiscard]] constexpr bool seeks_largest(Reduction r) { return r == Reduction::max || r == Reduction::argmax || r == Reduction::amax; }
// Whether all points that hold the extreme share its gradient.
[[nodiscard]] constexpr bool shares_ties(Reduction r) { return r == Reduction::amax || r == Reduction::amin; }
// Whether it gives where the extreme stands rather than the extreme.
[[nodiscard]] constexpr bool gives_positions(Reduction r) { return r == Reduction::argmax || r == Reduction::argmin; }

// max, min, amax, amin: out[d0..] = the extreme over the other indices of x[access(d)]; points out of range are skipped; no point: -inf (max), +inf (min), for
// integers and bool the type's extreme. NaN wins. argmax, argmin: the coordinates of the first such point in the reduced indices, along one more axis at the
// end (i32); no point: zeros. The first `outputs` indices of the domain are the output's dimensions; one of size 1 that the access does not name keeps a
// dimension that was reduced. Of bools, false < true: max says whether any is true, min whether all are.
struct ReduceSpec {
  Reduction reduction = Reduction::max;
  Domain domain;
  int outputs = 0;
  Access access;

  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const ReduceSpec&) const = default;
};
using ReduceSpecRef = std::shared_ptr<const ReduceSpec>;

// s[i] = a[i] * s[i-1] + b[i] along an axis, s before the first entry being 0; reversed: s[i] = a[i] * s[i+1] + b[i].
struct ScanSpec {
  int axis = 0;
  bool reverse = false;
  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const ScanSpec&) const = default;
};

// The positions (i32) along the axis in ascending (or descending) order of their values; equal values keep their order; NaN counts as larger than any number.
struct OrderSpec {
  int axis = 0;
  bool descending = false;
  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const OrderSpec&) const = default;
};

// Every entry of an integer tensor lies in 0 <= entry < below.
struct CheckSpec {
  std::int64_t below = 0;
  std::string what;         // "target", "index": what the user calls the tensor; where there is a remedy, what is wrong when the check fails
  std::string remedy = {};  // none: the entries index something
  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const CheckSpec&) const = default;

  // What the user is told where the entry at a position, counted in row-major order, has this value: the problem, and the remedy.
  [[nodiscard]] std::pair<std::string, std::string> error_of(std::int64_t value, std::int64_t position) const;
};

// The normal form of a sum, so that equal sums are bitwise equal: indices of size one are the constant 0; guards that the box implies and duplicates go;
// factors are ordered by structure (`factor_hashes`: never addresses, never creation order; ties keep the given order); indices are numbered by first
// appearance in the output, the factors and the guards; tables by first appearance, each once.
struct NormalSum {
  SumSpec spec;
  std::vector<int> factors;  // the given number of each factor
  std::vector<int> tables;   // the given number of each table
};
[[nodiscard]] NormalSum normal_form(SumSpec spec, std::span<const std::uint64_t> factor_hashes);

// Whether the sum only moves the entries of its one factor: no entry of the output is reached twice, and nothing is scaled.
[[nodiscard]] bool moves_entries(const SumSpec& spec);

// The same sum with the access of factor k and the access of the output swapped: the adjoint by factor k. The cotangent takes factor k's place.
[[nodiscard]] SumSpec adjoint(const SumSpec& spec, std::size_t k);

}  // namespace cotan
