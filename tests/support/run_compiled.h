// Functions as compiled programs, on the arrays of the reference.
#pragma once

#include <span>
#include <vector>

#include "backends/reference/reference.h"
#include "graph/executor.h"

namespace cotan::testing {

// The results of a compiled f. `inputs` are the values of its parameters.
[[nodiscard]] inline std::vector<reference::Array> run_program(const Program& program, const Function& f, std::span<const reference::Array> inputs) {
  std::vector<InputValue> in(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    in[i].storage = allocate(inputs[i].values.size() * size_of(inputs[i].dtype));
    reference::to_buffer(inputs[i], in[i].storage->data(), View::dense(inputs[i].dtype, inputs[i].shape));
  }
  std::vector<reference::Array> out;
  const std::vector<StorageRef> results = program.run(in);
  for (std::size_t r = 0; r < results.size(); ++r)
    out.push_back(reference::from_buffer(results[r]->data(), View::dense(f.results[r].dtype(), f.results[r].shape())));
  return out;
}

// The results of f, compiled so.
[[nodiscard]] inline std::vector<reference::Array> run_compiled(const Function& f, std::span<const reference::Array> inputs, const CompileOptions& options) {
  return run_program(*compile_program(f, topological(f.results), options), f, inputs);
}
// The same for so many threads, with the usual options.
[[nodiscard]] inline std::vector<reference::Array> run_compiled(const Function& f, std::span<const reference::Array> inputs, int threads = 1) {
  CompileOptions options;
  options.threads = threads;
  return run_compiled(f, inputs, options);
}

}  // namespace cotan::testing
