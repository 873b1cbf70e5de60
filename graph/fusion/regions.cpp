// Kernels that share their outer rows, run tile by tile: what they hand to each other stays in the cache.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "graph/fusion/fusion.h"
#include "graph/fusion/region_claim.h"
#include "graph/fusion/tiles.h"
#include "graph/recognise.h"

namespace cotan::fusion {
namespace {

constexpr std::string_view name = regions_name;
constexpr std::size_t most_nodes = 192;    // of one region
constexpr double worth_a_chunk = 32768;    // elements computed that a worker should get at least
constexpr double enough_tiles = 8;         // for the workers of a small machine
constexpr double products_an_element = 8;  // multiply-adds that take as long as an element of a loop
constexpr double small_product = 1e5;      // multiply-adds that no backend cuts
constexpr double light_weights = 16384;    // elements that each tile of a product may read again
constexpr double small_bytes = 98304;      // all that a region without tiles touches

double elements_of(const Ref& r) { return static_cast<double>(r.shape().elements()); }
double bytes_of(const Ref& r) { return elements_of(r) * static_cast<double>(size_of(r.dtype())); }

// The multiply-adds of a product of tensors; 0 for every other node.
double products_of(const Node& n) {
  if (n.kind != Kind::sum || n.as<SumSpec>().factors.size() < 2) return 0;
  double points = 1;
  for (const std::int64_t extent : n.as<SumSpec>().domain) points *= static_cast<double>(extent);
  return points;
}

bool is_forward_convolution(const Node& n) {
  if (products_of(n) == 0) return false;
  const SumForm form = recognise(n);
  const auto* convolution = std::get_if<ConvolutionForm>(&form);
  return convolution != nullptr && convolution->output == ConvolutionOutput::result;
}

class Regions {
 public:
  explicit Regions(Groups& groups) : groups_(groups) {}

  void run() {
    for (const Group& g : groups_.all()) {
      for (const Ref& r : g.claim.results) stored_.insert(r.node());
      if (g.claim.loop || g.backend == nullptr || g.backend == backends().back()) continue;
      for (const Ref& n : g.nodes)
        if (products_of(*n.node()) > 0) primitives_.insert(n.node());
    }
    for (const Update& u : groups_.context().options.updates)
      updating_.insert(groups_.of(groups_.function().results[static_cast<std::size_t>(u.result)].node()));
    grow(false);
    grow(true);
    for (std::size_t g = 0; g < groups_.all().size(); ++g)
      if (groups_[static_cast<int>(g)].fusion == name) finish(static_cast<int>(g));
  }

 private:
  // ---- which groups

  // Loops, and primitives that lose nothing when they are called tile by tile.
  [[nodiscard]] bool joins(int group) {
    if (group < 0) return false;
    const Group& g = groups_[group];
    if (g.nodes.empty() || !g.claim.wants.empty()) return false;
    if (g.fusion == name) return true;
    // New values of parameters are written in place by loops of their own.
    if (updating_.contains(group)) return false;
    const CompileOptions& options = groups_.context().options;
    const bool loops = g.claim.loop || g.backend == backends().back();
    // What fusions made of several nodes brings its own order, and primitives may round in another way where they are called for other rows.
    if (!loops && (g.backend == nullptr || (options.backends.reproducible && !std::ranges::all_of(g.nodes, rounds_alike)))) return false;
    return std::all_of(g.nodes.begin(), g.nodes.end(), [&](const Ref& n) { return n->kind != Kind::leaf && (loops || may_be_cut(*n.node())); });
  }

  // Whether a primitive gives each image the same bits in a tile as among all: forward convolutions and poolings compute one image after the other.
  [[nodiscard]] static bool rounds_alike(const Ref& n) {
    if (n->kind == Kind::map || n->kind == Kind::cast || n->kind == Kind::reduce) return true;
    return n->kind == Kind::sum && (is_forward_convolution(*n.node()) || n->as<SumSpec>().factors.size() == 1);
  }

