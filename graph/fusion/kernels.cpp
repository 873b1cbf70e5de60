// Maps that read each other, or the same tensors, as one loop.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "graph/cluster.h"
#include "graph/fusion/fusion.h"

namespace cotan::fusion {
namespace {

constexpr std::string_view name = "fuse_kernels";
// Beyond these a loop's values no longer fit registers and the first cache, and compiling it takes too long.
constexpr std::size_t most_atoms = 160, most_streams = 28;

std::size_t atoms_of(const Group& g) {
  std::size_t atoms = 0;
  for (const Ref& n : g.nodes) atoms += n->kind == Kind::map ? n->formula().nodes.size() : 1;
  return atoms;
}

class Merging {
 public:
  explicit Merging(Groups& groups) : groups_(groups) {}

  void run() {
    const std::size_t count = groups_.all().size();
    for (std::size_t g = 0; g < count; ++g) {
      int here = static_cast<int>(g);
      if (groups_[here].nodes.empty() || !groups_[here].claim.loop) continue;
      const std::vector<Ref> nodes = groups_[here].nodes;
      for (const Ref& n : nodes)
        for (const Edge& e : n->operands()) {
          try_merge(e.node, here, true);
          // Others that read the same tensor. A number that all elements read is read once whatever the loop: it joins nothing, or a parameter's update would
          // be torn apart by the streams of another one's (an optimizer's numbers).
          if (memory_of(Ref(e)).shape().elements() == 1 && n.shape().elements() > 1) continue;
          const auto readers = groups_.readers(e.node);
          if (readers.size() > most_siblings || n.shape().elements() < least_shared) continue;
          for (const Node* sibling : readers)
            if (groups_.order_of(sibling) < groups_.order_of(n.node())) try_merge(sibling, here, false);
        }
    }
    for (std::size_t g = 0; g < count; ++g) {
      const int here[] = {static_cast<int>(g)};
      if (const Group& group = groups_[here[0]]; group.fusion == name) groups_.reclaim(here[0], loop_claim(groups_, group.nodes, here), name);
    }
  }

 private:
  static constexpr std::size_t most_siblings = 32;
  // Elements below which two loops gain nothing by reading their operands once, but would wait for each other's.
  static constexpr std::int64_t least_shared = 64;

  // Merges the group of `other` with `here`, whose number becomes the other's. That a producer cannot is worth a word.
  void try_merge(const Node* other, int& here, bool producer) {
    const int group = groups_.of(other);
    if (group < 0 || group == here) return;
    const Group &a = groups_[group], &b = groups_[here];
    if (!a.claim.loop || a.nodes[0].shape() != b.nodes[0].shape()) return;
    if (atoms_of(a) + atoms_of(b) > most_atoms ||
        a.claim.inputs.size() + a.claim.results.size() + b.claim.inputs.size() + b.claim.results.size() > most_streams) {
      if (producer) groups_.miss(name, b.nodes[0].node(), {ReasonCode::too_long, fmt::format("{} operations in one loop", atoms_of(a) + atoms_of(b))});
      return;
    }
    const int both[] = {group, here};
    if (!groups_.can_merge(both)) {
      if (producer) groups_.miss(name, b.nodes[0].node(), {ReasonCode::between, "what lies between reads the one and is read by the other"});
      return;
    }
    groups_.merge(both, streams(a, b, both), name);
    here = group;
  }

  // What the two read and write together; the loop itself is made when nothing more joins.
  Claim streams(const Group& a, const Group& b, std::span<const int> both) const {
    Claim claim;
    claim.loop = true;
    for (const Group* g : {&a, &b}) {
      for (const Ref& r : g->claim.inputs) {
        const int from = groups_.of(r.node());
        if (from != both[0] && from != both[1] && std::find(claim.inputs.begin(), claim.inputs.end(), r) == claim.inputs.end()) claim.inputs.push_back(r);
      }
      for (const Ref& r : g->claim.results)
        if (groups_.read_outside(r, both)) claim.results.push_back(r);
    }
    return claim;
  }

  Groups& groups_;
};

}  // namespace

Cluster loop_cluster(const Groups& groups, std::span<const Ref> nodes, std::span<const int> inside, const Claim& claim) {
  Cluster cluster = cluster_of(nodes, claim.inputs, claim.results);
  const Function& f = groups.function();
  for (const Update& u : groups.context().options.updates) {
    const auto at = std::ranges::find(claim.results, f.results[static_cast<std::size_t>(u.result)]);
    if (at == claim.results.end()) continue;
    cluster.stores[static_cast<std::size_t>(at - claim.results.begin())].read_elsewhere =
        groups.read_outside(f.parameters[static_cast<std::size_t>(u.parameter)], inside);
  }
  return cluster;
}

Claim loop_claim(const Groups& groups, std::span<const Ref> nodes, std::span<const int> inside) {
  Claim claim;
  std::unordered_set<const Node*> own;
  for (const Ref& n : nodes) own.insert(n.node());
  for (const Ref& n : nodes) {
    for (const Edge& e : n->operands()) {
      const Ref r(e);
      if (!own.contains(e.node) && !is_fill(*e.node) && std::find(claim.inputs.begin(), claim.inputs.end(), r) == claim.inputs.end()) claim.inputs.push_back(r);
    }
    if (groups.read_outside(n, inside)) claim.results.push_back(n);
  }
  claim.in_place = claim.loop = true;
  claim.compile = [cluster = loop_cluster(groups, nodes, inside, claim),
                   set = groups.context().options.backends.target.instructions](std::span<const View> in, std::span<const View> out, int) {
    return Made{compile_loop(cluster, in, out, set), {}};
  };
  return claim;
}

void fuse_kernels(Groups& groups) { Merging(groups).run(); }

}  // namespace cotan::fusion
