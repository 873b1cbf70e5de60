// Interning of immutable specifications: equal contents give one object, so that equality of pointers is equality of contents.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace cotan {

// A process-wide table of shared, immutable T. T has `std::uint64_t hash() const` and operator== (full equality). Entries that nobody else holds are dropped
// when the table has grown by a quarter. Safe from any thread.
template <class T>
class Interner {
 public:
  [[nodiscard]] std::shared_ptr<const T> intern(T value) {
    const std::uint64_t h = value.hash();
    std::lock_guard lock(mutex_);
    auto [first, last] = table_.equal_range(h);
    for (auto it = first; it != last; ++it)
      if (*it->second == value) return it->second;
    if (table_.size() >= limit_) {
      std::erase_if(table_, [](const auto& entry) { return entry.second.use_count() == 1; });
      limit_ = table_.size() + table_.size() / 4 + 1024;
    }
    auto made = std::make_shared<const T>(std::move(value));
    table_.emplace(h, made);
    return made;
  }

  // How many entries it has, those among them that nobody else holds and that have not been dropped yet.
  [[nodiscard]] std::size_t size() {
    std::lock_guard lock(mutex_);
    return table_.size();
  }

 private:
  std::mutex mutex_;
  std::unordered_multimap<std::uint64_t, std::shared_ptr<const T>> table_;
  std::size_t limit_ = 1024;
};

// The one table of T. Never destroyed: handles in other statics may outlive it.
template <class T>
[[nodiscard]] Interner<T>& interner() {
  static auto* table = new Interner<T>;
  return *table;
}

// The one object of that content.
template <class T>
[[nodiscard]] std::shared_ptr<const T> interned(T value) {
  return interner<T>().intern(std::move(value));
}

// How many T the process holds.
template <class T>
[[nodiscard]] std::size_t interned_entries() {
  return interner<T>().size();
}

}  // namespace cotan
