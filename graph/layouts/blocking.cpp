#include "graph/layouts/blocking.h"

#include <algorithm>

#include "graph/builder.h"

namespace cotan {
namespace {

// How many digits of each dimension there are.
std::vector<int> digits_of_dimensions(const Blocking& blocking) {
  std::vector<int> digits;
  for (const Digit& d : blocking) {
    const auto at = static_cast<std::size_t>(d.dimension);
    if (at >= digits.size()) digits.resize(at + 1, 0);
    ++digits[at];
  }
  return digits;
}

// The permutation between a plain tensor and its blocks: one index for each digit.
SumSpec permutation(const Blocking& blocking, std::size_t rank, bool into) {
  SumSpec spec;
  Access plain(rank), blocked;
  for (std::size_t i = 0; i < blocking.size(); ++i) {
    const IndexExpr index = index_of(static_cast<int>(i));
    spec.domain.push_back(blocking[i].size);
    blocked.push_back(index);
    IndexExpr& e = plain[static_cast<std::size_t>(blocking[i].dimension)];
    e = e + blocking[i].weight * index;
  }
  spec.output = into ? blocked : plain;
  spec.factors = {into ? plain : blocked};
  return spec;
}

// A sum whose indices are split as the blockings of its tensors say.
class Splitting {
 public:
  Splitting(const SumSpec& spec, std::span<const Shape> shapes, std::span<const Blocking> blockings) : spec_(spec), shapes_(shapes), blockings_(blockings) {
    parts_.resize(spec.domain.size());
    for (const Blocking& b : blockings) digits_.push_back(digits_of_dimensions(b));
  }

  // Which parts each index is split into; false where the sum does not allow it.
  bool read() {
    if (!read_access(0, spec_.output)) return false;
    for (std::size_t k = 0; k < spec_.factors.size(); ++k)
      if (!read_access(k + 1, spec_.factors[k])) return false;
    for (const Guard& g : spec_.guards)
      if (!read_tables(g.expression)) return false;
    return true;
  }

  SumSpec made() {
    SumSpec made = spec_;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      IndexExpr whole = parts_[i].empty() ? index_of(static_cast<int>(i)) : IndexExpr(0);
      for (std::size_t p = 0; p < parts_[i].size(); ++p) {
        Part& part = parts_[i][p];
        part.index = p == 0 ? static_cast<int>(i) : static_cast<int>(made.domain.size());
        if (p == 0)
          made.domain[i] = part.size;
        else
          made.domain.push_back(part.size);
        whole = whole + part.weight * index_of(part.index);
      }
      to_.push_back(std::move(whole));
    }
    made.output = access(0, spec_.output);
    for (std::size_t k = 0; k < spec_.factors.size(); ++k) made.factors[k] = access(k + 1, spec_.factors[k]);
    for (Guard& g : made.guards) g.expression = expression(g.expression);
    return made;
  }

 private:
  struct Part {
    std::int64_t size = 1, weight = 1;
    int index = -1;  // of the new domain
  };

  [[nodiscard]] std::size_t tensor_of_table(int table) const { return 1 + spec_.factors.size() + static_cast<std::size_t>(table); }
  [[nodiscard]] bool is_split(std::size_t tensor, std::size_t dimension) const { return dimension < digits_[tensor].size() && digits_[tensor][dimension] > 1; }

  bool read_tables(const IndexExpr& e) {
    return std::ranges::all_of(e.terms, [&](const IndexTerm& t) { return t.index >= 0 || read_access(tensor_of_table(t.table), t.at); });
  }

  bool read_access(std::size_t tensor, const Access& access) {
    for (std::size_t d = 0; d < access.size(); ++d) {
      if (!read_tables(access[d])) return false;
      if (!is_split(tensor, d)) continue;
      const int i = access[d].plain();
      if (i < 0 || spec_.domain[static_cast<std::size_t>(i)] != shapes_[tensor][d]) return false;
      std::vector<Part> parts;
      for (const Digit& digit : blockings_[tensor])
        if (digit.dimension == static_cast<int>(d)) parts.push_back({digit.size, digit.weight});
      std::ranges::sort(parts, [](const Part& a, const Part& b) { return a.weight > b.weight; });
      std::vector<Part>& known = parts_[static_cast<std::size_t>(i)];
      const auto same = [](const Part& a, const Part& b) { return a.size == b.size && a.weight == b.weight; };
      if (!known.empty() && !std::ranges::equal(known, parts, same)) return false;
      known = parts;
    }
    return true;
  }

