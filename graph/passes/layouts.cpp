// Layouts of convolutions and of what lies between them.
//
// A backend says in which blocks it would rather have a convolution's tensors. A convolution that has such a tensor in common with another one becomes one over
// blocked tensors; where its operands come from nodes that have the same blocks already, nothing is moved. Maps, poolings and sums over positions are computed
// in the blocks of what they read, as long as no more operands have to be brought into blocks than have them. What is left of the plain tensors are
// permutations in front of other readers.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "graph/builder.h"
#include "graph/fusion/groups.h"
#include "graph/passes/passes.h"
#include "graph/recognise.h"

namespace cotan::passes {
namespace {

class Layouts {
 public:
  Layouts(const Function& function, const PassContext& context) {
    const std::vector<Node*> order = topological(function.results);
    for (Node* n : order)
      for (const Backend* backend : backends()) {
        if (n->kind != Kind::sum) break;
        std::vector<Blocking> blockings = backend->blockings(Ref(n), context.options.backends);
        if (blockings.empty()) continue;
        wishes_.emplace(n, std::move(blockings));
        break;
      }
    if (wishes_.empty()) return;
    find_wanted(order);
    drop_lonely(order);
    find_wanted(order);
  }

  [[nodiscard]] bool nothing() const { return wishes_.empty(); }

  std::vector<Ref> replace(const Ref& node, std::span<const Ref> operands) {
    if (const auto wish = wishes_.find(node.node()); wish != wishes_.end()) return sum_in(node, operands, wish->second);
    switch (node->kind) {
      case Kind::map:
      case Kind::cast: return elementwise(node, operands);
      case Kind::sum: return one_factor(node, operands);
      case Kind::reduce: return reduction(node, operands);
      default: return {};
    }
  }

 private:
  // Whether the node may be computed in the blocks of what it reads.
  static bool keeps_blocks(const Node& n) {
    return n.kind == Kind::map || n.kind == Kind::cast || n.kind == Kind::reduce || (n.kind == Kind::sum && n.as<SumSpec>().factors.size() == 1);
  }

  [[nodiscard]] const Blocking& wished(const Node* node, std::size_t tensor) const {
    static const Blocking& none = *new Blocking;
    const auto wish = wishes_.find(node);
    return wish == wishes_.end() ? none : wish->second[tensor];
  }

  // Backwards from the convolutions that read blocks.
  void find_wanted(const std::vector<Node*>& order) {
    wanted_.clear();
    for (std::size_t i = order.size(); i-- > 0;) {
      const Node& n = *order[i];
      for (std::size_t k = 0; k < n.operand_count; ++k)
        if (wishes_.contains(&n) ? !wished(&n, k + 1).empty() : keeps_blocks(n) && wanted_.contains(&n)) wanted_.insert(n.operands()[k].node);
    }
  }

  // What pools: of a tensor in blocks it leaves a part, which alone goes out of them.
  static bool pools(const Node& n) {
    if (n.kind == Kind::reduce) return as_pooling(n.as<ReduceSpec>(), n.operand(0).shape()).has_value();
    if (n.kind != Kind::sum || n.operand_count != 1) return false;
    const auto windows = as_pooling(n.as<SumSpec>(), tensor_shapes(n));
    return windows && !windows->gradient;
  }

  // A convolution that shares no tensor in blocks with another one or with a pooling brings its tensors into blocks by itself, and puts its result where it is
  // wanted.
  void drop_lonely(const std::vector<Node*>& order) {
    std::unordered_set<const Node*> pooled;  // what poolings read, by way of maps
    for (std::size_t i = order.size(); i-- > 0;) {
      const Node& n = *order[i];
      if (pools(n) || ((n.kind == Kind::map || n.kind == Kind::cast) && pooled.contains(&n)))
        for (const Edge& e : n.operands()) pooled.insert(e.node);
    }
    std::unordered_set<const Node*> in_blocks;  // what comes from convolutions whose results are in blocks
    std::unordered_map<const Node*, std::vector<const Blocking*>> read;
    for (const Node* n : order) {
      bool from_blocks = !wished(n, 0).empty();
      for (std::size_t k = 0; k < n->operand_count; ++k) {
        from_blocks |= !wishes_.contains(n) && keeps_blocks(*n) && in_blocks.contains(n->operands()[k].node);
        if (const Blocking& as = wished(n, k + 1); !as.empty()) read[n->operands()[k].node].push_back(&as);
      }
      if (from_blocks) in_blocks.insert(n);
    }
    std::vector<const Node*> lonely;
    for (const auto& [node, blockings] : wishes_) {
      bool shares = !blockings[0].empty() && (wanted_.contains(node) || pooled.contains(node));
      for (std::size_t k = 0; k < node->operand_count && !shares; ++k) {
        if (blockings[k + 1].empty()) continue;
        const Node* operand = node->operands()[k].node;
        shares = in_blocks.contains(operand) || std::ranges::count_if(read[operand], [&](const Blocking* b) { return *b == blockings[k + 1]; }) > 1;
      }
      if (!shares) lonely.push_back(node);
    }
    for (const Node* node : lonely) wishes_.erase(node);
  }

