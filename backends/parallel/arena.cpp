#include "backends/parallel/arena.h"

#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/task_arena.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>

#include "backends/parallel/machine.h"
#include "graph/threads.h"
#include "ops/memory.h"

namespace cotan::parallel {
namespace {

// An arena whose slots are all workers': callers walk on their own threads and never enter it.
struct Crew {
  explicit Crew(int workers) : workers(workers), arena(workers, 0) {}

  int workers;
  alignas(64) std::atomic<int> queued{0};  // requests that no worker has taken up
  tbb::task_arena arena;
};

// TBB keeps its workers to one less than the CPUs, whatever an arena says; a larger setting of ours needs leave. The limit in force is the least of those
// alive, so the old one goes first.
void allow_workers(int workers) {
  static auto& control = *new std::unique_ptr<tbb::global_control>;
  static int allowed = tbb::info::default_concurrency() - 1;
  if (workers <= allowed) return;
  control.reset();
  control = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(workers) + 1);
  allowed = workers;
}

// One crew for each number of workers that was ever in effect, made when first needed and kept for good: a caller may still be summoning from one when the
// number changes, and workers look at it while the process exits.
Crew& crew_of(int workers) {
  static auto& crews = *new std::array<std::atomic<Crew*>, kMaxThreads>{};
  std::atomic<Crew*>& place = crews[static_cast<std::size_t>(workers)];
  if (Crew* crew = place.load(std::memory_order_acquire)) return *crew;
  static std::mutex making;
  const std::lock_guard lock(making);
  if (Crew* crew = place.load(std::memory_order_acquire)) return *crew;
  warn_if_bound(workers + 1);
  allow_workers(workers);
  auto* crew = new Crew(workers);
  place.store(crew, std::memory_order_release);
  return *crew;
}

std::atomic<int> known{0};  // workers that have ever come

// TBB starts a worker's thread when it is first wanted, and ends the process where the system has no memory for its stack: such workers are not summoned.
bool can_start(const Crew& crew) {
  const int missing = crew.workers - known.load(std::memory_order_relaxed);
  constexpr std::size_t beside_the_stack = std::size_t{1} << 20;
  static const std::size_t stack = tbb::global_control::active_value(tbb::global_control::thread_stack_size);
  // Where TBB is kept to fewer workers than ours, some never come: those that may have come by now.
  constexpr int most_looks = 1000;
  static std::atomic<int> looks{0};
  if (missing <= 0 || looks.load(std::memory_order_relaxed) >= most_looks) return true;
  looks.fetch_add(1, std::memory_order_relaxed);
  return has_memory(static_cast<std::size_t>(missing) * (stack + beside_the_stack));
}

void take_up(Crew& crew) {
  thread_local const int number = known.fetch_add(1, std::memory_order_relaxed);
  static_cast<void>(number);
  // Before looking at the board, so that a walk posted from now on summons anew.
  crew.queued.fetch_sub(1);
  board().help(tbb::this_task_arena::current_thread_index());
}

}  // namespace

Board& board() {
  static auto& the_board = *new Board;
  return the_board;
}

void summon(int helpers) noexcept {
  try {
    const int workers = threads() - 1;
    if (workers < 1) return;  // the number was changed since the walk was posted
    Crew& crew = crew_of(workers);
    if (!can_start(crew)) return;
    while (helpers-- > 0) {
      if (crew.queued.fetch_add(1) >= crew.workers) {
        crew.queued.fetch_sub(1);
        return;
      }
      try {
        crew.arena.enqueue([&crew] { take_up(crew); });
      } catch (...) {
        crew.queued.fetch_sub(1);
        throw;
      }
    }
  } catch (...) {  // no memory or no threads to be had: the caller walks alone
  }
}

}  // namespace cotan::parallel

// When threads that called into TBB end, it clears memory that it hands from one to the other by means the thread sanitizer does not see, and the memset is
// reported. What libtbb itself calls is therefore ignored; bodies are not, for it is our code that calls them. Here and not in a file of its own, so that no
// linker leaves it out of a program that uses the arena.
#ifdef COTAN_TSAN
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "called_from_lib:libtbb.so\n"; }
#endif
