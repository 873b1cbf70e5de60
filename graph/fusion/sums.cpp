// Loops that end in sums of what they compute (graph/closed_loop.h).
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "graph/closed_loop.h"
#include "graph/fusion/fusion.h"

namespace cotan::fusion {
namespace {

constexpr std::string_view name = "fuse_sums";
constexpr std::size_t most_sums = 8;           // of one loop
constexpr std::size_t most_readers = 32;       // of a value that are looked at
constexpr std::int64_t worth_a_chunk = 32768;  // elements that a worker should get

// What is in the second cache yet when it is read again.
constexpr std::int64_t cached_bytes = 1 << 19;

// What adding up 16 elements costs, in cycles, as measured: behind the loop, what the loop wrote coming from a cache, or from memory, to which it went; in the
// loop. A long formula fills the units, and the additions between its operations keep it from being ahead; a sum alone waits for its operand only.
constexpr double behind_a_loop = 6, from_memory = 10, to_memory = 20;
constexpr double in_a_loop = 2, for_an_operation = 0.3;
constexpr int function_operations = 16;

// Instructions of a formula's node, roughly.
int operations_of(const FormulaNode& n) {
  switch (n.atom) {
    using enum Atom;
    case operand:
    case constant: return 0;
    case neg:
    case add:
    case mul:
    case div:
    case max:
    case min:
    case floor:
    case round:
    case sqrt:
    case lt:
    case le:
    case eq:
    case and_:
    case or_:
    case xor_:
    case where:
    case cast: return 1;
    default: return function_operations;
  }
}

int operations_of(std::span<const Ref> nodes) {
  int operations = 0;
  for (const Ref& n : nodes) {
    if (n->kind != Kind::map) ++operations;
    if (n->kind == Kind::map)
      for (const FormulaNode& f : n->formula().nodes) operations += operations_of(f);
  }
  return operations;
}

// A loop, and the sums that it could end in.
class Closing {
 public:
  Closing(Groups& groups, int loop) : groups_(groups), loop_(loop), in_loop_(in_a_loop + for_an_operation * operations_of(groups[loop].nodes)) {}

  void run() {
    const std::vector<Ref> nodes = groups_[loop_].nodes;
    for (const Ref& n : nodes) {
      const auto readers = groups_.readers(n.node());
      if (readers.size() > most_readers) continue;
      for (Node* reader : readers) try_sum(n, Ref(reader));
    }
    if (sums_.empty()) return;
    std::vector<int> all{loop_};
    for (const Ref& s : sums_) all.push_back(groups_.of(s.node()));
    // The sizes of a loop are those of what it reads or writes.
    Claim loop = loop_claim(groups_, nodes, all);
    if (loop.inputs.empty() && loop.results.empty())
      return groups_.miss(name, nodes[0].node(), {ReasonCode::domain, "a loop that reads and writes nothing but its sums"});
    groups_.merge(all, claim(nodes, std::move(loop)), name);
  }

 private:
  void try_sum(const Ref& value, const Ref& sum) {
    const int group = groups_.of(sum.node());
    if (group < 0 || sum->kind != Kind::sum || sum->operand_count != 1 || std::find(sums_.begin(), sums_.end(), sum) != sums_.end()) return;
    if (groups_[group].backend != backends().back() || groups_[group].nodes.size() != 1) return;
    if (sums_.size() == most_sums) return groups_.miss(name, sum.node(), {ReasonCode::too_long, fmt::format("{} sums in one loop", most_sums)});
    auto form = block_sum(sum->as<SumSpec>(), value.dtype(), value.shape(), sum.shape());
    if (const auto* why = std::get_if<Reason>(&form)) return groups_.miss(name, sum.node(), *why);
    // Workers share whole blocks, while the loop alone and the sum alone can be shared in other ways.
    const std::int64_t elements = value.shape().elements(), block = std::lcm(block_, std::get<BlockSum>(form).block());
    const std::int64_t wanted = std::min<std::int64_t>(groups_.context().options.grid(), elements / worth_a_chunk);
    if (elements / block < wanted)
      return groups_.miss(name, sum.node(), {ReasonCode::not_profitable, fmt::format("{} blocks for {} workers", elements / block, wanted)});
    const double behind = alone(value, group);
    if (in_loop_ > behind)
      return groups_.miss(name, sum.node(), {ReasonCode::not_profitable, fmt::format("{:.0f} cycles for 16 elements, {:.0f} in the loop", behind, in_loop_)});
    std::vector<int> all{loop_, group};
    for (const Ref& s : sums_) all.push_back(groups_.of(s.node()));
    if (!groups_.can_merge(all)) return groups_.miss(name, sum.node(), {ReasonCode::between, "what lies between reads the one and is read by the other"});
    block_ = block;
    sums_.push_back(sum);
  }

  // What the sum of the value costs behind the loop.
  [[nodiscard]] double alone(const Ref& value, int sum) const {
    if (value.shape().elements() * static_cast<std::int64_t>(size_of(value.dtype())) <= cached_bytes) return behind_a_loop;
    const int both[] = {loop_, sum};
    return behind_a_loop + from_memory + (groups_.read_outside(value, both) ? 0 : to_memory);
  }

  // Of the loop's nodes and the sums: `claim` is the loop's, where the sums are inside.
  [[nodiscard]] Claim claim(std::span<const Ref> nodes, Claim claim) const {
    // A value is what several of the cluster's outputs may be, but here each is one of the nodes.
    std::vector<Ref> values(claim.results);
    for (const Ref& s : sums_)
      if (const Ref x = s->operand(0); std::find(values.begin(), values.end(), x) == values.end()) values.push_back(x);
    Cluster cluster = cluster_of(nodes, claim.inputs, values);
    std::vector<LoopSum> closing;
    for (const Ref& s : sums_) {
      const auto k = static_cast<std::size_t>(std::find(values.begin(), values.end(), s->operand(0)) - values.begin());
      closing.push_back({cluster.stores[k].node, s->shared<SumSpec>()});
    }
    cluster.stores.resize(claim.results.size());
    claim.results.insert(claim.results.end(), sums_.begin(), sums_.end());
    claim.loop = false;
    claim.compile = [cluster = std::move(cluster), closing = std::move(closing),
                     set = groups_.context().options.backends.target.instructions](std::span<const View> in, std::span<const View> out, int) {
      return Made{compile_loop(cluster, closing, in, out, set), {}};
    };
    return claim;
  }

  Groups& groups_;
  int loop_;
  double in_loop_;  // what a sum costs there
  std::vector<Ref> sums_;
  std::int64_t block_ = 1;  // elements of the domain that workers cannot share: whole blocks of all sums
};

}  // namespace

void fuse_sums(Groups& groups) {
  for (std::size_t g = 0; g < groups.all().size(); ++g)
    if (const int loop = static_cast<int>(g); !groups[loop].nodes.empty() && groups[loop].claim.loop) Closing(groups, loop).run();
}

}  // namespace cotan::fusion
