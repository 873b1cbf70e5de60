// Memory of tensors: reference-counted buffers from a process-wide pool.
//
// A buffer is shared by reference and goes back to the pool with its last reference, from whatever thread. The pool's settings and statistics are in
// backends/memory/pool.h.
#pragma once

#include <cstddef>
#include <memory>

namespace cotan {

// One buffer. Its address never changes. Reading and writing it from several threads is for its users to order.
class Storage {
 public:
  // Only allocate() makes one: the key cannot be had elsewhere.
  class Key {
    friend std::shared_ptr<Storage> allocate(std::size_t bytes);
    Key() = default;
  };

  // For allocate() alone.
  Storage(Key key, std::size_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  // The first byte, aligned to 64 bytes; never null, also for a buffer of no bytes.
  [[nodiscard]] void* data() { return data_; }
  [[nodiscard]] const void* data() const { return data_; }

  // The size in bytes that was asked for.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* data_;
  std::size_t bytes_;
};

// A shared buffer.
using StorageRef = std::shared_ptr<Storage>;

// A buffer of `bytes` bytes (0 is allowed), content uninitialised. Throws Error with the bytes asked for and the bytes live when there is no such memory.
[[nodiscard]] StorageRef allocate(std::size_t bytes);

}  // namespace cotan
