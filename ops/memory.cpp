#include "ops/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <atomic>
#include <string>

#include "ops/error.h"

namespace cotan {

namespace {

constexpr std::size_t reserved = std::size_t{64} << 10;
constinit std::atomic<char*> reserve{nullptr};

}  // namespace

EmergencyMemory::EmergencyMemory() noexcept { delete[] reserve.exchange(nullptr); }
EmergencyMemory::~EmergencyMemory() { keep_emergency_memory(); }

void keep_emergency_memory() noexcept {
  if (reserve.load(std::memory_order_relaxed) == nullptr) delete[] reserve.exchange(new (std::nothrow) char[reserved]);
}

namespace {

// Before main() too, since the first call may be the one for which there is no memory. It may come before or behind other initialisers: what it writes was
// constant.
[[gnu::constructor]] void keep_before_main() { keep_emergency_memory(); }

}  // namespace

void no_memory(std::string_view what, std::size_t bytes) {
  const EmergencyMemory emergency;
  const std::string remedy = "Use smaller batches or tensors, release tensors that are no longer needed, or allow the process more memory (ulimit -v)";
  if (bytes > 0) fail(fmt::format("no memory for {}: {} bytes", what, bytes), remedy);
  fail(fmt::format("memory ended while {}", what), remedy);
}

bool has_memory(std::size_t bytes) noexcept {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);  // no page of it is touched
  if (pages == MAP_FAILED) return false;
  munmap(pages, bytes);
  return true;
}

void require_memory(std::size_t bytes, std::string_view what) {
  if (!has_memory(bytes)) no_memory(what, bytes);
}

}  // namespace cotan
