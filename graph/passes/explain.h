// What the passes and fusions make of a function, as values to print and draw. Nothing is compiled into kernels.
#pragma once

#include "graph/passes/pass.h"

namespace cotan {

// Nodes that one step computes.
struct ExplainedGroup {
  std::string name;            // the fusion that made it, or the backend that claims the node
  bool fused = false;          // by a fusion
  std::vector<Node*> members;  // of Explained::function, operands before readers
};

// A function after the passes.
struct Explained {
  Function function;
  // For each node of topological(function.results) the recorded nodes that it stands for, as positions.
  std::vector<std::vector<int>> positions;
  std::vector<ExplainedGroup> groups;  // of what is computed: views and leaves are in none
  std::vector<PassRecord> passes;      // that ran
};

// Runs the passes and fusions that are switched on. `order` gives the positions, as for compile_program.
[[nodiscard]] Explained explain(const Function& function, std::span<Node* const> order, const CompileOptions& options);

}  // namespace cotan
