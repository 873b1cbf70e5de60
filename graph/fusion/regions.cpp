// Kernels that share their outer rows, run tile by tile: what they hand to each other stays in the cache.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "graph/builder.h"
#include "graph/fusion/fusion.h"
#include "graph/fusion/region_kernel.h"
#include "graph/fusion/tiles.h"
#include "graph/plan.h"
#include "graph/recognise.h"

namespace cotan::fusion {
namespace {

constexpr std::string_view name = "fuse_regions";
constexpr std::size_t most_nodes = 192;       // of one region
constexpr double worth_a_chunk = 32768;       // elements computed that a worker should get at least
constexpr double enough_tiles = 8;            // for the workers of a small machine
constexpr double products_an_element = 8;     // multiply-adds that take as long as an element of a loop
constexpr double small_product = 1e5;         // multiply-adds that no backend cuts
constexpr double light_weights = 16384;       // elements that each tile of a product may read again
constexpr std::int64_t most_tiles = 1 << 16;  // beyond these the tiles are too thin
constexpr double small_bytes = 98304;         // all that a region without tiles touches

// What a tile may touch: half of the second cache.
double tile_bytes() {
  static const double bytes = [] {
    const long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return static_cast<double>(std::clamp<long>(l2 > 0 ? l2 : 1 << 20, 1 << 18, 1 << 22)) / 2;
  }();
  return bytes;
}

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
      for (const Ref& partner : g.claim.wants) wanted_.insert(partner.node());
      if (g.claim.loop || g.backend == nullptr || g.backend == backends().back()) continue;
      for (const Ref& n : g.nodes)
        if (products_of(*n.node()) > 0) primitives_.insert(n.node());
    }
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
    const CompileOptions& options = groups_.context().options;
    for (const Update& u : options.updates)
      if (groups_.of(groups_.function().results[static_cast<std::size_t>(u.result)].node()) == group) return false;
    const bool loops = g.claim.loop || g.backend == backends().back();
    // What fusions made of several nodes brings its own order, and primitives may round in another way where they are called for other rows.
    if (!loops && (g.backend == nullptr || (options.reproducible && !std::ranges::all_of(g.nodes, rounds_alike)))) return false;
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
    for (std::size_t k = 0; k < n.operand_count; ++k)
      if (accesses(&n)[k] != TileAccess::tile && elements_of(n.operand(k)) > light_weights && !(convolution && lies_as_wanted(n, k))) return false;
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
      if (groups_.of(sibling) >= 0 && groups_.order_of(sibling) < groups_.order_of(groups_[here].nodes.back().node())) try_merge(groups_.of(sibling), here);
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
  [[nodiscard]] double touched(std::span<const Ref> nodes) const {
    double bytes = 0;
    for (const Ref& n : nodes) {
      if (stored_.contains(n.node())) bytes += bytes_of(n);
      for (const Edge& e : n->operands())
        if (groups_.of(e.node) < 0 || stored_.contains(e.node)) bytes += bytes_of(memory_of(Ref(e))) / 2;
    }
    return bytes;
  }

  // ---- how they are cut

  const std::vector<TileAccess>& accesses(const Node* n) {
    auto [it, fresh] = accesses_.try_emplace(n);
    if (fresh) it->second = tile_accesses(*n);
    return it->second;
  }

  // Whether what the node is or, if it is a view, looks at lies inside.
  [[nodiscard]] bool leads_inside(const Node* n, std::span<const int> inside) const {
    for (;;) {
      const int group = groups_.of(n);
      if (group >= 0) return std::find(inside.begin(), inside.end(), group) != inside.end();
      if (n->operand_count == 0 || !is_view(*n) || is_opaque(*n)) return false;
      n = n->operands()[0].node;
    }
  }

  // Whether the node's kernel reads its operand k: a primitive may do without some of a call's.
  [[nodiscard]] bool reads(const Node* n, std::size_t k) const {
    if (n->kind != Kind::call) return true;
    const Claim* claim = groups_.context().claims.first(Ref(const_cast<Node*>(n)));
    return claim == nullptr || std::find(claim->inputs.begin(), claim->inputs.end(), n->operand(k)) != claim->inputs.end();
  }

  // Whether the node reads what is inside by its own tile only, and the rest by tiles or as a whole.
  [[nodiscard]] bool reads_by_tiles(const Node* n, std::span<const int> inside) {
    for (std::size_t k = 0; k < n->operand_count; ++k) {
      if (!reads(n, k)) continue;
      const TileAccess access = accesses(n)[k];
      const Node* operand = n->operands()[k].node;
      if (access == TileAccess::other) return false;
      if (!leads_inside(operand, inside)) continue;
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
  [[nodiscard]] std::int64_t tiles_for(std::span<const Ref> nodes) const {
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
    const double wanted = std::max(touched(nodes) / tile_bytes(), std::min(64.0, many));
    for (std::int64_t t = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(wanted))); t < rows; ++t)
      if (rows % t == 0) return t;
    return rows;
  }

