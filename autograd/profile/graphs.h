// Graphs as profiles hold them. Internal to autograd/profile.
#pragma once

#include <span>

#include "autograd/profile/profile.h"
#include "graph/passes/explain.h"
#include "graph/structure_key.h"

namespace cotan {

// A function that an evaluation computed, closed, with what reports need of the nodes it was made of.
struct RecordedFunction {
  Function function;
  std::vector<Node*> images;        // its node for each position
  std::vector<ProfiledLine> lines;  // the user's line for each position
  struct Input {
    std::string kind, name;  // "variable", "first.w"
  };
  std::vector<Input> inputs;  // what each parameter of the function stands for
};

// The closed function of a structure, with lines.
[[nodiscard]] RecordedFunction recorded_function(const Structure& structure, std::span<const Ref> roots);

// For each position the node that graph_before() draws for it; -1: none.
[[nodiscard]] std::vector<int> places_of(const RecordedFunction& recorded);
// The function as it was recorded, its nodes in the order of topological(results). Kernels are left open.
[[nodiscard]] ProfiledGraph graph_before(const RecordedFunction& recorded);
// The function after the passes, with its groups; nodes carry the lines of what they stand for and are in the order that KernelReport::places means.
[[nodiscard]] ProfiledGraph graph_after(const RecordedFunction& recorded, const Explained& explained);
// Adds a line that is known and not there yet.
void add_line(std::vector<ProfiledLine>& lines, const ProfiledLine& line);

}  // namespace cotan
