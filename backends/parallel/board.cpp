#include "backends/parallel/board.h"

#include <bit>

namespace cotan::parallel {
namespace {

thread_local bool inside = false;

// The slot this thread had last: its own, as long as callers are fewer than slots.
thread_local int last_slot = 0;

}  // namespace

InsideBody::InsideBody() : before_(inside) { inside = true; }
InsideBody::~InsideBody() { inside = before_; }
bool inside_body() { return inside; }

// Acquire: the new owner sees that all who left have left.
int Board::claim_slot() {
  for (int i = 0; i < kSlots; ++i) {
    const int slot = (last_slot + i) % kSlots;
    std::uint32_t free = 0;
    if (slots_[slot].gate.load(std::memory_order_relaxed) != 0) continue;
    if (slots_[slot].gate.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed)) return last_slot = slot;
  }
  return -1;
}

// Acquire: whoever enters sees the walk as its owner prepared it. A gate that was closed and opened again between load and exchange is as good.
bool Board::enter(Slot& slot) {
  std::uint32_t gate = slot.gate.load(std::memory_order_relaxed);
  while ((gate & kOpen) != 0) {
    if (slot.gate.compare_exchange_weak(gate, gate + 1, std::memory_order_acquire, std::memory_order_relaxed)) return true;
  }
  return false;
}

void Board::leave(Slot& slot) { slot.gate.fetch_sub(1, std::memory_order_release); }

// Only the worker that ended the walk takes it off the list, before it leaves: while it is inside, the slot cannot be anybody else's.
void Board::walk_as(int slot, int seat) {
  if (slots_[slot].walk.run(seat)) open_.fetch_and(~(std::uint64_t{1} << slot), std::memory_order_relaxed);
}

bool Board::run(std::span<const std::int64_t> chunks_of_phase, const PhaseBody& body, int team, void (*summon)(int helpers)) {
  const int index = claim_slot();
  if (index < 0) return false;
  Slot& slot = slots_[index];
  try {
    if (!slot.walk.start(chunks_of_phase, body, team)) {
      leave(slot);
      return true;
    }
  } catch (...) {  // no memory for the seats
    leave(slot);
    throw;
  }
  slot.gate.store(kOpen + 1, std::memory_order_release);
  open_.fetch_or(std::uint64_t{1} << index);
  summon(team - 1);
  {
    const InsideBody mark;
    walk_as(index, 0);
  }
  slot.gate.fetch_sub(kOpen, std::memory_order_relaxed);
  // Helpers may still be inside, but with no chunk and never with one again, so the error is the caller's to take. Leaving comes after that.
  struct Leave {
    Board& board;
    Slot& slot;
    ~Leave() { board.leave(slot); }
  } leave_at_end{*this, slot};
  slot.walk.finish();
  return true;
}

void Board::help(int wanted) {
  // A body that itself waits for TBB may be made to run a helper's task: it must not start upon another walk, or its own, in the middle of a chunk.
  if (inside) return;
  const InsideBody mark;
  std::uint64_t refused = 0;
  for (;;) {
    const std::uint64_t open = open_.load() & ~refused;
    if (open == 0) return;
    // Helpers begin their search at different places, so that they spread over concurrent walks.
    const int index = (std::countr_zero(std::rotr(open, wanted % kSlots)) + wanted) % kSlots;
    Slot& slot = slots_[index];
    int seat = -1;
    if (enter(slot)) {
      seat = slot.walk.take_seat(wanted);
      if (seat > 0) {
        // The worker is TBB's, and runs the user's tasks too: it gets its own mode back.
        const FloatScope mode(slot.walk.float_mode());
        walk_as(index, seat);
      }
      leave(slot);
    }
    if (seat < 0) refused |= std::uint64_t{1} << index;
  }
}

}  // namespace cotan::parallel
