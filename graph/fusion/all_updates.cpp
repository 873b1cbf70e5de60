// The loops that update parameters, whatever their shapes, as one kernel.
//
// An optimizer's work on a parameter is one loop already (kernels.cpp). These loops have nothing to do with each other but the optimizer's numbers, which all
// of them read. As pieces of one kernel they are handed out together, so a bias costs no step, no phase and mostly no chunk of its own. Pieces of one structure
// share their code (backends/loops/jit), and each element is computed by the formula that it had: the bits stay.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "graph/fusion/fusion.h"
#include "graph/fusion/piecewise_kernel.h"
#include "graph/views.h"

namespace cotan::fusion {
namespace {

constexpr std::string_view name = "fuse_updates";
// Into so many kernels at most, the updates' loops one after the other.
constexpr int most_kernels = 16;
// A gradient of more bytes does not wait for the others: it would be gone from the second cache, and hold its memory. Nor do more bytes wait for one kernel.
constexpr double most_waiting = 1 << 20, most_together = 1 << 23;
// What both ways cost, roughly, in bytes a second from memory, and in seconds for a step of its own.
constexpr double memory_speed = 2e10, step_cost = 2e-6;

// The bytes of what the step makes for the loop: the gradient.
double waiting_for(const Groups& groups, int loop) {
  double bytes = 0;
  for (const Ref& r : groups[loop].claim.inputs)
    if (const Ref memory = memory_of(r); groups.of(memory.node()) >= 0)
      bytes += static_cast<double>(memory.shape().elements()) * static_cast<double>(size_of(memory.dtype()));
  return bytes;
}

// A loop as a piece of the kernel: its views by their places among what the kernel reads and writes.
struct Part {
  Claim claim;
  std::vector<std::size_t> inputs, results;
};

Made compile(std::span<const Part> parts, std::span<const View> in, std::span<const View> out, int threads) {
  std::vector<KernelPiece> pieces;
  std::vector<std::string> names;
  for (const Part& part : parts) {
    KernelPiece piece;
    std::vector<View> reads, writes;
    for (const std::size_t k : part.inputs) {
      reads.push_back(in[k]);
      piece.buffers.push_back(k);
    }
    for (const std::size_t k : part.results) {
      writes.push_back(out[k]);
      piece.buffers.push_back(in.size() + k);
    }
    piece.offsets.assign(piece.buffers.size(), 0);
    Made made = part.claim.compile(reads, writes, threads);
    if (!made.kernel) return {nullptr, std::move(made.reason)};
    piece.kernel = std::move(made.kernel);
    if (const std::string called = piece.kernel->name(); std::find(names.begin(), names.end(), called) == names.end()) names.push_back(called);
    pieces.push_back(std::move(piece));
  }
  const std::string called = fmt::format("{} updates: {}", pieces.size(), fmt::join(names, ", "));
  return {make_piecewise_kernel(called, std::move(pieces)), {}};
}

// Which loop makes a parameter's new value, and which parameters' new values a loop makes.
struct Updates {
  std::unordered_map<const Node*, int> loop_of;
  std::unordered_map<int, std::vector<const Node*>> of_loop;
};

// Loops that may be one kernel, as far as their own memory says.
class Unit {
 public:
  Unit(const Groups& groups, const Updates& updates) : groups_(groups), updates_(updates) {}

  [[nodiscard]] const std::vector<int>& members() const { return members_; }

  // Why the loop cannot be one more piece.
  [[nodiscard]] std::optional<Reason> refuses(int loop) const {
    const Reason between{ReasonCode::between, "one of the updates reads what another one makes"};
    // New values are written over old ones while other pieces run.
    const Reason in_use{ReasonCode::operand_in_use, "one of the updates reads the old value that another one writes over"};
    for (const Ref& r : groups_[loop].claim.inputs) {
      if (inside_.contains(groups_.of(memory_of(r).node()))) return between;
      if (const auto found = updates_.loop_of.find(source_of(r).node()); found != updates_.loop_of.end() && inside_.contains(found->second)) return in_use;
    }
    for (const Ref& n : groups_[loop].nodes)
      if (read_.contains(n.node())) return between;
    for (const Node* parameter : updates_.of_loop.at(loop))
      if (sources_.contains(parameter)) return in_use;
    return std::nullopt;
  }

  void add(int loop) {
    members_.push_back(loop);
    inside_.insert(loop);
    for (const Ref& r : groups_[loop].claim.inputs) {
      read_.insert(memory_of(r).node());
      sources_.insert(source_of(r).node());
    }
  }

