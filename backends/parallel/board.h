// Where callers post walks and helpers find them. No TBB here: a helper is any thread that calls help().
//
// A fixed number of slots, never freed. A slot's gate counts those who use it (its owner and the helpers inside) and says whether helpers may enter. Helpers
// belong to no walk: they take what is open. So a caller neither waits for the helpers that left the walk late nor cares for those that never came: it closes
// the gate and returns, and the slot is used again when the count has come to 0.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "backends/parallel/walk.h"

namespace cotan::parallel {

class Board {
 public:
  // Runs all phases with a team of at most `team` (2 or more), the calling thread among them. summon(n) is called when the walk can be found, and should make
  // up to n other threads call help(). Throws what a body throws first. Falls back on the calling thread alone when all slots are taken: false, nothing was
  // run.
  bool run(std::span<const std::int64_t> chunks_of_phase, const PhaseBody& body, int team, void (*summon)(int helpers));

  // Helps open walks until there is none with a free seat. `wanted` (0 or more): the seat to prefer, so that a thread meets the data it had in the walk before.
  void help(int wanted);

 private:
  static constexpr std::uint32_t kOpen = 1U << 31;
  static constexpr int kSlots = 64;

  struct Slot {
    alignas(64) std::atomic<std::uint32_t> gate{0};  // kOpen if helpers may enter, plus the number of threads that use the slot; 0: free
    Walk walk;
  };

  int claim_slot();
  static bool enter(Slot& slot);
  void leave(Slot& slot);
  void walk_as(int slot, int seat);

  alignas(64) std::atomic<std::uint64_t> open_{0};  // bit i: slot i may be worth entering
  std::array<Slot, kSlots> slots_;
};

// Marks the calling thread as inside a body for the object's lifetime.
class InsideBody {
 public:
  InsideBody();
  ~InsideBody();
  InsideBody(const InsideBody&) = delete;
  InsideBody& operator=(const InsideBody&) = delete;

 private:
  bool before_;
};

}  // namespace cotan::parallel