  // ---- the kernel

  // What the node's primitive makes for other kernels, if they want it.
  [[nodiscard]] std::optional<ExtraResult> extra_of(const Ref& n) const {
    if (!wanted_.contains(n.node())) return std::nullopt;
    for (std::size_t b = 0; b < backends().size(); ++b) {
      const auto* claim = std::get_if<Claim>(&groups_.context().claims.match(n, b));
      if (claim == nullptr) continue;
      if (!claim->extra) return std::nullopt;
      return ExtraResult{n, *claim->extra, backends()[b]};
    }
    return std::nullopt;
  }

  struct Port {
    Ref outside;
    TileAccess access = TileAccess::tile;
    Ref inside;  // the tile function's parameter
  };

  // The region as a function of a tile.
  class TileFunction {
   public:
    TileFunction(const Regions& regions, int group, std::int64_t tiles) : regions_(regions), inside_{group}, tiles_(tiles) {
      for (const Ref& n : regions.groups_[group].nodes) {
        make(n);
        if (regions.primitives_.contains(n.node())) products.push_back(made_.at(n.edge()));
        if (const auto extra = regions.extra_of(n)) {
          extras.push_back(*extra);
          extra_nodes.push_back(made_.at(n.edge()));
        }
      }
      for (const Ref& n : regions.groups_[group].nodes)
        for (std::uint32_t r = 0; r < n->result_count(); ++r)
          if (const Ref result(n.node(), r); regions.groups_.read_outside(result, inside_)) {
            results.push_back(result);
            function.results.push_back(made_.at(result.edge()));
          }
      function.name = "tile";
      for (const Port& p : ports) function.parameters.push_back(p.inside);
    }

    Function function;
    std::vector<Port> ports;
    std::vector<Ref> results;
    std::vector<Ref> products;        // of a tile; those of the whole are primitives'
    std::vector<ExtraResult> extras;  // of the whole region
    std::vector<Ref> extra_nodes;     // whose extra memory they are, in a tile

   private:
    void make(const Ref& n) {
      std::vector<Ref> operands;
      const std::vector<TileAccess> access = tiles_ > 1 ? tile_accesses(*n.node()) : std::vector<TileAccess>(n->operand_count, TileAccess::whole);
      for (std::size_t k = 0; k < n->operand_count; ++k)
        operands.push_back(regions_.reads(n.node(), k) ? operand(n->operand(k), access[k]) : unread(n->operand(k), access[k]));
      const std::vector<Ref> tile = tiles_ > 1 ? tile_of(*n.node(), operands, tiles_) : graph::rebuild(*n.node(), operands);
      for (std::uint32_t r = 0; r < tile.size(); ++r) made_[Edge{n.node(), r}] = tile[r];
    }

    [[nodiscard]] Shape shape_of(const Ref& r, TileAccess access) const {
      Shape shape = r.shape();
      if (access == TileAccess::tile) shape[0] /= tiles_;
      return shape;
    }

    // Stands for an operand that the primitive does not read.
    [[nodiscard]] Ref unread(const Ref& r, TileAccess access) const { return graph::fill(0, r.dtype(), shape_of(r, access)); }

    // A view that repeats a smaller tensor, such as a bias along images. The tile looks at that tensor itself: primitives know a bias by it.
    [[nodiscard]] bool repeats_within_a_tile(const Ref& r) const {
      if (tiles_ == 1 || r->kind != Kind::sum || !is_view(*r.node()) || bytes_of(r->operand(0)) >= bytes_of(r)) return false;
      return tile_accesses(*r.node())[0] != TileAccess::other;
    }

    Ref operand(const Ref& r, TileAccess access) {
      if (auto found = made_.find(r.edge()); found != made_.end()) return found->second;
      if (regions_.leads_inside(r.node(), inside_) || (access == TileAccess::tile && repeats_within_a_tile(r))) {  // a view
        make(r);
        return made_.at(r.edge());
      }
      const Shape shape = shape_of(r, access);
      if (is_fill(*r.node())) return graph::map(r->shared<Formula>(), {}, shape);
      for (const Port& p : ports)
        if (p.outside == r && p.access == access) return p.inside;
      ports.push_back({r, access, graph::parameter(fmt::format("in{}", ports.size()), r.dtype(), shape)});
      return ports.back().inside;
    }

    const Regions& regions_;
    const int inside_[1];
    std::int64_t tiles_;
    std::unordered_map<Edge, Ref, RefHash> made_;
  };

