#include "graph/storage.h"

#include "backends/memory/pool.h"

namespace cotan {

Storage::Storage(Key /*key*/, std::size_t bytes) : data_(memory::pool().take(bytes)), bytes_(bytes) {}

Storage::~Storage() { memory::pool().release(data_, bytes_); }

StorageRef allocate(std::size_t bytes) { return std::make_shared<Storage>(Storage::Key{}, bytes); }

}  // namespace cotan
