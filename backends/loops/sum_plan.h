// How an indexed sum is walked: decided once from the specification and the views.
//
//   assign    no two points reach one element: every point is stored as it is (views, pads, gathers, outer products)
//   block     the elements are told apart by the output's indices, the others are summed: for each element, or for each block of elements along one index,
//             the sums are formed in wide accumulators and stored once
//   scatter   points that reach one element cannot be told from the access (tables, overlapping windows): they are added to wide accumulators of the chunk's
//             whole part of the output, or, where those would be too many, to the output itself
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "backends/loops/nest.h"
#include "graph/kernel.h"
#include "ops/sum_spec.h"

namespace cotan::loops {

enum class SumForm : std::uint8_t { assign, block, scatter, scatter_direct };
[[nodiscard]] std::string_view name_of(SumForm form);

// Accumulators of a block.
inline constexpr std::int64_t block_elements = 1024;

struct SumPlan {
  SumForm form = SumForm::assign;
  Nest nest;
  // Levels before `split` are indices of the output; the rest are reduced, except the last one of a block along an index.
  std::size_t split = 0;
  bool along = false;                       // block: the last level is an index of the output, and a block lies along it
  std::int64_t along_step = 0;              // the output's step along it
  std::vector<Condition> along_conditions;  // those of the output's access that the last level decides
  bool covers = false;                      // the walk stores every element of the output; otherwise they are set to the sum of nothing first
  bool always_reached = false;              // block: every element is reached by some point

  // offsets[t]: where tensor t is read or written, in elements; t = 0 is the output or its accumulators, t > 0 factor t - 1.
  std::vector<Form> offsets;

  // The level that chunks share out, or -1: one chunk. Chunk c has its indices in [bounds[c], bounds[c+1]).
  int chunk_level = -1;
  std::vector<std::int64_t> bounds{0, 0};
  // The part of the output that chunk c owns: coordinates [owned[c].first, owned[c].second) of dimension `owned_dimension`; -1: all of it.
  int owned_dimension = -1;
  std::vector<std::pair<std::int64_t, std::int64_t>> owned;

  // scatter: the accumulators are a dense tensor of this shape, the owned dimension cut to the largest part that a chunk owns.
  Shape accumulators;

  [[nodiscard]] std::int64_t chunks() const { return static_cast<std::int64_t>(bounds.size()) - 1; }
};

[[nodiscard]] SumPlan plan_sum(const SumSpec& spec, std::span<const View> factors, const View& output);

}  // namespace cotan::loops