  // A tensor that is computed in blocks.
  struct Blocked {
    Blocking blocking;
    Ref tensor, plain;
  };

  [[nodiscard]] const Blocked* blocks_of(const Ref& plain) const {
    const auto found = blocked_.find(plain.edge());
    return found == blocked_.end() ? nullptr : &found->second;
  }

  [[nodiscard]] Ref in(const Blocking& blocking, const Ref& plain) const {
    if (blocking.empty()) return plain;
    const Blocked* has = blocks_of(plain);
    return has != nullptr && has->blocking == blocking ? has->tensor : into_blocks(plain, blocking);
  }

  // What stands for the node that is computed as `tensor`: the plain tensor, out of its blocks.
  std::vector<Ref> remember(const Ref& node, const Ref& tensor, const Blocking& blocking) {
    if (blocking.empty()) return {tensor};
    const Ref plain = out_of_blocks(tensor, blocking, node.shape());
    if (!is_reshape(blocking)) blocked_.insert_or_assign(plain.edge(), Blocked{blocking, tensor, plain});
    return {plain};
  }

  [[nodiscard]] bool pays(const Ref& node, int in_blocks, int others) const {
    return in_blocks > others || (in_blocks == others && in_blocks > 0 && wanted_.contains(node.node()));
  }

  std::vector<Ref> sum_in(const Ref& node, std::span<const Ref> operands, std::span<const Blocking> blockings) {
    const auto& spec = node->as<SumSpec>();
    std::vector<Shape> shapes{node.shape()};
    for (const Ref& r : operands) shapes.push_back(r.shape());
    const std::optional<SumSpec> made = in_blocks(spec, shapes, blockings);
    if (!made) return {};
    std::vector<Ref> factors, tables;
    for (std::size_t k = 0; k < operands.size(); ++k) (k < spec.factors.size() ? factors : tables).push_back(in(blockings[k + 1], operands[k]));
    const Shape shape = blockings[0].empty() ? node.shape() : shape_of(blockings[0]);
    return remember(node, graph::sum(*made, shape, factors, tables, node.dtype()), blockings[0]);
  }

  // A view of a smaller tensor in blocks, if it is one: broadcasts are read where they are.
  [[nodiscard]] static std::optional<Ref> broadcast_in(const Blocking& blocking, const Ref& r) {
    if (is_fill(*r.node())) return graph::map(r->shared<Formula>(), {}, shape_of(blocking));
    if (r->kind != Kind::sum || !is_view(*r.node()) || 2 * r->operand(0).shape().elements() > r.shape().elements()) return std::nullopt;
    const Ref base = r->operand(0);
    const Shape shapes[] = {r.shape(), base.shape()};
    const Blocking blockings[] = {blocking, {}};
    const auto made = in_blocks(r->as<SumSpec>(), shapes, blockings);
    if (!made) return std::nullopt;
    const Ref factors[] = {base};
    return graph::sum(*made, shape_of(blocking), factors, {}, r.dtype());
  }

  std::vector<Ref> elementwise(const Ref& node, std::span<const Ref> operands) {
    const Blocked* most = nullptr;
    int in_blocks = 0;
    for (const Ref& r : operands) {
      const Blocked* has = blocks_of(r);
      if (has == nullptr) continue;
      const auto alike =
          static_cast<int>(std::ranges::count_if(operands, [&](const Ref& o) { return blocks_of(o) != nullptr && blocks_of(o)->blocking == has->blocking; }));
      if (alike > in_blocks) most = has, in_blocks = alike;
    }
    if (most == nullptr) return {};
    const Blocking blocking = most->blocking;
    std::vector<Ref> blocked;
    int others = 0;
    for (const Ref& r : operands) {
      const Blocked* has = blocks_of(r);
      const std::optional<Ref> broadcast = has != nullptr ? std::nullopt : broadcast_in(blocking, r);
      others += !broadcast && (has == nullptr || has->blocking != blocking);
      blocked.push_back(broadcast ? *broadcast : in(blocking, r));
    }
    if (!pays(node, in_blocks, others)) return {};
    const Ref made = node->kind == Kind::cast ? graph::cast(blocked[0], node.dtype()) : graph::map(node->shared<Formula>(), blocked, shape_of(blocking));
    return remember(node, made, blocking);
  }

  // Each tensor's access: the output's, the factor's, and those of tables where they are met first.
  static std::vector<Access> accesses_of(const SumSpec& spec, std::size_t operands) {
    std::vector<Access> all(operands + 1);
    all[0] = spec.output;
    all[1] = spec.factors[0];
    std::vector<const Access*> open{&spec.output, &spec.factors[0]};
    while (!open.empty()) {
      const Access& access = *open.back();
      open.pop_back();
      for (const IndexExpr& e : access)
        for (const IndexTerm& t : e.terms) {
          if (t.index >= 0) continue;
          all[static_cast<std::size_t>(t.table) + 2] = t.at;
          open.push_back(&t.at);
        }
    }
    return all;
  }

