// One walk of a team over a list of phases: who runs which chunk, and when a phase has ended. No TBB here, and no allocation but the seats.
//
// The state is three kinds of word:
//   now      the phase being run and its number of chunks in one 64-bit word, or kEnded
//   done     how many chunks of that phase have ended; the worker that completes the number publishes the next phase
//   cursor   one for each seat: the next free chunk of that seat's share of the phase. Worker w's share of n chunks among a team of T is the chunks i with
//            floor(i*T/n) = w, so a chunk's relative place decides its first worker, phase after phase. Everybody may claim from every cursor.
// A cursor carries the phase it speaks of, so nobody has to reset cursors between phases: one that speaks of an earlier phase means that nothing of this
// phase's share has been claimed.
//
// Why a worker that was away (descheduled after it read `now`) does no harm: it claims by compare-and-swap, which sees a cursor's latest value. If the phase it
// remembers has ended, every share with chunks was claimed to its end, so each of those cursors says "nothing left" or speaks of a later phase; the shares
// without chunks offer nothing. It thus never calls a body again, and it reads no memory of the caller (the phase list, the body) except between a claim and
// the count that reports it, when the walk cannot have ended.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>

#include "backends/parallel/parallel.h"
#include "backends/parallel/tsan_edges.h"
#include "ops/float_mode.h"

namespace cotan::parallel {

// First chunk of `owner`'s share of a phase: the least i with floor(i*team/chunks) >= owner.
[[nodiscard]] constexpr std::uint64_t share_begin(std::uint64_t owner, std::uint64_t chunks, std::uint64_t team) { return (owner * chunks + team - 1) / team; }

class Walk {
 public:
  // Starts a walk of `team` workers (at least 1) over phases whose counts are in [0, 2^32). Only while nobody else uses this object. Seat 0 is the caller's.
  // Returns whether there is anything to run.
  bool start(std::span<const std::int64_t> chunks_of_phase, const PhaseBody& body, int team);

  // A free seat other than 0, `wanted` modulo the number of those if it is free; -1 when none is. A seat stays taken until the next start().
  int take_seat(int wanted);

  // Claims and runs chunks as worker `seat` until the walk has ended. True for exactly one of the workers: the one that ended it.
  bool run(int seat);

  // The mode that the caller computes in: its helpers' for as long as they help.
  [[nodiscard]] FloatMode float_mode() const { return float_mode_; }

  // By the caller after run(0): throws the first exception of a body, if there was one.
  void finish();

 private:
  struct alignas(64) Seat {
    std::atomic<std::uint64_t> cursor{0};
    std::atomic<bool> taken{false};
  };

  std::uint64_t publish_from(std::size_t phase);
  std::int64_t run_phase(std::uint64_t now, int seat);
  std::int64_t run_share(std::uint64_t now, std::atomic<std::uint64_t>& cursor, std::uint64_t begin, std::uint64_t end, int seat);
  void run_chunk(std::int64_t phase, std::int64_t chunk, int seat);
  std::uint64_t wait_past(std::uint64_t now) const;

  alignas(64) std::atomic<std::uint64_t> now_{0};
  alignas(64) std::atomic<std::uint64_t> done_{0};
  // Constant during a walk, but for the error.
  alignas(64) std::span<const std::int64_t> chunks_of_phase_;
  const PhaseBody* body_ = nullptr;
  FloatMode float_mode_;
  std::unique_ptr<Seat[]> seats_;
  int capacity_ = 0;  // of seats_
  int team_ = 0;
  int spins_ = 0;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
  TsanEdges edges_;
};

}  // namespace cotan::parallel
