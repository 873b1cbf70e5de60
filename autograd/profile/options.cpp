#include "autograd/profile/options.h"

#include "autograd/execution.h"

namespace cotan {

ExecutionOptions present_options() {
  const ExecutionOptions now = set_execution_options({});
  set_execution_options(now);
  return now;
}

PassSwitches unfused_passes(const PassSwitches& passes) { return with_switches(passes, without_fusion()); }

}  // namespace cotan