  // Sums of one factor along its channels: what moves along positions only, or adds them up.
  std::vector<Ref> one_factor(const Ref& node, std::span<const Ref> operands) {
    const auto& spec = node->as<SumSpec>();
    if (spec.factors.size() != 1 || !spec.guards.empty()) return {};
    const std::vector<Access> accesses = accesses_of(spec, operands.size());
    int index = -1;
    std::int64_t block = 1;
    for (std::size_t k = 0; k < operands.size() && index < 0; ++k) {
      const Blocked* has = blocks_of(operands[k]);
      const auto split = has != nullptr ? one_split(has->blocking) : std::nullopt;
      if (!split) continue;
      index = accesses[k + 1][static_cast<std::size_t>(split->dimension)].plain();
      block = split->block;
    }
    if (index < 0) return {};
    std::vector<Shape> shapes{node.shape()};
    for (const Ref& r : operands) shapes.push_back(r.shape());
    std::vector<Blocking> blockings(accesses.size());
    int in_blocks = 0, others = 0;
    for (std::size_t t = 0; t < accesses.size(); ++t) {
      int dimension = -1;
      for (std::size_t d = 0; d < accesses[t].size(); ++d) {
        if (accesses[t][d].plain() != index) continue;
        if (dimension >= 0 || spec.domain[static_cast<std::size_t>(index)] != shapes[t][d]) return {};
        dimension = static_cast<int>(d);
      }
      const Blocked* has = t == 0 ? nullptr : blocks_of(operands[t - 1]);
      if (dimension < 0) continue;
      const auto split = has != nullptr ? one_split(has->blocking) : std::nullopt;
      const bool fits = split && split->dimension == dimension && split->block == block;
      blockings[t] = fits ? has->blocking : blocking_of(shapes[t], dimension, block);
      if (t > 0) ++(fits ? in_blocks : others);
    }
    // Anything that looks at channels in another way reads the plain tensor.
    const auto looks_otherwise = [&](const Access& access) {
      return std::ranges::any_of(access, [&](const IndexExpr& e) { return e.plain() != index && e.coefficient(index) != 0; });
    };
    if (std::ranges::any_of(accesses, looks_otherwise) || !pays(node, in_blocks, others)) return {};
    return sum_in(node, operands, blockings);
  }

  std::vector<Ref> reduction(const Ref& node, std::span<const Ref> operands) {
    const Blocked* has = blocks_of(operands[0]);
    const auto split = has != nullptr ? one_split(has->blocking) : std::nullopt;
    if (!split) return {};
    const auto& spec = node->as<ReduceSpec>();
    const auto dimension = static_cast<std::size_t>(split->dimension);
    const int channel = spec.access[dimension].plain();
    if (channel < 0 || channel >= spec.outputs || spec.domain[static_cast<std::size_t>(channel)] != operands[0].shape()[dimension]) return {};
    for (std::size_t d = 0; d < spec.access.size(); ++d)
      if (d != dimension && uses_index(spec.access[d], channel)) return {};
    // The index within a block comes behind the others of the result.
    ReduceSpec made = spec;
    made.outputs = spec.outputs + 1;
    made.domain[static_cast<std::size_t>(channel)] /= split->block;
    made.domain.insert(made.domain.begin() + spec.outputs, split->block);
    std::vector<IndexExpr> to;
    for (int i = 0; i < static_cast<int>(spec.domain.size()); ++i) to.push_back(index_of(i < spec.outputs ? i : i + 1));
    made.access.clear();
    for (const Digit& digit : has->blocking) {
      const auto d = static_cast<std::size_t>(digit.dimension);
      made.access.push_back(d != dimension ? substitute(spec.access[d], to) : index_of(digit.weight > 1 ? channel : spec.outputs));
    }
    const Shape plain(std::span<const std::int64_t>(spec.domain).first(static_cast<std::size_t>(spec.outputs)));
    Blocking blocking = blocking_of(plain, channel, split->block);
    if (gives_positions(spec.reduction)) blocking.push_back({spec.outputs, node.shape()[plain.rank()], 1});
    return remember(node, graph::reduce(made, has->tensor), blocking);
  }

  std::unordered_map<const Node*, std::vector<Blocking>> wishes_;
  std::unordered_set<const Node*> wanted_;  // what convolutions would read in blocks, by way of what keeps them
  std::unordered_map<Edge, Blocked, RefHash> blocked_;
};

}  // namespace

Function layouts(const Function& function, PassContext& context) {
  Layouts layouts(function, context);
  if (layouts.nothing()) return function;
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) { return layouts.replace(node, operands); });
}

}  // namespace cotan::passes
