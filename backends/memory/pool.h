// The pool that buffers come from and go back to.
//
// Sizes are rounded up to classes (multiples of 64 bytes, from 512 bytes on eight classes to a power of two, so at most an eighth is lost); each class has a
// free list. A bounded number of bytes stays in the lists; beyond it, what has lain there longest is given back to the system. Thread-safe throughout.
//
// Finding misuse: in poison mode memory is filled with NaNs when it is released and when it is handed out (poison.h). In a build with the address sanitizer,
// released memory and the bytes between a buffer's size and its class's are poisoned for it, in either mode.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>

#include "graph/storage.h"

namespace cotan::memory {

inline constexpr std::size_t kAlignment = 64;

// The largest buffer: a size beyond it is surely a mistake, and no system is asked for it.
inline constexpr std::size_t kMostBytes = std::size_t{1} << 40;

// The class of a size: its number, and the bytes of its blocks. `bytes` is at most kMostBytes.
struct SizeClass {
  std::size_t index;
  std::size_t bytes;
};
[[nodiscard]] SizeClass size_class(std::size_t bytes);

// All in bytes, at the time of the call.
struct Statistics {
  std::size_t live = 0;          // asked for and not released
  std::size_t peak = 0;          // the greatest `live` since reset_peak()
  std::size_t cached = 0;        // in the free lists
  std::size_t held = 0;          // taken from the system: the live buffers rounded up to their classes, and the cached ones
  std::size_t live_buffers = 0;  // a number, not bytes
};

// Where a pool gets memory; tests hand in one that fails.
struct System {
  void* (*take)(std::size_t bytes);               // aligned to kAlignment; null when there is none. bytes is a multiple of kAlignment, not 0
  void (*give)(void* memory, std::size_t bytes);  // what take(bytes) returned
};

[[nodiscard]] System operating_system();

class Pool {
 public:
  static constexpr std::size_t kDefaultLimit = std::size_t{1} << 30;

  explicit Pool(System system = operating_system()) : system_(system) {}
  ~Pool();  // gives the free lists back; live buffers must be released before
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Memory of at least `bytes` bytes (0: an address all the same), aligned to kAlignment, uninitialised. When the system has none, the free lists are given
  // back and it is asked again; then Error with the bytes asked for and the bytes live.
  [[nodiscard]] void* take(std::size_t bytes);

  // Returns what take(bytes) gave, with the same number.
  void release(void* memory, std::size_t bytes) noexcept;

  // Gives all free memory back to the system.
  void trim() noexcept;

  // The most bytes that the free lists keep (default 1 GiB); more than that is given back at once.
  void set_limit(std::size_t bytes);

  [[nodiscard]] Statistics statistics() const;
  void reset_peak();  // peak = live

 private:
  static constexpr std::size_t kClasses = 256;

  struct Block {
    void* memory = nullptr;
    std::size_t bytes = 0;  // the class's
    std::uint64_t age = 0;  // number of the release that put it here
  };

  void* take_cached(const SizeClass& size);
  bool keep(void* memory, const SizeClass& size) noexcept;
  Block pop_beyond(std::size_t bytes) noexcept;
  void shrink_to(std::size_t bytes) noexcept;

  System system_;
  mutable std::mutex mutex_;
  // The rest is guarded by mutex_. Newest block last.
  std::array<std::deque<Block>, kClasses> free_;
  std::size_t limit_ = kDefaultLimit;
  std::uint64_t releases_ = 0;
  Statistics statistics_;
};

// The pool of allocate(). Never destroyed: buffers may be released while the process exits.
[[nodiscard]] Pool& pool();

}  // namespace cotan::memory
