#include "graph/fusion/region_claim.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "graph/builder.h"
#include "graph/fusion/region_kernel.h"
#include "graph/fusion/tiles.h"
#include "graph/plan.h"

namespace cotan::fusion {

bool leads_inside(const Groups& groups, const Node* n, std::span<const int> inside) {
  for (;;) {
    const int group = groups.of(n);
    if (group >= 0) return std::find(inside.begin(), inside.end(), group) != inside.end();
    if (n->operand_count == 0 || !is_view(*n) || is_opaque(*n)) return false;
    n = n->operands()[0].node;
  }
}

bool kernel_reads(const Groups& groups, const Node* n, std::size_t k) {
  if (n->kind != Kind::call) return true;
  const Claim* claim = groups.context().claims.first(Ref(const_cast<Node*>(n)));
  return claim == nullptr || std::find(claim->inputs.begin(), claim->inputs.end(), n->operand(k)) != claim->inputs.end();
}

namespace {

// What the node's primitive makes for other kernels, if they want it.
std::optional<ExtraResult> wanted_extra(const Groups& groups, const Ref& n) {
  if (!groups.wants_extra(n.node())) return std::nullopt;
  for (std::size_t b = 0; b < backends().size(); ++b) {
    const auto* claim = std::get_if<Claim>(&groups.context().claims.match(n, b));
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
  TileFunction(const Groups& groups, int group, std::int64_t tiles, const std::unordered_set<const Node*>& primitives)
      : groups_(groups), inside_{group}, tiles_(tiles) {
    for (const Ref& n : groups[group].nodes) {
      make(n);
      if (primitives.contains(n.node())) products.push_back(made_.at(n.edge()));
      if (const auto extra = wanted_extra(groups, n)) {
        extras.push_back(*extra);
        extra_nodes.push_back(made_.at(n.edge()));
      }
    }
    for (const Ref& n : groups[group].nodes)
      for (std::uint32_t r = 0; r < n->result_count(); ++r)
        if (const Ref result(n.node(), r); groups.read_outside(result, inside_)) {
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
    const std::vector<TileAccess> access = tiles_ > 1 ? tile_accesses(*n.node()).value() : std::vector<TileAccess>(n->operand_count, TileAccess::whole);
    for (std::size_t k = 0; k < n->operand_count; ++k)
      operands.push_back(kernel_reads(groups_, n.node(), k) ? operand(n->operand(k), access[k]) : unread(n->operand(k), access[k]));
    const std::vector<Ref> tile = again(*n.node(), operands);
    for (std::uint32_t r = 0; r < tile.size(); ++r) made_[Edge{n.node(), r}] = tile[r];
  }

  // A sum keeps the order of its factors, whatever stands for them here, so that it rounds as the whole does.
  [[nodiscard]] std::vector<Ref> again(const Node& n, std::span<const Ref> operands) const {
    if (tiles_ > 1) return tile_of(n, operands, tiles_);
    if (n.kind != Kind::sum) return graph::rebuild(n, operands);
    const std::size_t factors = n.as<SumSpec>().factors.size();
    return {graph::sum_in_order(n.as<SumSpec>(), n.shape, operands.first(factors), operands.subspan(factors), n.dtype)};
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
    if (tiles_ == 1 || r->kind != Kind::sum || !is_view(*r.node()) || r->operand(0).shape().elements() >= r.shape().elements()) return false;
    return can_be_cut(*r.node());
  }

  Ref operand(const Ref& r, TileAccess access) {
    if (auto found = made_.find(r.edge()); found != made_.end()) return found->second;
    if (leads_inside(groups_, r.node(), inside_) || (access == TileAccess::tile && repeats_within_a_tile(r))) {  // a view
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

  const Groups& groups_;
  const int inside_[1];
  std::int64_t tiles_;
  std::unordered_map<Edge, Ref, RefHash> made_;
};

Made made_of_dense(const Claim& claim) {
  std::vector<View> in, out;
  for (const Ref& r : claim.inputs) in.push_back(View::dense(r.dtype(), r.shape()));
  for (const Ref& r : claim.results) out.push_back(View::dense(r.dtype(), r.shape()));
  return claim.compile(in, out, 1);
}

// Why a tile would do without a primitive that the whole has: a call or a product that no backend takes at the size of a tile but the loops.
std::optional<Reason> refused(const Function& tile, std::span<const Ref> products, const BackendOptions& options) {
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

}  // namespace

RegionClaim claim_region(const Groups& groups, int group, std::int64_t tiles, const std::unordered_set<const Node*>& primitives) {
  const TileFunction tile(groups, group, tiles, primitives);
  Claim claim;
  for (const Port& p : tile.ports) claim.inputs.push_back(p.outside);
  claim.results = tile.results;
  const CompileOptions& options = groups.context().options;
  claim.compile = [function = tile.function, products = tile.products, extras = tile.extra_nodes, ports = tile.ports, tiles, options,
                   count = groups[group].nodes.size()](std::span<const View> in, std::span<const View> out, int) {
    CompileOptions inner = options;
    inner.threads = 1;
    inner.updates.clear();
    inner.passes = inner.passes.with(regions_name, false);
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
  return {std::move(claim), tile.extras};
}

}  // namespace cotan::fusion
