// Long sums in two levels. The blocks of the first level are what workers share and what a fused region computes tile by tile; since they depend on shapes
// only, a sum has the same bits however it is fused and however many workers there are.
#include <algorithm>

#include "graph/builder.h"
#include "graph/passes/passes.h"
#include "graph/recognise.h"

namespace cotan::passes {
namespace {

constexpr double worth_splitting = 32768;   // points
constexpr std::int64_t most_blocks = 64;    // a few for each worker of a large machine
constexpr std::int64_t shortest_block = 8;  // of entries that are added up

// How a sum's index is cut.
struct Split {
  int index = -1;
  std::int64_t blocks = 1;
};

// The greatest divisor of n that is no greater than `most`.
std::int64_t divisor(std::int64_t n, std::int64_t most) {
  for (std::int64_t d = std::min(n, most); d > 1; --d)
    if (n % d == 0) return d;
  return 1;
}

// The index that runs along the factor's first dimension, if it is summed over.
Split split_of(const Node& sum) {
  const auto& s = sum.as<SumSpec>();
  if (sum.operand_count != 1 || s.factors.size() != 1 || !s.guards.empty() || !is_floating(sum.dtype) || s.factors[0].empty()) return {};
  if (sum.shape.rank() == Shape::max_rank) return {};  // blocks would be one dimension more
  const int n = s.factors[0][0].plain();
  if (n < 0 || s.domain[static_cast<std::size_t>(n)] != sum.operand(0).shape()[0]) return {};
  double points = 1;
  for (std::int64_t size : s.domain) points *= static_cast<double>(size);
  if (points < worth_splitting) return {};
  for (std::size_t d = 1; d < s.factors[0].size(); ++d)
    if (uses_index(s.factors[0][d], n)) return {};
  std::vector<bool> reduced(s.domain.size(), true);
  for (const IndexExpr& e : s.output) {
    if (!e.affine() || uses_index(e, n)) return {};
    for_each_index(e, [&](int i) { reduced[static_cast<std::size_t>(i)] = false; });
  }
  if (!is_injective(s.output, s.domain, reduced)) return {};
  const std::int64_t rows = s.domain[static_cast<std::size_t>(n)], outputs = sum.shape.elements();
  // Blocks that only copy, or whose results are nearly as many as what they read, gain nothing.
  const double inside = points / static_cast<double>(rows) / static_cast<double>(std::max<std::int64_t>(1, outputs));
  const auto least = static_cast<std::int64_t>(std::max(1.0, static_cast<double>(shortest_block) / inside));
  const std::int64_t blocks = divisor(rows, std::min(most_blocks, rows / std::max<std::int64_t>(1, least)));
  return blocks < 2 ? Split{} : Split{n, blocks};
}

}  // namespace

Function split_sums(const Function& function, PassContext& context) {
  return transform(function, context, [](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    if (node->kind != Kind::sum) return {};
    const Split split = split_of(*node.node());
    if (split.index < 0) return {};
    const auto& whole = node->as<SumSpec>();
    const auto n = static_cast<std::size_t>(split.index);

    // Row n is block * size + place.
    SumSpec blocks = whole;
    const std::int64_t size = whole.domain[n] / split.blocks;
    std::vector<IndexExpr> to;
    for (std::size_t i = 0; i < whole.domain.size(); ++i) to.push_back(index_of(static_cast<int>(i)));
    const int block = static_cast<int>(whole.domain.size());
    to[n] = size * index_of(block) + index_of(split.index);
    blocks.coefficient = 1;
    blocks.domain[n] = size;
    blocks.domain.push_back(split.blocks);
    for (IndexExpr& e : blocks.factors[0]) e = substitute(e, to);
    blocks.output.insert(blocks.output.begin(), index_of(block));
    Shape shape = node->shape;
    shape.insert(0, split.blocks);
    const Ref first = graph::sum(std::move(blocks), shape, operands, {}, node->dtype);

    SumSpec rest;
    rest.coefficient = whole.coefficient;
    rest.domain.assign(shape.begin(), shape.end());
    Access all;
    for (std::size_t d = 0; d < shape.rank(); ++d) all.push_back(index_of(static_cast<int>(d)));
    rest.output.assign(all.begin() + 1, all.end());
    rest.factors = {all};
    const Ref factors[] = {first};
    return {graph::sum(std::move(rest), node->shape, factors, {}, node->dtype)};
  });
}

}  // namespace cotan::passes
