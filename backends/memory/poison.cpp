#include "backends/memory/poison.h"

#include <algorithm>
#include <atomic>

#include "ops/environment.h"

#if defined(__SANITIZE_ADDRESS__)
#define COTAN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COTAN_ASAN 1
#endif
#endif
#ifdef COTAN_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace cotan::memory {
namespace {

constexpr int kUndecided = -1;
std::atomic<int> mode{kUndecided};

}  // namespace

void set_poison(bool on) { mode.store(on ? 1 : 0, std::memory_order_relaxed); }

bool poison() {
  int seen = mode.load(std::memory_order_relaxed);
  if (seen == kUndecided) {
    const int found = environment_switch("COTAN_POISON") ? 1 : 0;
    if (mode.compare_exchange_strong(seen, found, std::memory_order_relaxed)) seen = found;
  }
  return seen == 1;
}

void fill_with_poison(void* memory, std::size_t bytes) { std::fill_n(static_cast<std::uint64_t*>(memory), bytes / sizeof(std::uint64_t), kPoison); }

#ifdef COTAN_ASAN
const bool kAddressSanitizer = true;
void forbid(const void* memory, std::size_t bytes) { __asan_poison_memory_region(memory, bytes); }
void permit(const void* memory, std::size_t bytes) { __asan_unpoison_memory_region(memory, bytes); }
#else
const bool kAddressSanitizer = false;
void forbid(const void* /*memory*/, std::size_t /*bytes*/) {}
void permit(const void* /*memory*/, std::size_t /*bytes*/) {}
#endif

}  // namespace cotan::memory
