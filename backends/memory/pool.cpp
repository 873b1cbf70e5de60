#include "backends/memory/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

#include "backends/memory/poison.h"
#include "ops/error.h"
#include "ops/memory.h"

namespace cotan::memory {
namespace {

[[noreturn]] void out_of_memory(std::size_t bytes, std::size_t live) {
  const EmergencyMemory emergency;
  fail(fmt::format("no memory for a buffer of {} bytes; {} bytes are live", bytes, live),
       bytes > kMostBytes ? "Check the shape it is for: no machine has that much"
                          : "Use smaller batches or tensors, or release tensors that are no longer needed");
}

}  // namespace

System operating_system() {
  return {.take = [](std::size_t bytes) { return std::aligned_alloc(kAlignment, bytes); },
          .give = [](void* memory, std::size_t /*bytes*/) { std::free(memory); }};
}

// Up to 512 bytes a class for each multiple of 64; beyond, eight to each power of two.
SizeClass size_class(std::size_t bytes) {
  constexpr std::size_t kSmall = 512, kSmallClasses = kSmall / kAlignment;
  if (bytes <= kSmall) {
    const std::size_t units = std::max<std::size_t>(1, (bytes + kAlignment - 1) / kAlignment);
    return {.index = units - 1, .bytes = units * kAlignment};
  }
  const auto power = static_cast<std::size_t>(std::bit_width(bytes - 1) - 1);  // 2^power < bytes <= 2^(power+1)
  const std::size_t step = (std::size_t{1} << power) / 8, eighths = (bytes - (std::size_t{1} << power) + step - 1) / step;
  return {.index = kSmallClasses + (power - 9) * 8 + eighths - 1, .bytes = (std::size_t{1} << power) + eighths * step};
}

Pool::~Pool() { trim(); }

void* Pool::take(std::size_t bytes) {
  if (bytes > kMostBytes) out_of_memory(bytes, statistics().live);
  const bool fill = poison();  // may throw, so before anything is taken
  const SizeClass size = size_class(bytes);
  void* memory = take_cached(size);
  const bool fresh = memory == nullptr;
  if (fresh) memory = system_.take(size.bytes);
  if (memory == nullptr) {
    trim();
    memory = system_.take(size.bytes);
  }
  if (memory == nullptr) out_of_memory(bytes, statistics().live);
  {
    const std::lock_guard lock(mutex_);
    statistics_.live += bytes;
    statistics_.peak = std::max(statistics_.peak, statistics_.live);
    statistics_.live_buffers += 1;
    if (fresh) statistics_.held += size.bytes;
  }
  permit(memory, size.bytes);
  if (fill) fill_with_poison(memory, size.bytes);
  forbid(static_cast<char*>(memory) + bytes, size.bytes - bytes);
  return memory;
}

void Pool::release(void* memory, std::size_t bytes) noexcept {
  const SizeClass size = size_class(bytes);
  permit(memory, size.bytes);
  // Whether to fill was decided when the first buffer was taken, so this does not throw. Outside the lock: the block still is the caller's alone.
  if (poison()) fill_with_poison(memory, size.bytes);
  forbid(memory, size.bytes);
  std::size_t limit = 0;
  bool kept = false;
  {
    const std::lock_guard lock(mutex_);
    statistics_.live -= bytes;
    statistics_.live_buffers -= 1;
    limit = limit_;
    kept = keep(memory, size);
  }
  if (kept) {
    shrink_to(limit);
  } else {
    permit(memory, size.bytes);
    system_.give(memory, size.bytes);
  }
}

// The newest block, whose bytes are most likely still in a cache; null if the list is empty.
void* Pool::take_cached(const SizeClass& size) {
  const std::lock_guard lock(mutex_);
  std::deque<Block>& list = free_[size.index];
  if (list.empty()) return nullptr;
  void* memory = list.back().memory;
  list.pop_back();
  statistics_.cached -= size.bytes;
  return memory;
}

// With the lock held. False when there is no memory for the list's own growth; the block then counts as given back.
bool Pool::keep(void* memory, const SizeClass& size) noexcept {
  try {
    free_[size.index].push_back({.memory = memory, .bytes = size.bytes, .age = releases_++});
    statistics_.cached += size.bytes;
    return true;
  } catch (const std::bad_alloc&) {
    statistics_.held -= size.bytes;
    return false;
  }
}

// The block that has lain longest, if more than `bytes` are cached; it then counts as given back.
Pool::Block Pool::pop_beyond(std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  if (statistics_.cached <= bytes) return {};
  // The lists are few, and this runs only when the limit is met.
  std::deque<Block>* oldest = nullptr;
  for (std::deque<Block>& list : free_) {
    if (!list.empty() && (oldest == nullptr || list.front().age < oldest->front().age)) oldest = &list;
  }
  const Block block = oldest->front();
  oldest->pop_front();
  statistics_.cached -= block.bytes;
  statistics_.held -= block.bytes;
  return block;
}

// The lock is not held while the system takes a block back, which for large ones is slow.
void Pool::shrink_to(std::size_t bytes) noexcept {
  for (Block block = pop_beyond(bytes); block.memory != nullptr; block = pop_beyond(bytes)) {
    permit(block.memory, block.bytes);
    system_.give(block.memory, block.bytes);
  }
}

void Pool::trim() noexcept { shrink_to(0); }

void Pool::set_limit(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
  }
  shrink_to(bytes);
}

Statistics Pool::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

void Pool::reset_peak() {
  const std::lock_guard lock(mutex_);
  statistics_.peak = statistics_.live;
}

Pool& pool() {
  static auto& the_pool = *new Pool;
  return the_pool;
}

}  // namespace cotan::memory
