// What a recorded graph promises, and whether the program that it was compiled to keeps it. Internal to autograd.
#pragma once

#include <memory>
#include <vector>

#include "graph/executor.h"
#include "graph/structure_key.h"

namespace cotan {

// The pieces of a graph under must_fuse(), in the order of their first nodes, and the same as positions.
struct Promised {
  std::vector<std::shared_ptr<const Piece>> pieces;
  std::vector<Promise> promises;
};
[[nodiscard]] Promised promised_by(const Structure& structure);

// For each node whether differentiation recorded it first.
[[nodiscard]] std::vector<bool> made_by_differentiation(const Structure& structure);

// Throws Error for the first promise that the program breaks: the steps, the reasons, and the user's lines.
void require_kept(const ProgramReport& report, const Promised& promised, const Structure& structure);

}  // namespace cotan
