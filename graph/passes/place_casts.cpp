// Casts among movements of entries (transposes, broadcasts, slices, pads, gathers). A cast gives the same bits before a movement and behind it: an entry that
// the movement leaves out is zero in every type. So a cast stands where fewer bytes are stored and read.
#include "graph/builder.h"
#include "graph/casts.h"
#include "graph/passes/passes.h"
#include "graph/sums/folding.h"
#include "graph/views.h"

namespace cotan::passes {
namespace {

bool is_movement(const Ref& n) { return n->kind == Kind::sum && moves_entries(n->as<SumSpec>()); }

Ref moved(const Ref& movement, const Ref& x) {
  std::vector<Ref> operands{x};
  for (std::size_t k = 1; k < movement->operand_count; ++k) operands.push_back(movement->operand(k));
  const std::span<const Ref> all(operands);
  return graph::sum(movement->as<SumSpec>(), movement.shape(), all.first(1), all.subspan(1), x.dtype());
}

// The bytes that a chain of a cast and a movement reads and writes, in either order.
class Bytes {
 public:
  // From `from` to `to`: the types before and behind the cast.
  Bytes(const Ref& movement, DType from, DType to) : small_(elements(movement->operand(0))), large_(elements(movement)), from_(bytes(from)), to_(bytes(to)) {
    free_ = view_through(*movement.node(), View::dense(movement.dtype(), movement->operand(0).shape())).has_value();
  }
  // `with_producer`: what is read is computed for the cast alone, by a loop that can end with it.
  [[nodiscard]] double cast_first(bool with_producer) const { return small_ * (with_producer ? to_ : from_ + to_) + move(to_); }
  [[nodiscard]] double move_first(bool with_producer) const { return (with_producer ? small_ * from_ : 0) + move(from_) + large_ * (from_ + to_); }
  // `with_readers`: what comes out is read by loops alone, which can begin with the cast.
  [[nodiscard]] double cast_first_for(bool with_readers) const { return small_ * (from_ + to_) + move(to_) + (with_readers ? large_ * to_ : 0); }
  // A broadcast that is a view: behind it a cast would be computed again for each entry.
  [[nodiscard]] bool repeats() const { return free_ && large_ > small_; }
  [[nodiscard]] double move_first_for(bool with_readers) const { return move(from_) + large_ * (with_readers ? from_ : from_ + to_); }

 private:
  static double elements(const Ref& r) { return static_cast<double>(r.shape().elements()); }
  static double bytes(DType type) { return static_cast<double>(size_of(type)); }
  [[nodiscard]] double move(double each) const { return free_ ? 0 : 2 * large_ * each; }

  double small_, large_, from_, to_;  // elements before and behind the movement; bytes of each before and behind the cast
  bool free_ = false;                 // the movement is a view
};

bool is_loop(const Ref& r) { return (r->kind == Kind::map && r->operand_count > 0) || r->kind == Kind::cast; }

// A narrowing cast, before the movements that only it reads as far as that pays.
Ref narrowed_early(const Ref& cast, const sums::Uses& uses) {
  const DType to = cast.dtype();
  std::vector<Ref> behind;
  Ref now = cast;
  while (now->kind == Kind::cast) {
    const Ref movement = now->operand(0);
    if (size_of(to) >= size_of(movement.dtype()) || !is_movement(movement) || !uses.single(movement)) break;
    const Ref x = movement->operand(0);
    const Bytes cost(movement, x.dtype(), to);
    const bool with_producer = is_loop(x) && uses.single(x);
    if (cost.cast_first(with_producer) >= cost.move_first(with_producer)) break;
    behind.push_back(movement);
    now = graph::cast(x, to);
    if (const Ref one = graph::merged_casts(now)) now = one;
  }
  for (; !behind.empty(); behind.pop_back()) now = moved(behind.back(), now);
  return now;
}

// A movement of what a widening cast gives, with the cast behind it; an empty Ref where that does not pay.
Ref widened_late(const Ref& movement, const sums::Uses& uses, bool with_readers) {
  const Ref cast = movement->operand(0);
  if (cast->kind != Kind::cast || !uses.single(cast)) return {};
  const Ref x = cast->operand(0);
  if (size_of(x.dtype()) >= size_of(cast.dtype())) return {};
  const Bytes cost(movement, x.dtype(), cast.dtype());
  if (cost.repeats() || cost.move_first_for(with_readers) >= cost.cast_first_for(with_readers)) return {};
  return graph::cast(moved(movement, x), cast.dtype());
}

}  // namespace

Function place_casts(const Function& function, PassContext& context) {
  sums::Uses uses(function);
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    uses.carry(*node.node(), operands);
    if (node->kind == Kind::cast) {
      Ref here = graph::cast(operands[0], node.dtype());
      if (here->kind == Kind::cast)
        if (const Ref one = graph::merged_casts(here)) here = one;
      if (here->kind == Kind::cast) here = narrowed_early(here, uses);
      return {here};
    }
    if (node->kind != Kind::sum || !moves_entries(node->as<SumSpec>())) return {};
    const Ref here = graph::rebuild(*node.node(), operands)[0];
    const Ref late = is_movement(here) ? widened_late(here, uses, uses.read_by_maps(node)) : Ref();
    if (!late) return {};
    return {late};
  });
}

}  // namespace cotan::passes
