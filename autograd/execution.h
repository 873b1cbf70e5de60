// What plain evaluations and calls of compiled functions have in common. Internal to autograd.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "autograd/evaluate.h"
#include "graph/structure_key.h"

namespace cotan {

// The line of a node, by its position in the structure's order.
using LineOf = std::function<SourceLine(int)>;

// The first line that recorded the node; unknown where none is noted.
[[nodiscard]] SourceLine line_of(const Node& node);

// The switches of both; where they disagree, the further ones decide.
[[nodiscard]] PassSwitches with_switches(const PassSwitches& before, const PassSwitches& further);

// How the thread's options and the number of threads have a graph compiled.
[[nodiscard]] CompileOptions compile_options(const ExecutionOptions& options);

// Runs a program. What it finds wrong with its inputs becomes an Error at the line that recorded the check; `where` stands in for lines that are unknown.
[[nodiscard]] std::vector<StorageRef> run_program(const Program& program, std::span<const InputValue> inputs, const LineOf& line_of, const SourceLine& where,
                                                  RunObserver* observer = nullptr);

// A program's kernels and misses, with lines.
void describe(EvaluationReport& report, const ProgramReport& program, const LineOf& line_of);

}  // namespace cotan
