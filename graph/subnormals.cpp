#include "graph/subnormals.h"

#include <atomic>

namespace cotan {
namespace {

std::atomic<bool> flush{true};

}  // namespace

void set_flush_subnormals(bool on) { flush.store(on, std::memory_order_relaxed); }
bool flush_subnormals() { return flush.load(std::memory_order_relaxed); }

}  // namespace cotan
