// The measure that every rewrite lowers: work, then nodes, then atoms.
//
// Work is counted in multiplications, element by element: an atom has a weight by what it takes (weight_of), a sum one for each point of its domain and factor,
// or nothing where it only looks at a tensor another way; tables cost three for each element. A call costs four fifths of its body, since a
// primitive makes fewer passes over memory. Atoms of constants alone cost nothing, nor do leaves.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "graph/node.h"

namespace cotan::rewrite {

struct Measure {
  std::int64_t work = 0;
  std::int64_t nodes = 0;
  std::int64_t atoms = 0;  // constants included
  auto operator<=>(const Measure&) const = default;
  Measure& operator+=(const Measure& o);
  Measure& operator-=(const Measure& o);
  // "work 12800, 3 nodes, 7 atoms".
  [[nodiscard]] std::string text() const;
};

[[nodiscard]] int weight_of(Atom atom);
// The atoms that are computed for each element: those that no constants alone go into.
[[nodiscard]] int weight_of(const Formula& formula);
// What one node adds.
[[nodiscard]] Measure measure_of(const Node& node);
// The whole function's.
[[nodiscard]] Measure measure_of(const Function& function);

}  // namespace cotan::rewrite