  // Whether a primitive does no more in all when it is called for a tile at a time: a composite, a product of matrices that packs no large operand for each
  // tile, or a convolution whose weights lie as it wants them.
  [[nodiscard]] bool may_be_cut(const Node& n) {
    const double products = products_of(n);
    if (products == 0) return true;
    const bool convolution = is_forward_convolution(n);
    if (!convolution && !std::holds_alternative<MatmulForm>(recognise(n))) return false;
    if (small_) return products <= small_product;
    const auto& how = accesses(&n);
    if (!how) return false;
    for (std::size_t k = 0; k < n.operand_count; ++k)
      if ((*how)[k] != TileAccess::tile && elements_of(n.operand(k)) > light_weights && !(convolution && lies_as_wanted(n, k))) return false;
    return true;
  }

  // Whether no backend would bring a convolution's weights into blocks first, and a worker's cache holds them from tile to tile.
  [[nodiscard]] bool lies_as_wanted(const Node& n, std::size_t operand) {
    if (bytes_of(n.operand(operand)) > tile_bytes()) return false;
    if (!std::get<ConvolutionForm>(recognise(n)).groups.empty()) return false;  // blocks of groups are no layout of a graph's
    auto [it, fresh] = wishes_.try_emplace(&n);
    if (fresh)
      for (const Backend* backend : backends())
        if (it->second.empty()) it->second = backend->blockings(Ref(const_cast<Node*>(&n)), groups_.context().options.backends);
    return it->second.empty() || it->second[operand + 1].empty();
  }

  // `small`: groups that together are too little work to be cut.
  void grow(bool small) {
    small_ = small;
    const std::size_t count = groups_.all().size();
    for (std::size_t g = 0; g < count; ++g) {
      int here = static_cast<int>(g);
      if (!joins(here)) continue;
      const std::vector<Ref> nodes = groups_[here].nodes;
      for (const Ref& n : nodes)
        for (const Edge& e : n->operands()) join_producers(e.node, here, 0);
    }
  }

  // The producers of an operand, through views, and their other readers.
  void join_producers(const Node* operand, int& here, int depth) {
    if (depth > 8) return;
    const int group = groups_.of(operand);
    if (group >= 0) {
      try_merge(group, here);
    } else {
      for (const Edge& e : operand->operands()) join_producers(e.node, here, depth + 1);
    }
    const auto readers = groups_.readers(operand);
    if (readers.size() > 16) return;
    for (const Node* sibling : readers)
      if (groups_.of(sibling) >= 0 && groups_.order_of(sibling) < groups_.last_of(here)) try_merge(groups_.of(sibling), here);
  }

  void try_merge(int other, int& here) {
    if (other == here || !joins(other) || !joins(here)) return;
    const Group &a = groups_[other], &b = groups_[here];
    if (a.nodes.size() + b.nodes.size() > most_nodes) return;
    const int both[] = {other, here};
    std::vector<Ref> nodes = a.nodes;
    nodes.insert(nodes.end(), b.nodes.begin(), b.nodes.end());
    if (small_ ? touched(nodes) > small_bytes : !can_tile(nodes, both)) return;
    if (!groups_.can_merge(both, true)) {
      groups_.miss(name, b.nodes[0].node(), {ReasonCode::between, "what lies between reads the one and is read by the other"});
      return;
    }
    groups_.merge(both, {}, name);
    here = other;
  }

  // What lies in memory of what the nodes compute and read; what one loop hands on in registers does not.
  [[nodiscard]] double touched(std::span<const Ref> nodes) {
    double bytes = 0;
    for (const Ref& n : nodes) bytes += touched_by(n);
    return bytes;
  }
  [[nodiscard]] double touched_by(const Ref& n) {
    const auto [it, fresh] = touched_.try_emplace(n.node(), 0);
    if (!fresh) return it->second;
    double bytes = stored_.contains(n.node()) ? bytes_of(n) : 0;
    for (const Edge& e : n->operands())
      if (groups_.of(e.node) < 0 || stored_.contains(e.node)) bytes += bytes_of(memory_of(Ref(e))) / 2;
    return it->second = bytes;
  }

  // ---- how they are cut

  // What a tile may touch: half of the second cache.
  [[nodiscard]] double tile_bytes() const {
    return static_cast<double>(std::clamp<std::int64_t>(groups_.context().options.backends.target.second_cache, 1 << 18, 1 << 22)) / 2;
  }

