#include <tbb/task_arena.h>

#include "backends/parallel/parallel.h"
#include "ops/per_thread.h"

namespace cotan::parallel {

void call_in_one_slot(void (*body)(void*), void* context) {
  auto& one_slot = per_thread<tbb::task_arena>([] { return 1; });
  one_slot.execute([&] { body(context); });
}

}  // namespace cotan::parallel
