#include <tbb/task_arena.h>

#include "backends/parallel/parallel.h"
#include "ops/float_mode.h"
#include "ops/per_thread.h"

namespace cotan::parallel {

void call_in_one_slot(void (*body)(void*), void* context) {
  auto& one_slot = per_thread<tbb::task_arena>([] { return 1; });
  // Inside an arena TBB puts the mode of the moment when that was made.
  const FloatMode mode = FloatMode::current();
  one_slot.execute([&] {
    const FloatScope scope(mode);
    body(context);
  });
}

}  // namespace cotan::parallel