  const std::optional<std::vector<TileAccess>>& accesses(const Node* n) {
    auto [it, fresh] = accesses_.try_emplace(n);
    if (fresh) it->second = tile_accesses(*n);
    return it->second;
  }

  // Whether the node can be cut, and reads what is inside by its own tile only, and the rest by tiles or as a whole.
  [[nodiscard]] bool reads_by_tiles(const Node* n, std::span<const int> inside) {
    const auto& how = accesses(n);
    if (!how) return false;
    for (std::size_t k = 0; k < n->operand_count; ++k) {
      if (!kernel_reads(groups_, n, k)) continue;
      const TileAccess access = (*how)[k];
      const Node* operand = n->operands()[k].node;
      if (access == TileAccess::other) return false;
      if (!leads_inside(groups_, operand, inside)) continue;
      if (access != TileAccess::tile) return false;
      if (groups_.of(operand) < 0 && !reads_by_tiles(operand, inside)) return false;
    }
    return true;
  }

  [[nodiscard]] bool can_tile(std::span<const Ref> nodes, std::span<const int> inside) {
    std::int64_t rows = 0;
    for (const Ref& n : nodes) {
      rows = common_rows(*n.node(), rows);
      if (rows < 2 || !reads_by_tiles(n.node(), inside)) return false;
    }
    // Fewer tiles than workers, where there is work for more, would leave some idle.
    const double workers = std::min<double>(groups_.context().options.grid(), work_of(nodes) / worth_a_chunk);
    return static_cast<double>(rows) >= workers && touched(nodes) / static_cast<double>(rows) <= 4 * tile_bytes();
  }

  // In elements of a loop.
  [[nodiscard]] static double work_of(std::span<const Ref> nodes) {
    double work = 0;
    for (const Ref& n : nodes) work += elements_of(n) + products_of(*n.node()) / products_an_element;
    return work;
  }

  // How many tiles: enough for the workers, and small enough for the cache; a divisor of all first dimensions.
  [[nodiscard]] std::int64_t tiles_for(std::span<const Ref> nodes) {
    std::int64_t rows = 0;
    bool primitives = false, convolutions = false;
    for (const Ref& n : nodes) {
      rows = common_rows(*n.node(), rows);
      primitives |= n->kind == Kind::call || products_of(*n.node()) > 0;
      convolutions |= is_forward_convolution(*n.node());
    }
    // Each tile calls its primitives anew, so with them only large tiles are made many; a convolution's weights come from the second cache for each tile.
    const double worth = work_of(nodes) / worth_a_chunk, few = std::min(worth, std::max(enough_tiles, 4.0 * groups_.context().options.grid()));
    const double many = convolutions ? few : primitives ? std::max(std::min(worth, enough_tiles), worth / enough_tiles) : worth;
    // Between convolutions an image's tensors live one or two at a time, and tiles of one small image are slower than larger ones.
    const double bytes = convolutions ? touched(nodes) / 2 : touched(nodes);
    const double wanted = std::max(bytes / tile_bytes(), std::min(64.0, many));
    for (std::int64_t t = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(wanted))); t < rows; ++t)
      if (rows % t == 0) return t;
    return rows;
  }

  void finish(int group) {
    const std::vector<Ref> nodes = groups_[group].nodes;
    const int inside[] = {group};
    RegionClaim made = claim_region(groups_, group, can_tile(nodes, inside) ? tiles_for(nodes) : 1, primitives_);
    groups_.reclaim(group, std::move(made.claim), name, nullptr, std::move(made.extras));
  }

  Groups& groups_;
  bool small_ = false;
  std::unordered_set<const Node*> stored_;      // values that a step writes before there are regions
  std::unordered_set<int> updating_;            // groups that write parameters
  std::unordered_map<const Node*, double> touched_;
  std::unordered_set<const Node*> primitives_;  // products that a primitive computes
  std::unordered_map<const Node*, std::optional<std::vector<TileAccess>>> accesses_;
  std::unordered_map<const Node*, std::vector<Blocking>> wishes_;
};

}  // namespace

void fuse_regions(Groups& groups) { Regions(groups).run(); }

}  // namespace cotan::fusion
