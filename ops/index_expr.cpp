#include "ops/index_expr.h"

#include <algorithm>
#include <tuple>

#include "ops/hash.h"

namespace cotan {
namespace {

bool comes_before(const IndexTerm& a, const IndexTerm& b) {
  if ((a.index < 0) != (b.index < 0)) return b.index < 0;
  return std::tuple(a.index, a.table) < std::tuple(b.index, b.table);
}

bool same_atom(const IndexTerm& a, const IndexTerm& b) { return a.index == b.index && a.table == b.table && a.at == b.at; }

// The normal form of a list of terms: equal atoms merged, sorted, zeros dropped. Entries of one table keep their order of appearance.
IndexExpr normal(std::int64_t constant, std::vector<IndexTerm> terms) {
  std::stable_sort(terms.begin(), terms.end(), comes_before);
  IndexExpr r(constant);
  for (IndexTerm& t : terms) {
    auto found = std::find_if(r.terms.begin(), r.terms.end(), [&](const IndexTerm& u) { return same_atom(t, u); });
    if (found != r.terms.end())
      found->coefficient += t.coefficient;
    else
      r.terms.push_back(std::move(t));
  }
  std::erase_if(r.terms, [](const IndexTerm& t) { return t.coefficient == 0; });
  return r;
}

}  // namespace

int IndexExpr::plain() const { return constant == 0 && terms.size() == 1 && terms[0].coefficient == 1 ? terms[0].index : -1; }

bool IndexExpr::affine() const {
  return std::all_of(terms.begin(), terms.end(), [](const IndexTerm& t) { return t.index >= 0; });
}

std::int64_t IndexExpr::coefficient(int index) const {
  for (const IndexTerm& t : terms)
    if (t.index == index) return t.coefficient;
  return 0;
}

std::uint64_t IndexExpr::hash() const {
  std::uint64_t h = mix(terms.size(), static_cast<std::uint64_t>(constant));
  for (const IndexTerm& t : terms) {
    h = mix(mix(mix(h, static_cast<std::uint64_t>(t.coefficient)), static_cast<std::uint64_t>(t.index + 1)), static_cast<std::uint64_t>(t.table + 1));
    for (const IndexExpr& e : t.at) h = mix(h, e.hash());
  }
  return h;
}

IndexExpr index_of(int i) {
  IndexExpr e;
  e.terms.push_back({1, i, -1, {}});
  return e;
}

IndexExpr entry_of(int table, std::vector<IndexExpr> at) {
  IndexExpr e;
  e.terms.push_back({1, -1, table, std::move(at)});
  return e;
}

IndexExpr operator+(const IndexExpr& a, const IndexExpr& b) {
  std::vector<IndexTerm> terms = a.terms;
  terms.insert(terms.end(), b.terms.begin(), b.terms.end());
  return normal(a.constant + b.constant, std::move(terms));
}

IndexExpr operator-(const IndexExpr& a, const IndexExpr& b) { return a + -1 * b; }

IndexExpr operator*(std::int64_t k, const IndexExpr& e) {
  IndexExpr r = e;
  r.constant *= k;
  for (IndexTerm& t : r.terms) t.coefficient *= k;
  if (k == 0) r.terms.clear();
  return r;
}

std::uint64_t hash_of(const Access& access) {
  std::uint64_t h = access.size();
  for (const IndexExpr& e : access) h = mix(h, e.hash());
  return h;
}

std::uint64_t hash_of(std::span<const std::int64_t> sizes) {
  std::uint64_t h = sizes.size();
  for (std::int64_t s : sizes) h = mix(h, static_cast<std::uint64_t>(s));
  return h;
}

IndexExpr substitute(const IndexExpr& e, std::span<const IndexExpr> to) {
  IndexExpr r(e.constant);
  for (const IndexTerm& t : e.terms) {
    if (t.index >= 0) {
      r = r + t.coefficient * to[static_cast<std::size_t>(t.index)];
      continue;
    }
    std::vector<IndexExpr> at;
    for (const IndexExpr& a : t.at) at.push_back(substitute(a, to));
    r = r + t.coefficient * entry_of(t.table, std::move(at));
  }
  return r;
}

IndexExpr rename_tables(const IndexExpr& e, std::span<const int> to) {
  std::vector<IndexTerm> terms = e.terms;
  for (IndexTerm& t : terms) {
    if (t.index >= 0) continue;
    t.table = to[static_cast<std::size_t>(t.table)];
    for (IndexExpr& a : t.at) a = rename_tables(a, to);
  }
  return normal(e.constant, std::move(terms));
}

void for_each_index(const IndexExpr& e, const std::function<void(int)>& f) {
  for (const IndexTerm& t : e.terms) {
    if (t.index >= 0) f(t.index);
    for (const IndexExpr& a : t.at) for_each_index(a, f);
  }
}

void for_each_table(const IndexExpr& e, const std::function<void(int)>& f) {
  for (const IndexTerm& t : e.terms) {
    if (t.index >= 0) continue;
    f(t.table);
    for (const IndexExpr& a : t.at) for_each_table(a, f);
  }
}

bool uses_index(const IndexExpr& e, int i) {
  bool found = false;
  for_each_index(e, [&](int j) { found |= i == j; });
  return found;
}

std::optional<std::pair<std::int64_t, std::int64_t>> range_of(const IndexExpr& e, std::span<const std::int64_t> domain) {
  std::int64_t low = e.constant, high = e.constant;
  for (const IndexTerm& t : e.terms) {
    if (t.index < 0) return std::nullopt;
    const std::int64_t reach = t.coefficient * (domain[static_cast<std::size_t>(t.index)] - 1);
    low += std::min<std::int64_t>(0, reach);
    high += std::max<std::int64_t>(0, reach);
  }
  return std::pair(low, high);
}

bool in_range(const IndexExpr& e, std::int64_t size, std::span<const std::int64_t> domain) {
  const auto range = range_of(e, domain);
  return range && range->first >= 0 && range->second < size;
}

bool is_injective(const Access& access, std::span<const std::int64_t> domain, const std::vector<bool>& ignored) {
  std::vector<bool> known = ignored;
  known.resize(domain.size(), false);
  for (std::size_t i = 0; i < domain.size(); ++i)
    if (domain[i] <= 1) known[i] = true;
  for (bool progress = true; progress;) {
    progress = false;
    for (const IndexExpr& e : access) {
      if (!e.affine()) continue;
      std::vector<std::pair<std::int64_t, int>> open;  // (|coefficient|, index) not determined yet
      for (const IndexTerm& t : e.terms)
        if (!known[static_cast<std::size_t>(t.index)]) open.emplace_back(std::abs(t.coefficient), t.index);
      if (open.empty()) continue;
      std::sort(open.begin(), open.end());
      std::int64_t span = 0;
      bool radix = true;
      for (const auto& [k, i] : open) {
        radix &= k > span;
        span += k * (domain[static_cast<std::size_t>(i)] - 1);
      }
      if (!radix) continue;
      for (const auto& [k, i] : open) known[static_cast<std::size_t>(i)] = true;
      progress = true;
    }
  }
  return std::find(known.begin(), known.end(), false) == known.end();
}

std::int64_t value_at(const IndexExpr& e, std::span<const std::int64_t> point, const std::function<std::int64_t(int, std::span<const std::int64_t>)>& entry) {
  std::int64_t v = e.constant;
  for (const IndexTerm& t : e.terms) {
    if (t.index >= 0) {
      v += t.coefficient * point[static_cast<std::size_t>(t.index)];
      continue;
    }
    std::vector<std::int64_t> at;
    for (const IndexExpr& a : t.at) at.push_back(value_at(a, point, entry));
    v += t.coefficient * entry(t.table, at);
  }
  return v;
}

}  // namespace cotan
