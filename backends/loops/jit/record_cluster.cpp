#include "backends/loops/jit/record_cluster.h"

#include "backends/loops/jit/recording.h"

namespace cotan::loops::jit {
namespace {

// The value of every type that generated code knows: float32 for f32 and bf16, int32 for i32 and u8, a mask for booleans.
bool known(DType d) { return d == f32 || d == bf16 || d == i32 || d == u8 || d == boolean; }

Mask mask(Value v) { return {v}; }

Value float_value(Atom atom, Float a, Float b) {
  switch (atom) {
    case Atom::neg: return (-a).v;
    case Atom::add: return (a + b).v;
    case Atom::mul: return (a * b).v;
    case Atom::div: return (a / b).v;
    // NaN wins on either side: the instruction gives b where either is NaN.
    case Atom::max: return select(is_nan(a), a, Float(record(Op::greater_of, a.v, b.v))).v;
    case Atom::min: return select(is_nan(a), a, Float(record(Op::less_of, a.v, b.v))).v;
    case Atom::floor: return floor(a).v;
    case Atom::round: return round(a).v;
    case Atom::sqrt: return sqrt(a).v;
    case Atom::lt: return (a < b).m;
    case Atom::le: return (a <= b).m;
    case Atom::eq: return (a == b).m;
#define FUNCTION1(name) \
  case Atom::name: return jit::name(a).v;
#define FUNCTION2(name) \
  case Atom::name: return jit::name(a, b).v;
#include "backends/loops/float_functions.def"
    default: return {};
  }
}

// u8 is compared only: its arithmetic wraps at 8 bits.
Value int_value(Atom atom, DType dtype, Int a, Int b) {
  switch (atom) {
    case Atom::lt: return (b > a).m;
    case Atom::le: return (!(a > b)).m;
    case Atom::eq: return (a == b).m;
    case Atom::max: return record(Op::int_greater_of, a.v, b.v);
    case Atom::min: return record(Op::int_less_of, a.v, b.v);
    default: break;
  }
  if (dtype != i32) return {};
  switch (atom) {
    case Atom::neg: return (Int(0) - a).v;
    case Atom::add: return (a + b).v;
    case Atom::mul: return record(Op::int_multiply, a.v, b.v);
    default: return {};
  }
}

Value mask_value(Atom atom, Mask a, Mask b) {
  switch (atom) {
    case Atom::and_: return (a && b).m;
    case Atom::or_: return (a || b).m;
    case Atom::xor_: return (a ^ b).m;
    case Atom::eq: return (!(a ^ b)).m;
    default: return {};
  }
}

// float32 to the nearest bf16, of two the even one; NaN stays NaN, quiet: bfloat16's own conversion.
Float to_bf16(Float given) {
  const Float a = given * 1.0F;  // arithmetic, which takes subnormal numbers for zeros where the thread does; bits alone would round one up to a normal number
  const Int upper = std::bit_cast<std::int32_t>(0xFFFF0000U);
  const Int last(record(Op::shift_right_unsigned, a.v, {}, {}, 16));
  const Int nearest = (bits(a) + 0x7FFF + (last & 1)) & upper, quiet = (bits(a) | 0x00400000) & upper;
  return select(is_nan(a), from_bits(quiet), from_bits(nearest));
}

// Truncated and clamped where it does not fit, NaN to 0.
Value float_to_int(Float a, DType to) {
  if (to == u8) {
    const Float clamped = select(a > 0.0F, Float(record(Op::less_of, a.v, Float(255.0F).v)), 0.0F);
    return to_int(clamped).v;
  }
  const Value fits = select_value(a >= 0x1p31F, Int(std::numeric_limits<std::int32_t>::max()).v, to_int(a).v);
  return select_value(is_nan(a), Int(0).v, fits);
}

Value cast_value(DType from, DType to, Value a) {
  if (from == to || (from == bf16 && to == f32) || (from == u8 && to == i32)) return a;
  if (from == boolean) {
    if (is_floating(to)) return select(mask(a), 1.0F, 0.0F).v;
    return select_value(mask(a), Int(1).v, Int(0).v);
  }
  if (is_floating(from)) {
    if (to == boolean) return (!(Float(a) == 0.0F)).m;
    return to == bf16 ? to_bf16(Float(a)).v : float_to_int(Float(a), to);
  }
  if (to == boolean) return (!(Int(a) == 0)).m;
  if (to == f32) return to_float(Int(a)).v;
  if (to == bf16) return from == u8 ? to_float(Int(a)).v : Value{};  // 255 has eight bits; of i32 rounding twice would differ
  return record(Op::int_less_of, record(Op::int_greater_of, a, Int(0).v), Int(255).v);
}

Value constant_value(const FormulaNode& n) {
  if (n.dtype == boolean) return (Int(0) == Int(n.literal != 0 ? 0 : 1)).m;
  if (is_floating(n.dtype)) return Float(static_cast<float>(n.literal)).v;
  return Int(static_cast<std::int32_t>(n.literal)).v;
}

class Recorder {
 public:
  Recorder(const Cluster& cluster) : cluster_(cluster), values_(cluster.nodes.size()) {}

  // The node's value, or none.
  Value value(const FormulaNode& n) const {
    if (n.atom == Atom::operand) return record(n.dtype == boolean ? Op::load_mask : Op::load, {}, {}, {}, static_cast<std::uint32_t>(n.a));
    if (n.atom == Atom::constant) return constant_value(n);
    const Value a = of(n.a), b = of(n.b), c = of(n.c);
    if (n.atom == Atom::where) {
      if (n.dtype != boolean) return select_value(mask(a), b, c);
      return ((mask(a) && mask(b)) || (!mask(a) && mask(c))).m;
    }
    const DType operands = cluster_.nodes[static_cast<std::size_t>(n.a)].dtype;
    if (n.atom == Atom::cast) return cast_value(operands, n.dtype, a);
    if (operands == boolean) return mask_value(n.atom, mask(a), mask(b));
    if (operands == f32) return float_value(n.atom, Float(a), Float(b));
    if (operands == i32 || operands == u8) return int_value(n.atom, operands, Int(a), Int(b));
    return {};
  }

  bool run(Program& program) {
    const Recording recording(program);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const FormulaNode& n = cluster_.nodes[i];
      if (!known(n.dtype)) return false;
      values_[i] = value(n);
      if (values_[i].number < 0) return false;
    }
    return true;
  }

  [[nodiscard]] Value of(int node) const { return node < 0 ? Value{} : values_[static_cast<std::size_t>(node)]; }

 private:
  const Cluster& cluster_;
  std::vector<Value> values_;
};

}  // namespace

std::optional<Program> record_cluster(const Cluster& cluster, std::span<const Level> levels, InstructionSet set, std::span<const Way> ways) {
  std::vector<Load> loads;
  for (std::size_t l = 0; l < cluster.loads.size(); ++l) loads.push_back({cluster.loads[l].dtype, levels[l]});
  Program program(std::move(loads), set);
  Recorder recorder(cluster);
  if (!recorder.run(program)) return std::nullopt;
  for (std::size_t k = 0; k < cluster.stores.size(); ++k) {
    const ClusterStore& s = cluster.stores[k];
    const Way way = ways.empty() ? Way::write : ways[k];
    if (cluster.nodes[static_cast<std::size_t>(s.node)].dtype != s.dtype || (way != Way::write && s.dtype != f32)) return std::nullopt;
    program.store(recorder.of(s.node).number, s.dtype, way);
  }
  program.remove_unread();
  return program;
}

}  // namespace cotan::loops::jit
