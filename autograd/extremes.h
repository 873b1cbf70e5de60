// Where reductions found their extremes, as nodes: what the rules of max, min, amax and amin move cotangents and tangents by.
#pragma once

#include "graph/node.h"

namespace cotan::rules {

// The first extreme of a max or min: the sum out[o] = x[access at (o, positions[o])], which has one table.
struct FirstExtreme {
  SumSpec gather;
  Ref positions;
};
[[nodiscard]] FirstExtreme first_extreme_of(const Ref& node);

// All extremes of an amax or amin, as a tensor over the points of the reduction: one dimension for each index of the domain that has more than one value.
// NaNs hold an extreme of NaN. A point at which the access is out of range holds nothing.
class Ties {
 public:
  explicit Ties(const Ref& node);

  // A tensor like the result, each entry in equal shares at the operand's entries that hold its extreme.
  [[nodiscard]] Ref shared_out(const Ref& result) const;
  // A tensor like the operand, the mean over the entries that hold each extreme.
  [[nodiscard]] Ref mean_of(const Ref& operand) const;

 private:
  [[nodiscard]] Ref moved(const Ref& from, const Access& read, const Access& written, const Shape& to) const;
  [[nodiscard]] Ref where_held(const Ref& values) const;

  Domain domain_;
  Access result_, points_, operand_;  // how the tensors of the result, of all points and of the operand are read
  Shape result_shape_, points_shape_, operand_shape_;
  Ref holds_;  // bool, over all points
  Ref count_;  // how many points hold each extreme, in its type; at least 1
};

}  // namespace cotan::rules
