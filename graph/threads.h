// How many threads a computation may use.
//
// One number for the whole process: the calling thread and the workers that help it, together. The default comes from the environment variable
// COTAN_THREADS, or else from what the machine grants this process: the CPUs of its affinity mask, or its cgroup's CPU quota rounded up, whichever is less.
#pragma once

#include <source_location>

#include "ops/error.h"

namespace cotan {

// Sets the number of threads that evaluations started from now on use: 1 to 1024, or 0 for the default (COTAN_THREADS is then read again). More threads than
// CPUs work, slower. May be called at any time from any thread; what is running keeps its number. Throws Error for any other n, or if COTAN_THREADS is bad.
void set_threads(int n, const SourceLine& where = std::source_location::current());

// The number of threads in effect, 1 to 1024. Throws Error if COTAN_THREADS decides it and is not a whole number from 1 to 1024.
[[nodiscard]] int threads();

}  // namespace cotan
