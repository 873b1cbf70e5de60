// Generated code of all kernels of the process: one piece for each structure.
//
// A structure is what the code depends on: the formula, the types, how often each load's element changes, the instruction set. Extents and strides are not in
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "backends/loops/jit/code_memory.h"
#include "backends/loops/jit/generator.h"
#include "graph/cluster.h"

namespace cotan::loops::jit {

// Code ready to run; kernels share it.
class CompiledCode {
 public:
  CompiledCode(CodeMemory memory, const Generated& generated) : memory_(std::move(memory)), copies_(generated.copies), spills_(generated.spills) {}

  [[nodiscard]] Code entry() const { return reinterpret_cast<Code>(reinterpret_cast<std::uintptr_t>(memory_.first())); }
  [[nodiscard]] int copies() const { return copies_; }  // as in Generated
  [[nodiscard]] int spills() const { return spills_; }
  [[nodiscard]] std::size_t bytes() const { return memory_.bytes(); }

 private:
  CodeMemory memory_;
  int copies_, spills_;
};

// The code for a cluster; null where there is none for what it computes (which is remembered too) or where the system allows no executable memory; where it has none
// left, an Error.
// `levels[l]` says of load l how often its element changes, `ways[s]` what store s does; without them all write. Any thread may call; the cache holds at most
// `cached_codes` pieces, the oldest leave first.
[[nodiscard]] std::shared_ptr<const CompiledCode> code_for(const Cluster& cluster, std::span<const Level> levels, InstructionSet set,
                                                           std::span<const Way> ways = {});

inline constexpr std::size_t cached_codes = 1024;

// Pieces generated so far, times one was found, and pieces in the cache now.
struct CodeCounts {
  std::uint64_t made = 0, found = 0;
  std::size_t kept = 0;
};
[[nodiscard]] CodeCounts code_counts();

}  // namespace cotan::loops::jit
