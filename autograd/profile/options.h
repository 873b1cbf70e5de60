// The thread's execution options while something is profiled or verified. Internal to autograd/profile.
#pragma once

#include "autograd/evaluate.h"

namespace cotan {

// Sets the thread's options for as long as it lives.
class ScopedOptions {
 public:
  explicit ScopedOptions(const ExecutionOptions& options) : before_(set_execution_options(options)) {}
  ~ScopedOptions() { set_execution_options(before_); }
  ScopedOptions(const ScopedOptions&) = delete;
  ScopedOptions& operator=(const ScopedOptions&) = delete;

 private:
  ExecutionOptions before_;
};

// The thread's options, as they are.
[[nodiscard]] ExecutionOptions present_options();
// The switches with all fusions off on top.
[[nodiscard]] PassSwitches unfused_passes(const PassSwitches& passes);

}  // namespace cotan
