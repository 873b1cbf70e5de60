// The executor: a team of workers walks a list of phases.
//
// A phase is a set of independent chunks; a phase begins when all chunks of the one before have ended. The calling thread is worker 0 and does not wait for
// helpers: TBB workers join when they come, and one that comes late or never only means that the others run its chunks. Chunks go first to the worker that had
// the same part of the phase before, whose cache holds their data, then to anybody.
//
// This is the only door to TBB: its headers are seen by the .cpp files of this folder alone.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

namespace cotan::parallel {

// A reference to a callable (phase, chunk, worker) that does not own it: it is valid while the callable lives, which for a lambda written in the call is the
// call.
class PhaseBody {
 public:
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, PhaseBody> && std::invocable<F&, std::int64_t, std::int64_t, int>)
  PhaseBody(F&& body)  // NOLINT: implicit on purpose, so that a lambda can be written in the call
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(body)))), call_([](void* object, std::int64_t phase, std::int64_t chunk, int worker) {
          (*static_cast<std::remove_reference_t<F>*>(object))(phase, chunk, worker);
        }) {}

  void operator()(std::int64_t phase, std::int64_t chunk, int worker) const { call_(object_, phase, chunk, worker); }

 private:
  void* object_;
  void (*call_)(void*, std::int64_t, std::int64_t, int);
};

// Calls body(phase, chunk, worker) exactly once for each phase p in order and each chunk in [0, chunks_of_phase[p]).
//
// - Everything that chunks of a phase did is visible to every chunk of the phases after it, and to the caller when this returns.
// - `worker` is in [0, worker_count()) and no two threads use one number at a time within one call, so it may index scratch memory that belongs to this call.
// - Any number of threads may call at once; each call has its own worker numbers.
// - A call made inside a body runs serially, as worker 0 of its own.
// - If bodies throw, the first exception is thrown here when no body of this call runs any more; chunks that had not begun and the phases after are left out.
// - Bodies compute in the calling thread's floating-point mode (ops/float_mode.h), whoever runs them.
// With `serial`, everything runs on the calling thread as worker 0, without a fork and without touching the arena: for work that a fork would only slow down.
// Phases of 0 chunks are fine; nothing is allocated per phase. A negative count, or 2^32 chunks or phases and more, is an InternalError.
void run_phases(std::span<const std::int64_t> chunks_of_phase, PhaseBody body, bool serial = false);

// One phase: calls body(chunk, worker) for each chunk in [0, chunks).
template <class F>
  requires std::invocable<F&, std::int64_t, int>
void run_chunks(std::int64_t chunks, F&& body, bool serial = false) {
  run_phases(
      std::span(&chunks, 1), [&body](std::int64_t, std::int64_t chunk, int worker) { body(chunk, worker); }, serial);
}

// Calls body(context) on this thread, inside an arena of one slot that is the thread's own: a library that runs TBB tasks inside it, and waits for them, runs
// them all on this thread and picks up nobody else's. For libraries built on TBB.
void call_in_one_slot(void (*body)(void*), void* context);

// How many workers a call may have: one more than the greatest worker number. The number that threads() gives; throws what it throws.
[[nodiscard]] int worker_count();

// Whether the calling thread is inside a body now, so that a call would run serially.
[[nodiscard]] bool inside_body();

}  // namespace cotan::parallel
