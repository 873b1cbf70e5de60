#include "graph/sums/equations.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <tuple>

#include "graph/sums/open_sum.h"
#include "ops/sum_expressions.h"

namespace cotan::sums {
namespace {

// More splits than any two accesses of eight dimensions need.
constexpr int most_splits = 24;

// How far expressions may reach, entries of tables counted as 32 bits: what is computed with them then fits 64 bits.
constexpr double farthest = 0x1p60;

double reach_of(const IndexExpr& e, const Domain& domain) {
  double reach = std::abs(static_cast<double>(e.constant));
  for (const IndexTerm& t : e.terms) {
    double most = t.index >= 0 ? static_cast<double>(domain[static_cast<std::size_t>(t.index)]) : 0x1p31;
    reach += std::abs(static_cast<double>(t.coefficient)) * most;
    for (const IndexExpr& at : t.at) reach = std::max(reach, reach_of(at, domain));
  }
  return reach;
}

// The largest coefficient of an index, inside tables' entries too.
double coefficient_of(const IndexExpr& e, int index) {
  double most = 0;
  for (const IndexTerm& t : e.terms) {
    if (t.index == index) most = std::max(most, std::abs(static_cast<double>(t.coefficient)));
    for (const IndexExpr& at : t.at) most = std::max(most, coefficient_of(at, index));
  }
  return most;
}

std::vector<IndexExpr> identity(std::size_t count) {
  std::vector<IndexExpr> to;
  for (std::size_t i = 0; i < count; ++i) to.push_back(index_of(static_cast<int>(i)));
  return to;
}

class Solver {
 public:
  explicit Solver(Equations& all) : all_(all) {}

  Solved run() {
    if (!in_reach()) return Solved::no;
    for (int splits = 0; splits < most_splits && split_one(); ++splits) {
    }
    while (!all_.zero.empty()) {
      for (std::size_t q = all_.zero.size(); q-- > 0;) {
        const IndexExpr& e = all_.zero[q];
        const auto range = range_of(e, all_.spec.domain);
        if (range && (range->first > 0 || range->second < 0)) return Solved::never;
        if (e.terms.empty()) all_.zero.erase(all_.zero.begin() + static_cast<std::ptrdiff_t>(q));
      }
      if (all_.zero.empty()) break;
      if (!eliminate_one() || !in_reach()) return Solved::no;
    }
    return Solved::yes;
  }

 private:
  template <class F>
  void for_each_of_all(F&& f) {
    for_each_expression(all_.spec, f);
    std::for_each(all_.zero.begin(), all_.zero.end(), f);
  }

  bool in_reach() {
    bool all = true;
    for_each_of_all([&](const IndexExpr& e) { all &= reach_of(e, all_.spec.domain) <= farthest; });
    return all;
  }

  // Whether expressions stay within reach where this one stands in an index's place.
  bool stays_in_reach(std::size_t index, const IndexExpr& by) {
    const double reach = reach_of(by, all_.spec.domain);
    bool all = true;
    for_each_of_all([&](const IndexExpr& e) { all &= coefficient_of(e, static_cast<int>(index)) * reach <= farthest; });
    return all;
  }

  void replace(std::size_t index, IndexExpr by) {
    std::vector<IndexExpr> to = identity(all_.spec.domain.size());
    to[index] = std::move(by);
    all_.gone[index] = true;
    substitute_all(all_.spec, to, all_.spec.domain);
    for (IndexExpr& e : all_.zero) e = substitute(e, to);
  }

  // The terms of coefficients that `step` divides are 0 by themselves where the others stay below it.
  std::optional<std::pair<IndexExpr, IndexExpr>> split_at(const IndexExpr& e, std::int64_t step) const {
    IndexExpr low, high;
    for (const IndexTerm& t : e.terms) {
      IndexTerm term = t;
      const bool divides = t.coefficient % step == 0;
      if (divides) term.coefficient /= step;
      (divides ? high : low).terms.push_back(std::move(term));
    }
    if (high.terms.empty()) return std::nullopt;
    const std::int64_t rest = ((e.constant % step) + step) % step;
    for (const std::int64_t constant : {rest, rest - step}) {
      low.constant = constant;
      const auto range = range_of(low, all_.spec.domain);
      if (!range || range->first <= -step || range->second >= step) continue;
      high.constant = (e.constant - constant) / step;
      return std::pair(low, high);
    }
    return std::nullopt;
  }

