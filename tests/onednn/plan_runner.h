// Runs a whole function by its plan, step after step: what oneDNN claims is run by oneDNN, everything else by the reference.
#pragma once

#include <string>
#include <vector>

#include "backends/reference/reference.h"
#include "graph/plan.h"

namespace cotan::onednn::testing {

struct PlanRun {
  std::vector<reference::Array> results;
  std::vector<std::string> kernels;  // names, in order
};
[[nodiscard]] PlanRun run_plan(const Function& function, std::span<const reference::Array> inputs, CompileOptions options);

}  // namespace cotan::onednn::testing
