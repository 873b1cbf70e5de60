// Pieces of a model that have to become one kernel: where they do not, the evaluation says why.
//
//     const Tensor scores = must_fuse([&] { return gelu(x * scale + shift); });
//
// The piece is what the function records. When a graph that has some of it is compiled, all that has to be computed of the piece must be computed by one step:
// one loop, one region, or one primitive with what follows it. Views, constants and checks cost nothing and do not count, nor does a value that the compiler's
// passes did away with or made one with another outside. That other code reads values of the piece, the gradient among it, is no objection: a kernel may have
// several results. Otherwise the evaluation, or the first call of a function that compile() made, throws Error with the kernels that there are, the reasons
// from the closed list (ReasonCode in graph/backend.h) and the lines; it does so each time. Nothing is asked of the reference, nor where all fusions are off.
//
// Each call of must_fuse() is a piece of its own, so a layer that is called twelve times makes twelve kernels. A piece inside another is part of that too.
#pragma once

#include <memory>
#include <source_location>
#include <string>
#include <utility>

#include "graph/node.h"

namespace cotan {

// What must_fuse() asks for.
struct MustFuseOptions {
  std::string name = {};  // for messages: "the piece 'scores'"
  // Whether the gradient of the piece's operations must be one kernel as well, another one: what differentiation makes for them. It is for chains of maps
  // of one shape: where a broadcast, a product or a convolution is in the piece, its gradient is of other shapes.
  bool gradient = false;
};

// The mark of a piece on what is recorded while it lives. Made by must_fuse().
class MustFuse {
 public:
  // A piece that is asked for at `where`.
  MustFuse(const MustFuseOptions& options, const SourceLine& where);

 private:
  RecordingMarks marks_;
};

// Calls the function and gives what it gives; what it records has to become one kernel. Throws what the function throws; the promise is looked at when the
// graph is compiled.
template <class F>
decltype(auto) must_fuse(F&& function, const MustFuseOptions& options = {}, std::source_location where = std::source_location::current()) {
  const MustFuse piece(options, where);
  return std::forward<F>(function)();
}

}  // namespace cotan
