#include "ops/per_thread.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace cotan {

bool is_main_thread() { return static_cast<pid_t>(syscall(SYS_gettid)) == getpid(); }

}  // namespace cotan
