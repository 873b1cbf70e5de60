// The pipeline.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdlib>

#include "graph/passes/passes.h"
#include "graph/verify.h"
#include "ops/error.h"

namespace cotan {
namespace {

constexpr std::array all_passes = {
    Pass{"inline_calls", "composites that no primitive computes become their bodies", passes::inline_calls, true, true},
};

// Every stage is checked in debug builds, and where COTAN_VERIFY is set, as the tests set it.
bool verifying() {
#ifdef NDEBUG
  static const bool asked = std::getenv("COTAN_VERIFY") != nullptr;
  return asked;
#else
  return true;
#endif
}

// Those of the list, and what tests add.
std::vector<Pass>& passes_now() {
  static std::vector<Pass> passes(all_passes.begin(), all_passes.end());
  return passes;
}

bool same_results(const Function& a, const Function& b) { return a.results == b.results; }

}  // namespace

std::span<const Pass> pipeline() { return passes_now(); }

ScopedPass::ScopedPass(const Pass& pass) { passes_now().push_back(pass); }
ScopedPass::~ScopedPass() { passes_now().pop_back(); }

Function run_passes(const Function& function, PassContext& context, std::vector<PassRecord>& records) {
  if (verifying()) verify(function);
  Function now = function;
  for (const Pass& pass : pipeline()) {
    if (!pass.needed && !context.options.passes.enabled(pass.name, pass.on)) continue;
    const auto start = std::chrono::steady_clock::now();
    Function next = pass.run(now, context);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const bool changed = !same_results(now, next);
    records.push_back({std::string(pass.name), changed, took.count()});
    now = std::move(next);
    if (!verifying() || !changed) continue;
    try {
      verify(now);
    } catch (const InternalError& e) {
      throw InternalError(fmt::format("after pass {}: {}", pass.name, e.what()));
    }
  }
  return now;
}

}  // namespace cotan
