#include "autograd/cache.h"

#include <list>
#include <mutex>
#include <unordered_map>

#include "autograd/promised.h"
#include "ops/error.h"
#include "ops/hash.h"

namespace cotan {
namespace {

struct Key {
  StructureKey structure;
  CompileOptions options;
  std::uint64_t hash = 0;
  bool operator==(const Key& o) const { return hash == o.hash && options == o.options && structure == o.structure; }
};

struct KeyHash {
  std::size_t operator()(const Key* key) const { return key->hash; }
};
struct KeyEqual {
  bool operator()(const Key* a, const Key* b) const { return *a == *b; }
};

class Cache {
 public:
  std::shared_ptr<const Program> find(const Key& key) {
    std::lock_guard lock(mutex_);
    auto found = index_.find(&key);
    if (found == index_.end()) {
      ++statistics_.misses;
      return nullptr;
    }
    ++statistics_.hits;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->program;
  }

  bool reuse(const Program& program) {
    std::lock_guard lock(mutex_);
    const auto found = by_program_.find(&program);
    if (found == by_program_.end()) return false;
    ++statistics_.hits;
    entries_.splice(entries_.begin(), entries_, found->second);
    return true;
  }

  // The program that is kept: another thread may have been faster.
  std::shared_ptr<const Program> insert(Key key, std::shared_ptr<const Program> program) {
    std::list<Entry> evicted;  // destroyed after the lock is gone
    std::lock_guard lock(mutex_);
    if (const auto found = index_.find(&key); found != index_.end()) return found->second->program;
    entries_.push_front({std::move(key), std::move(program)});
    index_.emplace(&entries_.front().key, entries_.begin());
    by_program_.emplace(entries_.front().program.get(), entries_.begin());
    std::shared_ptr<const Program> kept = entries_.front().program;
    shrink(evicted, capacity_);
    return kept;
  }

  void set_capacity(std::size_t capacity) {
    std::list<Entry> evicted;
    std::lock_guard lock(mutex_);
    capacity_ = capacity;
    shrink(evicted, capacity_);
  }

  void clear() {
    std::list<Entry> evicted;
    std::lock_guard lock(mutex_);
    shrink(evicted, 0);
    statistics_ = {};
  }

  CacheStatistics statistics() {
    std::lock_guard lock(mutex_);
    CacheStatistics s = statistics_;
    s.entries = entries_.size();
    return s;
  }

 private:
  struct Entry {
    Key key;
    std::shared_ptr<const Program> program;
  };

  void shrink(std::list<Entry>& evicted, std::size_t to) {
    while (entries_.size() > to) {
      index_.erase(&entries_.back().key);
      by_program_.erase(entries_.back().program.get());
      evicted.splice(evicted.begin(), entries_, std::prev(entries_.end()));
      ++statistics_.evictions;
    }
  }

  std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<const Key*, std::list<Entry>::iterator, KeyHash, KeyEqual> index_;
  std::unordered_map<const Program*, std::list<Entry>::iterator> by_program_;
  std::size_t capacity_ = 256;
  CacheStatistics statistics_;
};

Cache& cache() {
  static auto* the_cache = new Cache;  // never destroyed: programs may outlive other statics
  return *the_cache;
}

}  // namespace

std::shared_ptr<const Program> program_for(const Structure& structure, std::span<const Ref> roots, const CompileOptions& given, const Place& place, bool& hit) {
  const Promised promised = promised_by(structure);
  CompileOptions options = given;
  options.promises = promised.promises;
  Key key{structure.key, options, mix(structure.key.hash(), static_cast<std::uint64_t>(options.threads) * 64 + options.updates.size())};
  std::shared_ptr<const Program> program = cache().find(key);
  hit = program != nullptr;
  if (hit) return program;
  note_compilation(structure, options, place);
  std::vector<Node*> images;
  const Function closed = close(structure, roots, images);
  options.in_gradient = made_by_differentiation(structure);
  program = compile_program(closed, images, options);
  require_kept(program->report(), promised, structure);  // a program that breaks a promise is not kept, so the next evaluation fails too
  return cache().insert(std::move(key), std::move(program));
}

bool reuse(const Program& program) { return cache().reuse(program); }

CacheStatistics cache_statistics() { return cache().statistics(); }
void clear_cache() {
  cache().clear();
  forget_compilations();
}

void set_cache_capacity(std::size_t entries, std::source_location where) {
  const CallSite site("set_cache_capacity", where);
  if (entries == 0) fail("a cache of no entries", "Keep at least one");
  cache().set_capacity(entries);
}

}  // namespace cotan