 private:
  const Groups& groups_;
  const Updates& updates_;
  std::vector<int> members_;
  std::unordered_set<int> inside_;                  // the members
  std::unordered_set<const Node*> read_, sources_;  // what they read, and where that may lie
};

// One kernel for the loops.
Claim claim_of(const Groups& groups, std::span<const int> loops) {
  Claim claim;
  std::vector<Part> parts;
  std::unordered_map<Edge, std::size_t, RefHash> places;  // of what the kernel reads
  for (const int g : loops) {
    Part part{groups[g].claim, {}, {}};
    for (const Ref& r : part.claim.inputs) {
      const auto [at, fresh] = places.try_emplace(r.edge(), claim.inputs.size());
      part.inputs.push_back(at->second);
      if (fresh) claim.inputs.push_back(r);
    }
    for (const Ref& r : part.claim.results) {
      part.results.push_back(claim.results.size());
      claim.results.push_back(r);
    }
    parts.push_back(std::move(part));
  }
  // New values may lie over old ones, each of which one piece alone reads. Other memory may not be shared: another piece may still read it. So this is no loop.
  claim.in_place = true;
  claim.compile = [parts = std::move(parts)](std::span<const View> in, std::span<const View> out, int threads) { return compile(parts, in, out, threads); };
  return claim;
}

// Appends those loops to `members` with which these can be merged, one after the other; `leave` gets the others. Many at a time are tried first, since few loops
// stand in the way.
template <class Leave>
void take_those_that_merge(const Groups& groups, std::span<const int> loops, std::vector<int>& members, const Leave& leave) {
  const std::size_t before = members.size();
  members.insert(members.end(), loops.begin(), loops.end());
  if (groups.can_merge(members)) return;
  members.resize(before);
  if (loops.size() == 1) return leave(loops[0]);
  take_those_that_merge(groups, loops.first(loops.size() / 2), members, leave);
  take_those_that_merge(groups, loops.subspan(loops.size() / 2), members, leave);
}

}  // namespace

void fuse_updates(Groups& groups) {
  const Function& f = groups.function();
  Updates updates;
  std::vector<int> left;  // the loops that are in no kernel yet
  for (const Update& u : groups.context().options.updates) {
    const Node* parameter = f.parameters[static_cast<std::size_t>(u.parameter)].node();
    const int group = groups.of(f.results[static_cast<std::size_t>(u.result)].node());
    if (group < 0 || !groups[group].claim.loop) continue;
    updates.loop_of.emplace(parameter, group);
    updates.of_loop[group].push_back(parameter);
    left.push_back(group);
  }
  std::sort(left.begin(), left.end());
  left.erase(std::unique(left.begin(), left.end()), left.end());
  if (left.size() < 2) return;
  std::erase_if(left, [&](int loop) {
    const double bytes = waiting_for(groups, loop);
    if (bytes <= most_waiting) return false;
    groups.miss(name, groups[loop].nodes.front().node(),
                {ReasonCode::not_profitable,
                 fmt::format("its {:.1f} MB of gradient would wait: {:.0f} us to read them again, where a kernel of its own costs {:.0f} us", bytes / 1e6,
                             bytes / memory_speed * 1e6, step_cost * 1e6)});
    return true;
  });

  // What the first kernel cannot take may be one among itself: of a large model the next parameters; where each step of an update is a loop, the first steps,
  // the second, ... of all parameters.
  for (int kernel = 0; kernel < most_kernels && left.size() > 1; ++kernel) {
    Unit all(groups, updates);
    std::vector<int> loops = std::move(left);
    left.clear();
    double waiting = 0;
    auto leave = [&](int loop, const Reason& reason) {
      left.push_back(loop);
      if (kernel == 0) groups.miss(name, groups[loop].nodes.front().node(), reason);
    };
    for (const int loop : loops) {
      const double bytes = waiting_for(groups, loop);
      if (waiting + bytes > most_together) {
        leave(loop, {ReasonCode::not_profitable, fmt::format("{:.1f} MB of gradients would wait, in one kernel", (waiting + bytes) / 1e6)});
      } else if (const auto reason = all.refuses(loop)) {
        leave(loop, *reason);
      } else {
        all.add(loop);
        waiting += bytes;
      }
    }
    std::vector<int> members = all.members();
    if (!groups.can_merge(members)) {  // seldom
      members.clear();
      take_those_that_merge(groups, all.members(), members, [&](int loop) {
        leave(loop, {ReasonCode::between, "what lies between reads the one and is read by the other"});
      });
      std::sort(left.begin(), left.end());
    }
    if (members.size() > 1) groups.merge(members, claim_of(groups, members), name);
  }
}

}  // namespace cotan::fusion
