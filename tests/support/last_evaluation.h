// The last evaluation of a thread, recorded, so that it can be compiled again: for other machines, with other switches.
#pragma once

#include "autograd/evaluate.h"
#include "autograd/profile/graphs.h"
#include "autograd/profile/observer.h"

namespace cotan::testing {

class LastEvaluation final : public EvaluationObserver {
 public:
  RunObserver* begins(const EvaluationTrace& trace) override {
    recorded = recorded_function(trace.structure, trace.roots);
    options = trace.options;
    temporary_bytes = trace.program.report().temporary_bytes;
    ++evaluations;
    return nullptr;
  }
  [[nodiscard]] ProgramReport compiled(const CompileOptions& with) const { return compile_program(recorded.function, recorded.images, with)->report(); }

  RecordedFunction recorded;
  CompileOptions options;           // that it was compiled with
  std::size_t temporary_bytes = 0;  // that its report named
  int evaluations = 0;
};

// What `step` evaluated last.
template <class Step>
[[nodiscard]] LastEvaluation last_evaluation(ExecutionOptions options, Step&& step) {
  LastEvaluation evaluation;
  options.observer = &evaluation;
  const ExecutionOptions before = set_execution_options(options);
  step();
  set_execution_options(before);
  return evaluation;
}

}  // namespace cotan::testing
