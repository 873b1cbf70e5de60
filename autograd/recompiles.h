// Why graphs are compiled again: which input or option changed at one place of the program.
#pragma once

#include <source_location>
#include <string>
#include <vector>

#include "ops/error.h"

namespace cotan {

// A compilation at a place that had compiled before.
struct Recompile {
  SourceLine line;     // of the call that evaluated, or of compile() for a compiled function
  std::string reason;  // "argument 0: f32[64,784] -> f32[60,784]", "threads: 2 -> 4", "the graph differs at %7 (model.cpp:12)"
};

// The compilations of this process after the first of each place, oldest first; the last 256 of them. The first compilation at a place is none of them.
// Each is compared with the compilation before it at its place.
[[nodiscard]] std::vector<Recompile> explain_recompiles();

// While one lives, an evaluation of this thread that would compile throws Error with the reason instead. Made by must_not_recompile().
class [[nodiscard]] MustNotRecompile {
 public:
  explicit MustNotRecompile(const SourceLine& where);
  ~MustNotRecompile();
  MustNotRecompile(const MustNotRecompile&) = delete;
  MustNotRecompile& operator=(const MustNotRecompile&) = delete;

 private:
  const SourceLine* outer_;
  SourceLine where_;
};

// Forbids compilation in the scope of what it gives:
//
//     step(x, y);                                 // compiles
//     const auto compiled = must_not_recompile();
//     for (const auto& [x, y] : batches) step(x, y);
[[nodiscard]] inline MustNotRecompile must_not_recompile(std::source_location where = std::source_location::current()) { return MustNotRecompile(where); }

// Calls the function under must_not_recompile() and gives what it gives.
template <class F>
decltype(auto) must_not_recompile(F&& function, std::source_location where = std::source_location::current()) {
  const MustNotRecompile scope(where);
  return std::forward<F>(function)();
}

}  // namespace cotan