  [[nodiscard]] IndexExpr expression(const IndexExpr& e) const {
    IndexExpr out(e.constant);
    for (const IndexTerm& t : e.terms)
      out = out + t.coefficient * (t.index >= 0 ? to_[static_cast<std::size_t>(t.index)] : entry_of(t.table, access(tensor_of_table(t.table), t.at)));
    return out;
  }

  [[nodiscard]] Access access(std::size_t tensor, const Access& plain) const {
    Access blocked;
    if (blockings_[tensor].empty()) {
      for (const IndexExpr& e : plain) blocked.push_back(expression(e));
      return blocked;
    }
    for (const Digit& digit : blockings_[tensor]) {
      const auto d = static_cast<std::size_t>(digit.dimension);
      if (!is_split(tensor, d)) {
        blocked.push_back(expression(plain[d]));
        continue;
      }
      for (const Part& part : parts_[static_cast<std::size_t>(plain[d].plain())])
        if (part.weight == digit.weight) blocked.push_back(index_of(part.index));
    }
    return blocked;
  }

  const SumSpec& spec_;
  std::span<const Shape> shapes_;
  std::span<const Blocking> blockings_;
  std::vector<std::vector<int>> digits_;  // of each tensor's dimensions: how many
  std::vector<std::vector<Part>> parts_;  // of each index, the widest first; none: it stays whole
  std::vector<IndexExpr> to_;
};

}  // namespace

Blocking blocking_of(const Shape& plain, int dimension, std::int64_t block) {
  Blocking blocking;
  for (int d = 0; d < static_cast<int>(plain.rank()); ++d) {
    const std::int64_t size = plain[static_cast<std::size_t>(d)];
    blocking.push_back(d == dimension ? Digit{d, size / block, block} : Digit{d, size, 1});
  }
  blocking.push_back({dimension, block, 1});
  return blocking;
}

std::optional<SplitDimension> one_split(const Blocking& blocking) {
  std::optional<SplitDimension> split;
  int next = 0;
  for (std::size_t i = 0; i < blocking.size(); ++i) {
    const Digit& d = blocking[i];
    if (d.dimension == next) {
      ++next;
      if (d.weight == 1) continue;
      if (split) return std::nullopt;
      split = {d.dimension, d.weight, -1};
    } else if (split && split->place < 0 && d.dimension == split->dimension && d.weight == 1 && d.size == split->block) {
      split->place = static_cast<int>(i);
    } else {
      return std::nullopt;
    }
  }
  return split && split->place >= 0 ? split : std::nullopt;
}

bool is_reshape(const Blocking& blocking) {
  return std::ranges::is_sorted(blocking,
                                [](const Digit& a, const Digit& b) { return a.dimension != b.dimension ? a.dimension < b.dimension : a.weight > b.weight; });
}

Shape shape_of(const Blocking& blocking) {
  Shape shape;
  for (const Digit& d : blocking) shape.push_back(d.size);
  return shape;
}

Ref into_blocks(const Ref& plain, const Blocking& blocking) {
  const Ref factors[] = {plain};
  return graph::sum(permutation(blocking, plain.shape().rank(), true), shape_of(blocking), factors, {}, plain.dtype());
}

Ref out_of_blocks(const Ref& blocked, const Blocking& blocking, const Shape& plain) {
  const Ref factors[] = {blocked};
  return graph::sum(permutation(blocking, plain.rank(), false), plain, factors, {}, blocked.dtype());
}

std::optional<SumSpec> in_blocks(const SumSpec& spec, std::span<const Shape> shapes, std::span<const Blocking> blockings) {
  Splitting splitting(spec, shapes, blockings);
  if (!splitting.read()) return std::nullopt;
  return splitting.made();
}

}  // namespace cotan
