#include "backends/loops/jit/code_cache.h"

#include <bit>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>

#include "backends/loops/jit/record_cluster.h"

namespace cotan::loops::jit {
namespace {

// The structure as bytes, which are compared in full.
std::string key_of(const Cluster& cluster, std::span<const Level> levels, InstructionSet set, std::span<const Way> ways) {
  std::string key;
  auto add = [&key](auto... parts) { (key.append(reinterpret_cast<const char*>(&parts), sizeof(parts)), ...); };
  add(set, cluster.loads.size(), cluster.nodes.size(), cluster.stores.size());
  for (std::size_t l = 0; l < levels.size(); ++l) add(cluster.loads[l].dtype, levels[l]);
  for (const FormulaNode& n : cluster.nodes) add(n.atom, n.dtype, n.a, n.b, n.c, std::bit_cast<std::uint64_t>(n.literal));
  for (std::size_t s = 0; s < cluster.stores.size(); ++s) add(cluster.stores[s].node, cluster.stores[s].dtype, ways.empty() ? Way::write : ways[s]);
  return key;
}

struct Cache {
  std::mutex mutex;
  std::unordered_map<std::string, std::shared_ptr<const CompiledCode>> codes;
  std::deque<std::string> order;  // oldest first
  CodeCounts counts;
};

// Never destroyed: kernels may be compiled while the process ends.
Cache& cache() {
  static Cache& c = *new Cache;
  return c;
}

std::shared_ptr<const CompiledCode> make(const Cluster& cluster, std::span<const Level> levels, InstructionSet set, std::span<const Way> ways) {
  const std::optional<Program> program = record_cluster(cluster, levels, set, ways);
  if (!program) return nullptr;
  const Generated generated = generate(*program);
  std::optional<CodeMemory> memory = CodeMemory::make(generated.bytes);
  if (!memory) return nullptr;
  return std::make_shared<const CompiledCode>(std::move(*memory), generated);
}

}  // namespace

std::shared_ptr<const CompiledCode> code_for(const Cluster& cluster, std::span<const Level> levels, InstructionSet set, std::span<const Way> ways) {
  const std::string key = key_of(cluster, levels, set, ways);
  Cache& c = cache();
  {
    const std::lock_guard lock(c.mutex);
    if (const auto at = c.codes.find(key); at != c.codes.end()) {
      ++c.counts.found;
      return at->second;
    }
  }
  std::shared_ptr<const CompiledCode> made = make(cluster, levels, set, ways);
  const std::lock_guard lock(c.mutex);
  const auto [at, fresh] = c.codes.try_emplace(key, made);
  if (!fresh) return at->second;  // another thread was first
  if (made != nullptr) ++c.counts.made;
  c.order.push_back(key);
  if (c.order.size() > cached_codes) {
    c.codes.erase(c.order.front());
    c.order.pop_front();
  }
  return made;
}

CodeCounts code_counts() {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  CodeCounts counts = c.counts;
  counts.kept = c.codes.size();
  return counts;
}

}  // namespace cotan::loops::jit
