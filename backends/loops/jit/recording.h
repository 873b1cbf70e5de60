// A lane library whose operations are recorded: Float, Int and Mask with the operations of lanes.h, each appending an instruction to the program at hand, and
// the functions of float_functions.inl over them. So a function in generated code is, operation by operation, the one that the tile evaluator runs.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "backends/loops/jit/program.h"
#include "backends/loops/polynomials.h"

namespace cotan::loops::jit {

// While it lives, operations of this thread are recorded in `program`.
class Recording {
 public:
  explicit Recording(Program& program) : before_(current()) { current() = &program; }
  ~Recording() { current() = before_; }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  [[nodiscard]] static Program*& current() {
    static thread_local Program* program = nullptr;
    return program;
  }

 private:
  Program* before_;
};

// A value as the program numbers it.
struct Value {
  int number = -1;
};

inline Value record(Op op, Value a = {}, Value b = {}, Value c = {}, std::uint32_t number = 0) {
  return {Recording::current()->record(op, a.number, b.number, c.number, number)};
}
inline Value record_constant(std::uint32_t bits) { return {Recording::current()->record_constant(bits)}; }

struct Float {
  Value v;
  explicit Float(Value value) : v(value) {}
  Float(float all) : v(record_constant(std::bit_cast<std::uint32_t>(all))) {}
};
struct Int {
  Value v;
  explicit Int(Value value) : v(value) {}
  Int(std::int32_t all) : v(record_constant(std::bit_cast<std::uint32_t>(all))) {}
};
struct Mask {
  Value m;
};

inline Float operator+(Float a, Float b) { return Float(record(Op::add, a.v, b.v)); }
inline Float operator-(Float a, Float b) { return Float(record(Op::subtract, a.v, b.v)); }
inline Float operator*(Float a, Float b) { return Float(record(Op::multiply, a.v, b.v)); }
inline Float operator/(Float a, Float b) { return Float(record(Op::divide, a.v, b.v)); }
inline Float fused(Float a, Float b, Float c) { return Float(record(Op::multiply_add, a.v, b.v, c.v)); }
inline Float sqrt(Float a) { return Float(record(Op::square_root, a.v)); }
inline Float floor(Float a) { return Float(record(Op::floor, a.v)); }
inline Float round(Float a) { return Float(record(Op::round, a.v)); }

inline Int operator+(Int a, Int b) { return Int(record(Op::int_add, a.v, b.v)); }
inline Int operator-(Int a, Int b) { return Int(record(Op::int_subtract, a.v, b.v)); }
inline Int operator&(Int a, Int b) { return Int(record(Op::bit_and, a.v, b.v)); }
inline Int operator|(Int a, Int b) { return Int(record(Op::bit_or, a.v, b.v)); }
inline Int operator^(Int a, Int b) { return Int(record(Op::bit_xor, a.v, b.v)); }
template <int count>
Int shift_left(Int a) {
  return Int(record(Op::shift_left, a.v, {}, {}, count));
}
template <int count>
Int shift_right(Int a) {
  return Int(record(Op::shift_right, a.v, {}, {}, count));
}

inline Int bits(Float a) { return Int(a.v); }
inline Float from_bits(Int a) { return Float(a.v); }
inline Float to_float(Int a) { return Float(record(Op::to_float, a.v)); }
inline Int to_int(Float a) { return Int(record(Op::to_int, a.v)); }
inline Float operator-(Float a) { return from_bits(bits(a) ^ std::numeric_limits<std::int32_t>::min()); }
inline Float abs(Float a) { return from_bits(bits(a) & std::numeric_limits<std::int32_t>::max()); }

inline Mask operator<(Float a, Float b) { return {record(Op::less, a.v, b.v)}; }
inline Mask operator<=(Float a, Float b) { return {record(Op::less_equal, a.v, b.v)}; }
inline Mask operator>(Float a, Float b) { return b < a; }
inline Mask operator>=(Float a, Float b) { return b <= a; }
inline Mask operator==(Float a, Float b) { return {record(Op::equal, a.v, b.v)}; }
inline Mask operator==(Int a, Int b) { return {record(Op::int_equal, a.v, b.v)}; }
inline Mask operator>(Int a, Int b) { return {record(Op::int_greater, a.v, b.v)}; }
inline Mask operator&&(Mask a, Mask b) { return {record(Op::mask_and, a.m, b.m)}; }
inline Mask operator||(Mask a, Mask b) { return {record(Op::mask_or, a.m, b.m)}; }
inline Mask operator^(Mask a, Mask b) { return {record(Op::mask_xor, a.m, b.m)}; }
inline Mask operator!(Mask a) { return {record(Op::mask_not, a.m)}; }
inline Mask is_nan(Float a) { return {record(Op::unordered, a.v, a.v)}; }
inline Value select_value(Mask condition, Value yes, Value no) { return record(Op::select, condition.m, yes, no); }
inline Float select(Mask condition, Float yes, Float no) { return Float(select_value(condition, yes.v, no.v)); }

inline Float scaled(Float x, Float n) {
  if (Recording::current()->instruction_set() == InstructionSet::avx512) return Float(record(Op::scale, x.v, n.v));
  const Int whole = to_int(n), half = shift_right<1>(whole);
  return x * from_bits(shift_left<23>(half + 127)) * from_bits(shift_left<23>(whole - half + 127));
}

inline void reduce_large_angles(Float x, float from, Float& rest, Float& low, Int& quarters) {
  const Mask large = !(x < from);
  rest = Float(record(Op::angle_rest, x.v, rest.v, large.m));
  low = Float(record(Op::angle_low, x.v, low.v, large.m));
  quarters = Int(record(Op::angle_quarters, x.v, quarters.v, large.m));
}

#define LANES_INLINE inline
#include "backends/loops/float_functions.inl"
#undef LANES_INLINE

}  // namespace cotan::loops::jit
