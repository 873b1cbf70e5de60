// What this process may use of the machine, and the number of threads that follows from it.
//
// The parts that read texts and files take them as arguments, so that tests can hand them any machine.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace cotan::parallel {

inline constexpr int kMaxThreads = 1024;

// CPUs in the calling thread's affinity mask, at least 1.
[[nodiscard]] int affinity_count();

// affinity_count() at the first call: a cheap figure for how long it pays to spin.
[[nodiscard]] int usable_cpus();

// The whole number of CPUs a cgroup's quota comes to, rounded up, from cgroup v2's cpu.max ("150000 100000" is 2). 0: no limit ("max 100000"), or not readable.
[[nodiscard]] int parse_cpu_quota(std::string_view cpu_max);

// The least quota among the cgroups that hold this process, of version 1 and 2, and those above them; 0: no limit. `root` is the root of the file system.
[[nodiscard]] int cgroup_cpu_quota(const std::filesystem::path& root = "/");

// The value of COTAN_THREADS: 1 to kMaxThreads. Throws Error naming the variable for any other text.
[[nodiscard]] int parse_threads(std::string_view text);

// The default number of threads: `variable` (COTAN_THREADS' value, null or empty when unset) decides; else min(cpus, quota), a quota of 0 being none.
[[nodiscard]] int default_threads(const char* variable, int cpus, int quota);

// Affinity that OpenMP set is a trap: with OMP_PROC_BIND=true its runtime binds the main thread to one CPU as it is loaded, and every thread made later, TBB's
// workers too, inherits that mask. Returns the warning to print, or "" when all is well. `binding` is the setting that asks for it, as "NAME=value", or "".
[[nodiscard]] std::string binding_warning(std::string_view binding, int cpus_allowed, int cpus_wanted);

// The setting of the environment that makes an OpenMP runtime bind threads, as "NAME=value"; "" when there is none.
[[nodiscard]] std::string openmp_binding();

// Prints binding_warning() on stderr, at most once in a process, if the calling thread's mask is smaller than `wanted`.
void warn_if_bound(int wanted);

}  // namespace cotan::parallel
