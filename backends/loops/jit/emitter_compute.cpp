#if defined(__x86_64__)
#include "backends/loops/jit/emitter.h"
#include "ops/error.h"

namespace cotan::loops::jit {
namespace {

// Predicates of vcmpps that raise nothing on quiet NaNs.
constexpr int ordered_less = 0x11, ordered_less_equal = 0x12, ordered_equal = 0x00, unordered = 0x03;

// Modes of rounding, without the inexact exception.
constexpr int to_nearest = 8, downwards = 9;

}  // namespace

void Emitter::compute(const Step& s) {
  using Operand = Xbyak::Operand;
  const Xbyak::Xmm out = vec(s.out);
  auto unary = [&](auto&& f) { with(s.in[0], [&](const Operand& a) { f(out, a); }); };
  auto binary = [&](auto&& f) { with(s.in[1], [&](const Operand& b) { f(out, vec(s.in[0]), b); }); };
  switch (s.op) {
    case Op::constant: throw InternalError("generated code: a constant is not computed");
    case Op::load:
    case Op::load_mask: return load(s);
    case Op::add: return binary([&](auto& x, auto a, auto& b) { vaddps(x, a, b); });
    case Op::subtract: return binary([&](auto& x, auto a, auto& b) { vsubps(x, a, b); });
    case Op::multiply: return binary([&](auto& x, auto a, auto& b) { vmulps(x, a, b); });
    case Op::divide: return binary([&](auto& x, auto a, auto& b) { vdivps(x, a, b); });
    case Op::multiply_add: return multiply_add(s);
    case Op::scale: return binary([&](auto& x, auto a, auto& b) { vscalefps(x, a, b); });
    case Op::square_root: return unary([&](auto& x, auto& a) { vsqrtps(x, a); });
    case Op::floor: return unary([&](auto& x, auto& a) { wide_ ? vrndscaleps(x, a, downwards) : vroundps(x, a, downwards); });
    case Op::round: return unary([&](auto& x, auto& a) { wide_ ? vrndscaleps(x, a, to_nearest) : vroundps(x, a, to_nearest); });
    case Op::greater_of: return binary([&](auto& x, auto a, auto& b) { vmaxps(x, a, b); });
    case Op::less_of: return binary([&](auto& x, auto a, auto& b) { vminps(x, a, b); });
    case Op::int_add: return binary([&](auto& x, auto a, auto& b) { vpaddd(x, a, b); });
    case Op::int_subtract: return binary([&](auto& x, auto a, auto& b) { vpsubd(x, a, b); });
    case Op::int_multiply: return binary([&](auto& x, auto a, auto& b) { vpmulld(x, a, b); });
    case Op::int_greater_of: return binary([&](auto& x, auto a, auto& b) { vpmaxsd(x, a, b); });
    case Op::int_less_of: return binary([&](auto& x, auto a, auto& b) { vpminsd(x, a, b); });
    case Op::bit_and: return binary([&](auto& x, auto a, auto& b) { wide_ ? vpandd(x, a, b) : vandps(x, a, b); });
    case Op::bit_or: return binary([&](auto& x, auto a, auto& b) { wide_ ? vpord(x, a, b) : vorps(x, a, b); });
    case Op::bit_xor: return binary([&](auto& x, auto a, auto& b) { wide_ ? vpxord(x, a, b) : vxorps(x, a, b); });
    case Op::shift_left: return vpslld(out, vec(s.in[0]), static_cast<std::uint8_t>(s.number));
    case Op::shift_right: return vpsrad(out, vec(s.in[0]), static_cast<std::uint8_t>(s.number));
    case Op::shift_right_unsigned: return vpsrld(out, vec(s.in[0]), static_cast<std::uint8_t>(s.number));
    case Op::to_float: return unary([&](auto& x, auto& a) { vcvtdq2ps(x, a); });
    case Op::to_int: return unary([&](auto& x, auto& a) { vcvttps2dq(x, a); });
    case Op::less:
    case Op::less_equal:
    case Op::equal:
    case Op::unordered:
    case Op::int_equal:
    case Op::int_greater: return compare(s);
    case Op::mask_and:
    case Op::mask_or:
    case Op::mask_xor:
    case Op::mask_not: return combine_masks(s);
    case Op::select: return choose(s);
    case Op::angle_rest:
    case Op::angle_low:
    case Op::angle_quarters: return large_angle(s);
  }
}

void Emitter::compare(const Step& s) {
  auto of = [&](const auto& out) {
    with(s.in[1], [&](const Xbyak::Operand& b) {
      const Xbyak::Xmm a = vec(s.in[0]);
      switch (s.op) {
        case Op::less: return vcmpps(out, a, b, ordered_less);
        case Op::less_equal: return vcmpps(out, a, b, ordered_less_equal);
        case Op::equal: return vcmpps(out, a, b, ordered_equal);
        case Op::unordered: return vcmpps(out, a, b, unordered);
        case Op::int_equal: return vpcmpeqd(out, a, b);
        default: return vpcmpgtd(out, a, b);
      }
    });
  };
  if (wide_) return of(Xbyak::Opmask(s.out.number));
  of(vec(s.out));
}

void Emitter::combine_masks(const Step& s) {
  if (wide_) {
    const Xbyak::Opmask out(s.out.number), a(s.in[0].number), b(std::max(0, s.in[1].number));
    switch (s.op) {
      case Op::mask_and: return kandw(out, a, b);
      case Op::mask_or: return korw(out, a, b);
      case Op::mask_xor: return kxorw(out, a, b);
      default: return knotw(out, a);
    }
  }
  const Xbyak::Xmm out = vec(s.out), a = vec(s.in[0]);
  switch (s.op) {
    case Op::mask_and: return vandps(out, a, vec(s.in[1]));
    case Op::mask_or: return vorps(out, a, vec(s.in[1]));
    case Op::mask_xor: return vxorps(out, a, vec(s.in[1]));
    default: vpcmpeqd(scratch(), scratch(), scratch()); return vxorps(out, a, scratch());
  }
}

// Of the three forms of the instruction the one that overwrites the register which the result has anyway.
void Emitter::multiply_add(const Step& s) {
  const int out = s.out.number;
  const Place &a = s.in[0], &b = s.in[1], &c = s.in[2];
  auto is_out = [&](const Place& p) { return p.kind == Place::Kind::vector && p.number == out; };
  if (c.kind != Place::Kind::vector) {
    const bool exchanged = !is_out(a) && is_out(b);
    const Place &first = exchanged ? b : a, &second = exchanged ? a : b;
    if (!is_out(first)) vmovaps(vec(out), vec(first));
    return with(c, [&](const Xbyak::Operand& from) { vfmadd213ps(vec(out), vec(second), from); });
  }
  if (is_out(a) && b.kind != Place::Kind::vector) return with(b, [&](const Xbyak::Operand& from) { vfmadd132ps(vec(out), vec(c), from); });
  if (is_out(a)) return vfmadd213ps(vec(out), vec(b), vec(c));
  if (is_out(b)) return vfmadd213ps(vec(out), vec(a), vec(c));
  if (!is_out(c)) vmovaps(vec(out), vec(c));
  with(b, [&](const Xbyak::Operand& from) { vfmadd231ps(vec(out), vec(a), from); });
}

void Emitter::choose(const Step& s) {
  with(s.in[1], [&](const Xbyak::Operand& yes) {
    if (wide_) return vblendmps(vec(s.out) | Xbyak::Opmask(s.in[0].number), vec(s.in[2]), yes);
    vblendvps(vec(s.out), vec(s.in[2]), yes, vec(s.in[0]));
  });
}

void Emitter::large_angle(const Step& s) {
  Xbyak::Label small, end;
  if (wide_) {
    kortestw(Xbyak::Opmask(s.in[2].number), Xbyak::Opmask(s.in[2].number));
  } else {
    vmovmskps(r9d, Xbyak::Ymm(s.in[2].number));
    test(r9d, r9d);
  }
  jz(small, T_NEAR);
  vmovups(ptr[rsp + angle_], vec(s.in[0]));
  vmovups(ptr[rsp + turned_], vec(s.in[1]));
  mov(r9d, s.op == Op::angle_rest ? 0 : s.op == Op::angle_low ? 1 : 2);
  call(large_angles_);
  vmovups(vec(s.out), ptr[rsp + turned_]);
  jmp(end, T_NEAR);
  L(small);
  if (s.out.number != s.in[1].number) vmovaps(vec(s.out), vec(s.in[1]));
  L(end);
}

}  // namespace cotan::loops::jit
#endif
