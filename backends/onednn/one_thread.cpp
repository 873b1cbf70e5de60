#include "backends/onednn/one_thread.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <oneapi/dnnl/dnnl.hpp>

#include "backends/parallel/parallel.h"
#include "ops/error.h"

namespace cotan::onednn {
namespace {

thread_local bool held = false;

// Restores a thread's value on the way out, by exception too.
template <class T>
class Restored {
 public:
  Restored(T& variable, T value) : variable_(variable), before_(variable) { variable = value; }
  ~Restored() { variable_ = before_; }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  T& variable_;
  T before_;
};

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP

// The two entries of the OpenMP runtime, looked up in the process rather than linked: they are then those of the runtime that oneDNN uses, whichever it is,
// and nothing of ours is compiled for OpenMP.
struct OpenMp {
  int (*get_max_threads)() = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  void (*set_num_threads)(int) = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
};

const OpenMp& open_mp() {
  static const OpenMp entries;
  return entries;
}

// The calling thread's number of OpenMP threads is 1 while this lives.
class OneOpenMpThread {
 public:
  OneOpenMpThread() : before_(open_mp().get_max_threads()) {
    if (before_ != 1) open_mp().set_num_threads(1);
  }
  ~OneOpenMpThread() {
    if (before_ != 1) open_mp().set_num_threads(before_);
  }
  OneOpenMpThread(const OneOpenMpThread&) = delete;
  OneOpenMpThread& operator=(const OneOpenMpThread&) = delete;

 private:
  int before_;
};

constexpr const char* built_for = "OpenMP";
void call_held(void (*body)(void*), void* context) {
  const OneOpenMpThread one;
  body(context);
}

std::string find_unheld_reason() {
  if (open_mp().get_max_threads == nullptr || open_mp().set_num_threads == nullptr) {
    return "the OpenMP runtime that oneDNN uses is not visible in this process (omp_set_num_threads was not found)";
  }
  return {};
}

#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_TBB

constexpr const char* built_for = "TBB";
void call_held(void (*body)(void*), void* context) { parallel::call_in_one_slot(body, context); }

std::string find_unheld_reason() { return {}; }

#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_SEQ

constexpr const char* built_for = "none";
void call_held(void (*body)(void*), void* context) { body(context); }

std::string find_unheld_reason() { return {}; }

#else
#error "oneDNN must be built for OpenMP, for TBB, or without threads"
#endif

}  // namespace

const std::string& unheld_reason() {
  static const std::string& reason = *new std::string([] {
    // Headers of one build and a library of another: what was compiled above would hold nothing.
    if (dnnl_version()->cpu_runtime != DNNL_CPU_RUNTIME) {
      return fmt::format("the oneDNN that is loaded uses another thread runtime (code {}) than the one it was compiled against ({})",
                         dnnl_version()->cpu_runtime, built_for);
    }
    return find_unheld_reason();
  }());
  return reason;
}

const char* thread_runtime() { return built_for; }

void call_on_one_thread(void (*body)(void*), void* context) {
  if (held) {
    body(context);
    return;
  }
  if (!unheld_reason().empty()) throw InternalError(unheld_reason());
  const Restored<bool> mark(held, true);
  call_held(body, context);
}

}  // namespace cotan::onednn
