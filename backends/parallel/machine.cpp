#include "backends/parallel/machine.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "ops/environment.h"

namespace cotan::parallel {
namespace {

// The number that is the whole text, up to white space around it.
std::optional<std::int64_t> whole_number(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(kSpace) - first + 1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "" if there is no such file.
std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

int tighter(int a, int b) { return a == 0 || (b != 0 && b < a) ? b : a; }

// Quota of one cgroup's folder; the files of version 1 are brought to the text of version 2.
int quota_of(const std::filesystem::path& folder) {
  const int v2 = parse_cpu_quota(text_of(folder / "cpu.max"));
  const int v1 = parse_cpu_quota(fmt::format("{} {}", text_of(folder / "cpu.cfs_quota_us"), text_of(folder / "cpu.cfs_period_us")));
  return tighter(v2, v1);
}

// The cgroup's own folder, those above it, and the mount point: in a container the path may be the host's and exist only in part.
int quota_up_to(const std::filesystem::path& mount, std::filesystem::path group) {
  int quota = quota_of(mount);
  for (group = group.relative_path(); !group.empty(); group = group.parent_path()) quota = tighter(quota, quota_of(mount / group));
  return quota;
}

// Whether a comma-separated list holds the word.
bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == word) return true;
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return false;
}

}  // namespace

int affinity_count() {
  // A mask of fixed size is refused on machines with more CPUs than it has bits, so it grows until it is taken.
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> mask(CPU_ALLOC(cpus), [](cpu_set_t* set) { CPU_FREE(set); });
    if (mask == nullptr) break;
    if (sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), mask.get()) == 0) return std::max(1, CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), mask.get()));
  }
  return 1;
}

int usable_cpus() {
  static const int count = affinity_count();
  return count;
}

int parse_cpu_quota(std::string_view cpu_max) {
  const std::size_t gap = cpu_max.find_first_of(" \t\n");
  if (gap == std::string_view::npos) return 0;
  const auto quota = whole_number(cpu_max.substr(0, gap)), period = whole_number(cpu_max.substr(gap));
  if (!quota || !period || *quota <= 0 || *period <= 0) return 0;
  return static_cast<int>(std::min<std::int64_t>((*quota - 1) / *period + 1, kMaxThreads));
}

int cgroup_cpu_quota(const std::filesystem::path& root) {
  // Lines are "number:controllers:path"; version 2 has number 0 and no controllers.
  int quota = 0;
  std::ifstream groups(root / "proc/self/cgroup");
  const std::filesystem::path mount = root / "sys/fs/cgroup";
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty()) {
      quota = tighter(quota, tighter(quota_up_to(mount, group), quota_up_to(mount / "unified", group)));
    } else if (lists(controllers, "cpu")) {
      quota = tighter(quota, tighter(quota_up_to(mount / controllers, group), quota_up_to(mount / "cpu", group)));
    }
  }
  return quota;
}

int parse_threads(std::string_view text) {
  const auto value = whole_number(text);
  if (!value || *value < 1 || *value > kMaxThreads) {
    refuse_environment("COTAN_THREADS", std::string(text), fmt::format("a whole number from 1 to {}", kMaxThreads));
  }
  return static_cast<int>(*value);
}

int default_threads(const char* variable, int cpus, int quota) {
  if (variable != nullptr && *variable != '\0') return parse_threads(variable);
  return std::clamp(tighter(cpus, quota), 1, kMaxThreads);
}

std::string binding_warning(std::string_view binding, int cpus_allowed, int cpus_wanted) {
  if (binding.empty() || cpus_allowed >= cpus_wanted) return {};
  return fmt::format(
      "cotan: warning: the calling thread may run on {} of {} CPUs and {} is set: an OpenMP runtime has probably bound it, and the workers inherit that, so "
      "that "
      "they share {}. Unset it for this program, or bind the process with taskset instead.\n",
      cpus_allowed, cpus_wanted, binding, cpus_allowed == 1 ? "one CPU" : "those CPUs");
}

std::string openmp_binding() {
  // Each of these binds if set, OMP_PROC_BIND unless it says no.
  for (const char* name : {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    std::string text = value;
    std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (text != "false" && text != "disabled" && text != "none") return fmt::format("{}={}", name, value);
  }
  return {};
}

void warn_if_bound(int wanted) {
  static std::atomic<bool> warned{false};
  const std::string warning = binding_warning(openmp_binding(), affinity_count(), wanted);
  if (!warning.empty() && !warned.exchange(true)) std::fputs(warning.c_str(), stderr);
}

}  // namespace cotan::parallel
