// The bounded cache of compiled graphs, and the account of why it had to compile. Internal to autograd.
#pragma once

#include <functional>
#include <memory>

#include "autograd/evaluate.h"
#include "graph/structure_key.h"

namespace cotan {

// Who asks for a program.
struct Place {
  SourceLine line;             // of the evaluation, or of compile()
  std::uint64_t function = 0;  // of a compiled function: its number
  // Names an input for explain_recompiles(), by its position in the structure's inputs. Empty: by what the leaf says.
  std::function<std::string(std::size_t)> name_of_input;
  std::vector<std::pair<std::string, std::int64_t>> modes;  // what decided how a function was recorded
};

// The program for a structure, compiled if it is not there. `roots` are the structure's. Sets `hit`. Safe from any thread; two threads that miss at the same
// time both compile, and one result is kept. Throws Error instead of compiling under must_not_recompile(), and for a program that breaks what must_fuse()
// promises.
[[nodiscard]] std::shared_ptr<const Program> program_for(const Structure& structure, std::span<const Ref> roots, const CompileOptions& options,
                                                         const Place& place, bool& hit);

// Counts a hit on a program that its user kept, if the cache still has it.
[[nodiscard]] bool reuse(const Program& program);

// Notes that a place is about to compile, with the reason where it has compiled before (recompiles.cpp). Throws Error under must_not_recompile().
void note_compilation(const Structure& structure, const CompileOptions& options, const Place& place);
// Forgets all that was noted.
void forget_compilations();

}  // namespace cotan
