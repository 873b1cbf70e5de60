#include "backends/parallel/walk.h"

#include <sched.h>

#include <utility>

#include "backends/parallel/machine.h"

namespace cotan::parallel {
namespace {

constexpr std::uint64_t kEnded = ~std::uint64_t{0};
constexpr std::uint64_t kLow = 0xffffffffU;

// Phases are numbered from 1 in cursors and in `now`, so that 0 in a cursor means "has spoken of no phase".
std::uint64_t pack(std::uint64_t phase, std::uint64_t low) { return (phase + 1) << 32 | low; }
std::uint64_t tag(std::uint64_t word) { return word >> 32; }
std::uint64_t low(std::uint64_t word) { return word & kLow; }

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

bool Walk::start(std::span<const std::int64_t> chunks_of_phase, const PhaseBody& body, int team) {
  if (capacity_ < team) {
    seats_ = std::make_unique<Seat[]>(static_cast<std::size_t>(team));
    capacity_ = team;
  } else {
    for (int i = 0; i < team; ++i) {
      seats_[i].cursor.store(0, std::memory_order_relaxed);
      seats_[i].taken.store(false, std::memory_order_relaxed);
    }
  }
  chunks_of_phase_ = chunks_of_phase;
  body_ = &body;
  float_mode_ = FloatMode::current();
  team_ = team;
  // With more workers than CPUs whoever is waited for may need this very CPU, so there the spin is only a courtesy.
  spins_ = team > usable_cpus() ? 8 : 1000;
  failed_.store(false, std::memory_order_relaxed);
  edges_.fork();
  return publish_from(0) != kEnded;
}

// The release pairs with the acquire in run() and wait_past(): a worker that reads the new phase sees what all chunks before it did, since the publisher's
// count has acquired theirs. `done` is reset before, and nobody adds to it without having claimed a chunk of the new phase.
std::uint64_t Walk::publish_from(std::size_t phase) {
  if (failed_.load(std::memory_order_relaxed)) phase = chunks_of_phase_.size();
  while (phase < chunks_of_phase_.size() && chunks_of_phase_[phase] == 0) ++phase;
  const std::uint64_t next = phase < chunks_of_phase_.size() ? pack(phase, static_cast<std::uint64_t>(chunks_of_phase_[phase])) : kEnded;
  done_.store(0, std::memory_order_relaxed);
  now_.store(next, std::memory_order_release);
  return next;
}

int Walk::take_seat(int wanted) {
  const int helpers = team_ - 1;
  for (int i = 0; i < helpers; ++i) {
    const int seat = 1 + (wanted + i) % helpers;
    if (!seats_[seat].taken.load(std::memory_order_relaxed) && !seats_[seat].taken.exchange(true, std::memory_order_relaxed)) return seat;
  }
  return -1;
}

bool Walk::run(int seat) {
  std::uint64_t now = now_.load(std::memory_order_acquire);
  while (now != kEnded) {
    const std::int64_t ran = run_phase(now, seat);
    if (ran > 0) {
      edges_.ran();
      // Acquire and release both: each count publishes its worker's chunks to the one whose count completes the phase.
      const std::uint64_t done = done_.fetch_add(static_cast<std::uint64_t>(ran), std::memory_order_acq_rel) + static_cast<std::uint64_t>(ran);
      if (done == low(now)) {
        edges_.phase_closed();
        now = publish_from(tag(now));  // the tag is the phase's number plus 1: the next phase
        if (now == kEnded) return true;
        continue;
      }
    }
    now = wait_past(now);
  }
  return false;
}

// Chunks run by this worker: all it could get, its own share first, then the shares after it, around.
std::int64_t Walk::run_phase(std::uint64_t now, int seat) {
  const auto chunks = low(now), team = static_cast<std::uint64_t>(team_);
  std::int64_t ran = 0;
  auto owner = static_cast<std::uint64_t>(seat);
  std::uint64_t begin = share_begin(owner, chunks, team);
  for (std::uint64_t i = 0; i < team; ++i) {
    const std::uint64_t end = share_begin(owner + 1, chunks, team);
    if (begin < end) ran += run_share(now, seats_[owner].cursor, begin, end, seat);
    owner = owner + 1 < team ? owner + 1 : 0;
    begin = owner == 0 ? 0 : end;
  }
  return ran;
}

// Relaxed throughout: a claim must only be unique, which the order of changes to one word gives; data is ordered by `now` and `done`.
std::int64_t Walk::run_share(std::uint64_t now, std::atomic<std::uint64_t>& cursor, std::uint64_t begin, std::uint64_t end, int seat) {
  std::int64_t ran = 0;
  std::uint64_t seen = cursor.load(std::memory_order_relaxed);
  while (tag(seen) <= tag(now)) {
    const std::uint64_t next = tag(seen) == tag(now) ? low(seen) : begin;
    if (next >= end) break;
    if (!cursor.compare_exchange_weak(seen, (now & ~kLow) | (next + 1), std::memory_order_relaxed)) continue;
    edges_.claimed();
    run_chunk(static_cast<std::int64_t>(tag(now) - 1), static_cast<std::int64_t>(next), seat);
    ++ran;
    seen = cursor.load(std::memory_order_relaxed);
  }
  return ran;
}

void Walk::run_chunk(std::int64_t phase, std::int64_t chunk, int seat) {
  if (failed_.load(std::memory_order_relaxed)) return;  // claimed and counted, but left out
  try {
    (*body_)(phase, chunk, seat);
  } catch (...) {
    if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
  }
}

std::uint64_t Walk::wait_past(std::uint64_t now) const {
  for (int i = 0; i < spins_; ++i) {
    const std::uint64_t seen = now_.load(std::memory_order_acquire);
    if (seen != now) return seen;
    relax();
  }
  for (;;) {
    const std::uint64_t seen = now_.load(std::memory_order_acquire);
    if (seen != now) return seen;
    sched_yield();
  }
}

void Walk::finish() {
  edges_.join();
  if (failed_.load(std::memory_order_relaxed)) std::rethrow_exception(std::exchange(error_, nullptr));
}

}  // namespace cotan::parallel
