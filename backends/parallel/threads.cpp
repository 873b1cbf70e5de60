#include "graph/threads.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "backends/parallel/machine.h"
#include "backends/parallel/parallel.h"

namespace cotan {
namespace {

// 0: not decided yet.
std::atomic<int> setting{0};

int find_default() {
  const char* variable = std::getenv("COTAN_THREADS");
  const int found = parallel::default_threads(variable, parallel::affinity_count(), parallel::cgroup_cpu_quota());
  // A main thread that OpenMP bound has a mask of one CPU: the default would be one thread and nobody would know why.
  const int online = static_cast<int>(std::clamp(sysconf(_SC_NPROCESSORS_ONLN), 1L, long{parallel::kMaxThreads}));
  parallel::warn_if_bound(variable != nullptr && *variable != '\0' ? found : online);
  return found;
}

}  // namespace

void set_threads(int n, const SourceLine& where) {
  const CallSite site("set_threads", where);
  if (n < 0 || n > parallel::kMaxThreads) {
    fail(fmt::format("{} threads were asked for", n), fmt::format("Give a number from 1 to {}, or 0 for the default", parallel::kMaxThreads));
  }
  setting.store(n == 0 ? find_default() : n, std::memory_order_relaxed);
}

int threads() {
  int n = setting.load(std::memory_order_relaxed);
  if (n != 0) return n;
  // A set_threads() that comes meanwhile wins.
  const int found = find_default();
  return setting.compare_exchange_strong(n, found, std::memory_order_relaxed) ? found : n;
}

int parallel::worker_count() { return threads(); }

}  // namespace cotan
