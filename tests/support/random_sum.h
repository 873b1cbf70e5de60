// Random indexed sums that are unlike what rows make: accesses out of range on either side, guards, tensor-valued indices in operands and in the output,
// operands that repeat, domains shorter and longer than the tensors, indices of size one and indices that nothing reads.
#pragma once

#include "tests/support/direct_sum.h"
#include "tests/support/random.h"

namespace cotan::testing {

struct RandomSumOptions {
  int most_indices = 4;
  int most_factors = 3;
  std::int64_t most_size = 4;
  bool tables = true;
  bool guards = true;
  // Tables are read alone, in dimensions that have room for every entry: what programs do after a check. Otherwise entries are shifted and scaled beyond the
  // range, where the point counts for nothing.
  bool entries_in_range = false;
};

// An affine expression of the domain's indices: often one plain index, else up to three terms and a constant.
[[nodiscard]] inline IndexExpr random_expression(Random& random, int indices) {
  if (indices == 0) return IndexExpr(random.integer(0, 1));
  auto any = [&] { return index_of(static_cast<int>(random.below(static_cast<std::size_t>(indices)))); };
  if (random.chance(0.55)) return any();
  IndexExpr e(random.integer(-2, 2));
  for (std::int64_t terms = random.integer(0, 3); terms > 0; --terms) e = e + random.pick({-2, -1, 1, 1, 2, 3}) * any();
  return e;
}

// The entry of table 0 or 1 (vectors whose size covers every index) at one index, possibly scaled and shifted; or the entry of table 1 at an entry of table 0.
[[nodiscard]] inline IndexExpr random_entry(Random& random, int indices) {
  const IndexExpr at = indices == 0 ? IndexExpr(0) : index_of(static_cast<int>(random.below(static_cast<std::size_t>(indices))));
  IndexExpr e = entry_of(static_cast<int>(random.below(2)), {at});
  if (random.chance(0.15)) e = entry_of(1, {entry_of(0, {at})});
  if (random.chance(0.3)) e = random.pick({-1, 2}) * e;
  if (random.chance(0.4)) e = e + IndexExpr(random.integer(-1, 1));
  if (indices > 0 && random.chance(0.3)) e = e + index_of(static_cast<int>(random.below(static_cast<std::size_t>(indices))));
  return e;
}

// A specification that reads factors of these shapes and writes a tensor of `shape`. Tables 0 and 1, where they occur, are vectors of `most_size` entries.
[[nodiscard]] inline SumSpec random_spec(Random& random, std::span<const Shape> factors, const Shape& shape, const RandomSumOptions& options = {}) {
  auto entry = [&](int indices, std::int64_t size) {
    if (!options.entries_in_range) return random_entry(random, indices);
    if (size < options.most_size || indices == 0) return random_expression(random, indices);
    return entry_of(static_cast<int>(random.below(2)), {index_of(static_cast<int>(random.below(static_cast<std::size_t>(indices))))});
  };
  SumSpec s;
  const int indices = static_cast<int>(random.integer(1, options.most_indices));
  for (int i = 0; i < indices; ++i) s.domain.push_back(random.integer(1, options.most_size));
  for (const Shape& f : factors) {
    Access access;
    for (std::size_t d = 0; d < f.rank(); ++d)
      access.push_back(options.tables && random.chance(0.12) ? entry(indices, f[d]) : random_expression(random, indices));
    s.factors.push_back(std::move(access));
  }
  for (std::size_t d = 0; d < shape.rank(); ++d)
    s.output.push_back(options.tables && random.chance(0.08) ? entry(indices, shape[d]) : random_expression(random, indices));
  if (options.guards)
    while (random.chance(0.3)) s.guards.push_back({random_expression(random, indices), random.integer(1, 4)});
  if (options.guards && !s.guards.empty() && random.chance(0.2)) s.guards.push_back(s.guards[0]);
  s.coefficient = static_cast<double>(random.pick({1, 1, 1, 2, -1, -3}));
  return s;
}

[[nodiscard]] inline Shape random_shape(Random& random, int least_rank = 0, int most_rank = 3, std::int64_t most_size = 5) {
  Shape shape;
  for (std::int64_t rank = random.integer(least_rank, most_rank); rank > 0; --rank) shape.push_back(random.integer(1, most_size));
  return shape;
}

// A random sum of whole numbers: what it computes is exact in float64. Factors repeat sometimes.
[[nodiscard]] inline DirectSum random_sum(std::uint64_t seed, const RandomSumOptions& options = {}) {
  Random random(seed);
  DirectSum s;
  s.shape = random_shape(random, 0, 2);
  std::vector<Shape> shapes;
  for (std::int64_t k = random.integer(0, options.most_factors); k > 0; --k) {
    if (!s.factors.empty() && random.chance(0.25)) {
      s.factors.push_back(s.factors[random.below(s.factors.size())]);
    } else {
      const Shape shape = random_shape(random);
      s.factors.emplace_back(shape, random_integers(random, shape.elements()));
    }
    shapes.push_back(s.factors.back().shape);
  }
  s.spec = random_spec(random, shapes, s.shape, options);
  for (int t = 0; t < 2; ++t) s.tables.emplace_back(Shape{options.most_size}, random_integers(random, options.most_size, 0, options.most_size - 1));
  return s;
}

}  // namespace cotan::testing
