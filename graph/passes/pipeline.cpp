// The pipeline.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <unordered_set>

#include "graph/passes/passes.h"
#include "graph/verify.h"
#include "ops/environment.h"
#include "ops/error.h"

namespace cotan {
namespace {

constexpr std::array all_passes = {
    Pass{"inline_calls", "composites that no primitive computes become their bodies", passes::inline_calls, true, true},
    Pass{"simplify", "exact and stable rewrite rules, until none applies", passes::simplify},
    Pass{"fast_rules", "rewrite rules that hold in real arithmetic only", passes::fast_rules, false},
    Pass{"fold_views", "transposes, slices, pads, broadcasts and gathers go into the sums that read them", passes::fold_views},
    Pass{"merge_sums", "sums of sums become one; constants and scales go into the coefficient", passes::merge_sums},
    Pass{"fold_constants", "constants are computed once, when the program is made", passes::fold_constants},
    Pass{"masks", "one-hot sums and conditions that maps read become maps over positions", passes::masks},
    Pass{"regroup", "sums become products, views and reductions again, by cost", passes::regroup},
    Pass{"place_in_order", "sums of placed copies are made in the order of dimensions in which they are read", passes::place_in_order},
    Pass{"place_casts", "casts to narrow types go before movements of entries, casts to wide ones behind them", passes::place_casts},
    Pass{"derivatives_in_outputs", "derivatives read what an activation gave in place of what it was given", passes::derivatives_in_outputs},
    Pass{"max_before_relu", "relu goes behind the maximum over windows that reads it", passes::max_before_relu},
    Pass{"layouts", "convolutions and what lies between them are computed in blocks of channels", passes::layouts},
    Pass{"split_sums", "long sums become sums of blocks, then a sum over the blocks", passes::split_sums},
};

// Every stage is checked in debug builds, and where COTAN_VERIFY is set, as the tests set it.
bool verifying() {
#ifdef NDEBUG
  static const bool asked = environment_switch("COTAN_VERIFY");
  return asked;
#else
  return true;
#endif
}

// Those of the list, and what tests add.
std::vector<Pass>& passes_now() {
  static auto& passes = *new std::vector<Pass>(all_passes.begin(), all_passes.end());
  return passes;
}

bool same_results(const Function& a, const Function& b) { return a.results == b.results; }

// Every check becomes a result behind the others: a pass may take away its last reader, but not the check.
void keep_checks(Function& f) {
  std::unordered_set<const Node*> results;
  for (const Ref& r : f.results) results.insert(r.node());
  for (Node* n : topological(f.results)) {
    if (n->kind != Kind::check || results.contains(n)) continue;
    f.results.emplace_back(n);
    if (!f.result_names.empty()) f.result_names.emplace_back();
  }
}

}  // namespace

std::span<const Pass> pipeline() { return passes_now(); }

ScopedPass::ScopedPass(const Pass& pass) { passes_now().push_back(pass); }
ScopedPass::~ScopedPass() { passes_now().pop_back(); }

Function run_passes(const Function& function, PassContext& context, std::vector<PassRecord>& records) {
  if (verifying()) verify(function);
  Function now = function;
  keep_checks(now);
  for (const Pass& pass : pipeline()) {
    if (!pass.needed && !context.options.passes.enabled(pass.name, pass.on)) continue;
    const auto start = std::chrono::steady_clock::now();
    Function next = pass.run(now, context);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const bool changed = !same_results(now, next);
    records.push_back({std::string(pass.name), changed, took.count()});
    now = std::move(next);
    if (changed) keep_checks(now);
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
