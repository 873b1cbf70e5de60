#include <tbb/task_arena.h>

#include "backends/parallel/parallel.h"

namespace cotan::parallel {

void call_in_one_slot(void (*body)(void*), void* context) {
  thread_local tbb::task_arena one_slot(1);
  one_slot.execute([&] { body(context); });
}

}  // namespace cotan::parallel
