// What ThreadSanitizer must be told.
//
// libtbb is not instrumented, so the .cpp files of this folder are compiled without -fsanitize=thread and the tool sees neither TBB's nor our atomics. The
// happens-before edges that bodies may rely on are stated here instead, and no other: two chunks of one phase stay unordered, so that their races are found.
//
// There are two addresses. Whoever ran chunks of a phase releases `end`; the one worker that closes the phase acquires `end` and releases `begin`; whoever
// claims a chunk of the next phase, and the caller after the last, acquires `begin`. One address for both would order a worker that enters a phase late after
// chunks of that very phase. The addresses are fresh memory for each walk, because freeing memory is what makes the tool forget what it knew about them.
#pragma once

#ifdef COTAN_TSAN
#include <memory>

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace cotan::parallel {

class TsanEdges {
 public:
#ifdef COTAN_TSAN
  void fork() {
    points_ = std::make_unique<Points>();
    __tsan_release(&points_->begin);
  }
  void claimed() { __tsan_acquire(&points_->begin); }
  void ran() { __tsan_release(&points_->end); }
  void phase_closed() {
    __tsan_acquire(&points_->end);
    __tsan_release(&points_->begin);
  }
  void join() {
    __tsan_acquire(&points_->begin);
    points_.reset();
  }

 private:
  struct Points {
    char begin = 0, end = 0;
  };
  std::unique_ptr<Points> points_;
#else
  void fork() {}          // by the caller, before a helper can come
  void claimed() {}       // after each claim, before the body
  void ran() {}           // after the last body of a worker in a phase, before they are counted
  void phase_closed() {}  // by the worker whose count completed the phase, before the next is published
  void join() {}          // by the caller, when the walk has ended
#endif
};

}  // namespace cotan::parallel
