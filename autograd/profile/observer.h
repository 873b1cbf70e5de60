// What sees an evaluation from inside: profiles and comparisons are made of it. Internal to autograd.
#pragma once

#include <span>

#include "graph/executor.h"
#include "graph/structure_key.h"

namespace cotan {

// An evaluation that is about to run.
struct EvaluationTrace {
  const Program& program;
  const Structure& structure;
  std::span<const Ref> roots;  // what is computed: structure_of(roots) is `structure`
  std::span<const InputValue> inputs;
  const CompileOptions& options;  // that the program was compiled with
};

// Is shown the evaluations of the thread in whose options it stands.
class EvaluationObserver {
 public:
  virtual ~EvaluationObserver() = default;
  // One is about to run. Who is returned is told of its chunks; null: nobody. What the trace refers to lives as long as the call, the program longer.
  virtual RunObserver* begins(const EvaluationTrace& trace) = 0;
};

}  // namespace cotan