  // An index of which the step of another one takes whole digits, as that many of them: e becomes ratio * tens + ones.
  bool make_digits(const IndexExpr& e) {
    if (e.terms.size() <= 2 || !e.affine()) return false;
    for (const IndexTerm& a : e.terms)
      for (const IndexTerm& other : e.terms) {
        if (other.coefficient % a.coefficient != 0) continue;
        const auto i = static_cast<std::size_t>(a.index);
        const std::int64_t ratio = std::abs(other.coefficient / a.coefficient), size = all_.spec.domain[i];
        if (ratio <= 1 || size % ratio != 0 || size <= ratio) continue;
        const int tens = static_cast<int>(all_.spec.domain.size());
        for (const std::int64_t digits : {size / ratio, ratio}) {
          all_.spec.domain.push_back(digits);
          all_.of_written.push_back(all_.of_written[i]);
          all_.gone.push_back(false);
        }
        replace(i, ratio * index_of(tens) + index_of(tens + 1));
        return true;
      }
    return false;
  }

  bool split_one() {
    for (std::size_t q = 0; q < all_.zero.size(); ++q) {
      const IndexExpr e = all_.zero[q];
      std::vector<std::int64_t> steps;
      for (const IndexTerm& t : e.terms)
        if (std::abs(t.coefficient) > 1) steps.push_back(std::abs(t.coefficient));
      std::sort(steps.rbegin(), steps.rend());
      for (const std::int64_t step : steps)
        if (auto parts = split_at(e, step)) {
          all_.zero[q] = std::move(parts->first);
          all_.zero.push_back(std::move(parts->second));
          return true;
        }
      if (make_digits(e)) return true;
    }
    return false;
  }

  bool eliminate_one() {
    const std::vector<bool> written = indices_of(all_.spec.output, all_.spec.domain.size());
    std::optional<std::tuple<int, std::size_t, std::int64_t>> best;
    std::size_t equation = 0, index = 0;
    IndexExpr solution;
    for (std::size_t q = 0; q < all_.zero.size(); ++q) {
      const IndexExpr& e = all_.zero[q];
      for (const IndexTerm& t : e.terms) {
        if (t.index < 0 || std::abs(t.coefficient) != 1) continue;
        const auto i = static_cast<std::size_t>(t.index);
        IndexExpr rest = -t.coefficient * (e - t.coefficient * index_of(t.index));
        if (uses_index(rest, t.index)) continue;
        // The written sum's own indices go first, unless they are fewer points of one that is summed over.
        const bool other_is_shorter = rest.terms.size() == 1 && rest.terms[0].index >= 0 && std::abs(rest.terms[0].coefficient) == 1 &&
                                      all_.of_written[static_cast<std::size_t>(rest.terms[0].index)] &&
                                      all_.spec.domain[static_cast<std::size_t>(rest.terms[0].index)] < all_.spec.domain[i];
        const int order = all_.of_written[i] ? 1 : !written[i] && other_is_shorter ? 0 : 2;
        const std::tuple rank(order, rest.terms.size(), all_.spec.domain[i]);
        if (best && *best <= rank) continue;
        best = rank;
        equation = q;
        index = i;
        solution = std::move(rest);
      }
    }
    if (!best || !stays_in_reach(index, solution)) return false;
    all_.zero.erase(all_.zero.begin() + static_cast<std::ptrdiff_t>(equation));
    all_.spec.guards.push_back({solution, all_.spec.domain[index]});
    replace(index, solution);
    return true;
  }

  Equations& all_;
};

}  // namespace

Solved solve(Equations& equations) { return Solver(equations).run(); }

}  // namespace cotan::sums
