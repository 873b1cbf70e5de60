// Sums of products in index notation.
//
// The equation is read as one sum (einsum_equation.h). One or two factors are recorded as that sum. More are contracted in pairs: each step takes the pair
// whose product has the fewest points, and sums over the indices that nothing else reads. That is exact only where no point is left out, so with conditions,
// tables or accesses that leave their tensor the whole stays one sum.
#include <fmt/format.h>

#include <algorithm>

#include "graph/composites/bodies.h"
#include "graph/composites/einsum_equation.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

struct Item {
  Ref value;
  Access at;
};

using Marks = std::vector<bool>;  // of indices

class Contraction {
 public:
  Contraction(const SumDef& def, std::span<const Ref> operands) : def_(def), left_(def.spec.domain.size(), true) {
    for (std::size_t k = 0; k < def.factors.size(); ++k) items_.push_back({operands[static_cast<std::size_t>(def.factors[k])], def.spec.factors[k]});
  }

  Ref run() {
    while (items_.size() > 2 && contract_cheapest()) {
    }
    return summed(items_, left_, def_.spec.output, def_.shape, def_.spec.coefficient);
  }

 private:
  void mark(const Access& access, Marks& marks) const {
    for (const IndexExpr& e : access) for_each_index(e, [&](int i) { marks[static_cast<std::size_t>(i)] = true; });
  }

  // The indices of two items, and those of them that the result or another item reads.
  struct Pair {
    Marks all, kept;
    double points = 1;
    std::size_t rank = 0;
  };
  [[nodiscard]] Pair pair_of(std::size_t a, std::size_t b) const {
    Pair p{Marks(left_.size(), false), Marks(left_.size(), false)};
    mark(items_[a].at, p.all);
    mark(items_[b].at, p.all);
    mark(def_.spec.output, p.kept);
    for (std::size_t k = 0; k < items_.size(); ++k)
      if (k != a && k != b) mark(items_[k].at, p.kept);
    for (std::size_t i = 0; i < left_.size(); ++i) {
      p.kept[i] = p.kept[i] && p.all[i];
      if (p.all[i]) p.points *= static_cast<double>(def_.spec.domain[i]);
      if (p.kept[i]) ++p.rank;
    }
    return p;
  }

  bool contract_cheapest() {
    std::size_t first = 0, second = 0;
    Pair best;
    for (std::size_t a = 0; a < items_.size(); ++a)
      for (std::size_t b = a + 1; b < items_.size(); ++b) {
        Pair p = pair_of(a, b);
        if (p.rank > Shape::max_rank || (second != 0 && p.points >= best.points)) continue;
        best = std::move(p);
        first = a;
        second = b;
      }
    if (second == 0) return false;
    Access at;
    Shape shape;
    for (std::size_t i = 0; i < left_.size(); ++i) {
      if (best.kept[i]) {
        at.push_back(index_of(static_cast<int>(i)));
        shape.push_back(def_.spec.domain[i]);
      } else if (best.all[i]) {
        left_[i] = false;
      }
    }
    const Item pair[] = {items_[first], items_[second]};
    Ref value = summed(pair, best.all, at, shape, 1);
    items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(second));
    items_[first] = {std::move(value), std::move(at)};
    return true;
  }

  // The sum of the items' products over the marked indices.
  [[nodiscard]] Ref summed(std::span<const Item> items, const Marks& over, const Access& output, const Shape& shape, double coefficient) const {
    SumSpec spec;
    spec.coefficient = coefficient;
    std::vector<IndexExpr> to(over.size());
    for (std::size_t i = 0; i < over.size(); ++i) {
      if (!over[i]) continue;
      to[i] = index_of(static_cast<int>(spec.domain.size()));
      spec.domain.push_back(def_.spec.domain[i]);
    }
    auto renamed = [&](Access access) {
      for (IndexExpr& e : access) e = substitute(e, to);
      return access;
    };
    spec.output = renamed(output);
    std::vector<Ref> factors;
    for (const Item& item : items) {
      spec.factors.push_back(renamed(item.at));
      factors.push_back(item.value);
    }
    return sum(std::move(spec), shape, factors);
  }

  const SumDef& def_;
  std::vector<Item> items_;
  Marks left_;  // the indices that are not summed over yet
};

// Whether every point of the domain counts, and there is one.
bool counts_all(const SumDef& def, std::span<const Ref> operands) {
  if (!def.spec.guards.empty() || !def.tables.empty()) return false;
  if (std::find(def.spec.domain.begin(), def.spec.domain.end(), 0) != def.spec.domain.end()) return false;
  for (std::size_t k = 0; k < def.factors.size(); ++k) {
    const Shape& shape = operands[static_cast<std::size_t>(def.factors[k])].shape();
    for (std::size_t d = 0; d < shape.rank(); ++d)
      if (!in_range(def.spec.factors[k][d], shape[d], def.spec.domain)) return false;
  }
  return true;
}

}  // namespace

std::vector<Ref> einsum_body(std::span<const Ref> operands, const EinsumOptions& options) {
  if (operands.empty()) fail("einsum of no operands", "Give at least one");
  const SumDef def = options.equation.find('[') == std::string::npos ? read_letters(options.equation, operands) : read_brackets(options.equation, operands);
  const DType dtype = operands[static_cast<std::size_t>(def.factors[0])].dtype();
  if (dtype == DType::boolean) fail("einsum of bool", "Cast it to i32 first");
  for (int k : def.factors)
    if (const DType other = operands[static_cast<std::size_t>(k)].dtype(); other != dtype)
      fail(fmt::format("operands of types {} and {}", name_of(dtype), name_of(other)), casts_to_write(dtype, other));
  if (def.factors.size() <= 2 || !counts_all(def, operands)) return {from_definition(def, operands)};
  if (!is_floating(dtype) && def.spec.coefficient != 1 && def.spec.coefficient != -1)
    fail(fmt::format("a scaled sum of {}", name_of(dtype)), "Cast it to f32 first");
  return {Contraction(def, operands).run()};
}

}  // namespace cotan::graph