  // Why a tile would do without a primitive that the whole has: a call or a product that no backend takes at the size of a tile but the loops.
  [[nodiscard]] static std::optional<Reason> refused(const Function& tile, std::span<const Ref> products, const BackendOptions& options) {
    Claims claims(options);
    for (Node* n : topological(tile.results))
      if (n->kind == Kind::call && claims.first(Ref(n)) == nullptr)
        return Reason{ReasonCode::primitive_refused, fmt::format("no primitive for a tile of {}", n->as<CallSpec>().name)};
    for (const Ref& n : products) {
      Reason why;
      bool taken = false;
      for (std::size_t b = 0; b + 1 < backends().size() && !taken; ++b) {
        const Match& match = claims.match(n, b);
        const auto* claim = std::get_if<Claim>(&match);
        Made made = claim == nullptr ? Made{nullptr, std::get<Reason>(match)} : made_of_dense(*claim);
        taken = made.kernel != nullptr;
        if (!taken) why = std::move(made.reason);
      }
      if (!taken) return Reason{ReasonCode::primitive_refused, fmt::format("no primitive for a tile of a product: {}", why.detail)};
    }
    return std::nullopt;
  }

  [[nodiscard]] static Made made_of_dense(const Claim& claim) {
    std::vector<View> in, out;
    for (const Ref& r : claim.inputs) in.push_back(View::dense(r.dtype(), r.shape()));
    for (const Ref& r : claim.results) out.push_back(View::dense(r.dtype(), r.shape()));
    return claim.compile(in, out, 1);
  }

  void finish(int group) {
    const std::vector<Ref> nodes = groups_[group].nodes;
    const int inside[] = {group};
    std::int64_t tiles = 1;
    if (can_tile(nodes, inside)) tiles = tiles_for(nodes);
    const TileFunction tile(*this, group, tiles);
    Claim claim;
    for (const Port& p : tile.ports) claim.inputs.push_back(p.outside);
    claim.results = tile.results;
    const CompileOptions& options = groups_.context().options;
    claim.compile = [function = tile.function, products = tile.products, extras = tile.extra_nodes, ports = tile.ports, tiles, options, count = nodes.size()](
                        std::span<const View> in, std::span<const View> out, int) {
      CompileOptions inner = options;
      inner.threads = 1;
      inner.updates.clear();
      inner.passes = inner.passes.with(name, false);
      if (const auto why = refused(function, products, inner.backends)) return Made{nullptr, *why};
      std::vector<View> views;
      RegionPorts steps;
      double bytes = 0;
      for (std::size_t k = 0; k < in.size(); ++k) {
        View view = in[k];
        view.offset = 0;  // the address comes with it
        const bool cut = ports[k].access == TileAccess::tile && tiles > 1;
        bytes += static_cast<double>(view.shape.elements()) * static_cast<double>(size_of(view.dtype));
        if (cut) view.shape[0] /= tiles;
        steps.input_steps.push_back(cut ? view.shape[0] * view.strides[0] * static_cast<std::int64_t>(size_of(view.dtype)) : 0);
        views.push_back(view);
      }
      for (const View& v : out) {
        const auto whole = v.shape.elements() * static_cast<std::int64_t>(size_of(v.dtype));
        steps.output_steps.push_back(whole / tiles);
        bytes += static_cast<double>(whole);
      }
      Plan plan = lower_tile(function, extras, views, inner);
      for (std::size_t r = 0; r < out.size(); ++r)
        if (r >= plan.result_buffers.size() ||
            static_cast<std::int64_t>(plan.buffers[static_cast<std::size_t>(plan.result_buffers[r])].bytes) != steps.output_steps[r])
          return Made{nullptr, {ReasonCode::primitive_refused, "a tile's kernel that does not make its part of what the whole's makes for others"}};
      const std::size_t kernels = plan.steps.size();
      return Made{
          make_region_kernel(fmt::format("region of {} nodes, {} kernels, {} tiles", count, kernels, tiles), std::move(plan), std::move(steps), tiles, bytes),
          {}};
    };
    groups_.reclaim(group, std::move(claim), name, nullptr, tile.extras);
  }

  Groups& groups_;
  bool small_ = false;
  std::unordered_set<const Node*> stored_;      // values that a step writes before there are regions
  std::unordered_set<const Node*> wanted_;      // whose kernels' extra memory others read
  std::unordered_set<const Node*> primitives_;  // products that a primitive computes
  std::unordered_map<const Node*, std::vector<TileAccess>> accesses_;
  std::unordered_map<const Node*, std::vector<Blocking>> wishes_;
};

}  // namespace

void fuse_regions(Groups& groups) { Regions(groups).run(); }

}  // namespace cotan::fusion
