// Passes: the compiler as a list of functions from graph to graph.
//
//   Positions     which recorded nodes every node of the graph under work stands for: reports name the user's lines by it
//   PassContext   what a pass may ask for: the options, the positions, what backends would claim
//   Pass          a name, what it does, and the function
//   transform     the walk that most passes are: every node rebuilt on its new operands, or replaced
//   run_passes    the pipeline (pipeline.cpp): a list of passes, each with its switch, its time, and the verifier after it
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "graph/claims.h"
#include "graph/executor.h"
#include "graph/node.h"

namespace cotan {

// Which recorded nodes, by their position in the order of the function that is compiled, each node stands for. Keeps the nodes that it was told of.
class Positions {
 public:
  explicit Positions(std::span<Node* const> recorded);

  // Of a node; nothing for one that no pass has accounted for.
  [[nodiscard]] std::span<const int> of(const Node* node) const;
  // `made` stands for those as well.
  void add(const Ref& made, std::span<const int> positions);
  // `made` stands for what `from` does as well; so do the nodes between it and what has positions already.
  void replaced(const Node& from, const Ref& made);

 private:
  std::unordered_map<const Node*, std::vector<int>> of_;
  std::vector<Ref> kept_;  // so that addresses stay their nodes'
};

// What passes work with.
struct PassContext {
  const CompileOptions& options;
  Positions& positions;
  Claims& claims;
  std::vector<MissReport> misses = {};  // what passes decided against, and why
};

// One pass.
struct Pass {
  std::string_view name;  // "fold_views": its switch
  std::string_view what;  // one line of what it does
  Function (*run)(const Function& function, PassContext& context) = nullptr;
  bool on = true;       // unless switched
  bool needed = false;  // by what follows: it always runs, and what its switch says, beside "all", is its own affair
};

// Every node of the function, operands before readers, handed to `replace` with its operands as they are now. What that returns stands for the node's results;
// an empty list: the node itself on these operands. Positions carry over.
[[nodiscard]] Function transform(const Function& function, PassContext& context,
                                 const std::function<std::vector<Ref>(const Ref& node, std::span<const Ref> operands)>& replace);

// A further pass at the end of the pipeline for as long as the object lives: how tests plant a wrong one. Not while another thread compiles; what is compiled
// meanwhile stays in the cache of compiled graphs.
class ScopedPass {
 public:
  explicit ScopedPass(const Pass& pass);
  ~ScopedPass();
  ScopedPass(const ScopedPass&) = delete;
  ScopedPass& operator=(const ScopedPass&) = delete;
};

// The passes of the pipeline, in order.
[[nodiscard]] std::span<const Pass> pipeline();
// Runs those that are switched on; what each did is in `records`. Results beyond the function's own are checks, which no pass may lose.
[[nodiscard]] Function run_passes(const Function& function, PassContext& context, std::vector<PassRecord>& records);

}  // namespace cotan
