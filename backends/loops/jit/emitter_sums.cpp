#if defined(__x86_64__)
#include "backends/loops/jit/emitter.h"

namespace cotan::loops::jit {

// Adds a value to accumulators in float64. Where there are fewer accumulators than columns, their turn comes with the column's number, as in sum_runs.cpp.
void Emitter::add_up(const Step& s) {
  const Way way = program_.stores()[s.number].way;
  Xbyak::Xmm value = vec(s.in[0]);
  if (rest_) {
    // Columns beyond the row add -0. It lies in front of the constants, with AVX2 in front of the masks there.
    if (wide_) {
      vmovups(scratch(), ptr[r8 - 64]);
      vmovaps(scratch() | k1, value);
    } else {
      vmovups(scratch(), ptr[r8 - 96]);
      vmovups(vec(second_number()), ptr[rsp + lane_mask_]);
      vblendvps(scratch(), scratch(), value, vec(second_number()));
    }
    value = scratch();
  } else if (const int held = plan_.accumulators[s.number]; held >= 0) {
    const int first = held + 2 * s.copy;
    const Xbyak::Zmm second(second_number());
    vcvtps2pd(second, Xbyak::Ymm(value.getIdx()));
    vaddpd(Xbyak::Zmm(first), Xbyak::Zmm(first), second);
    vextractf64x4(Xbyak::Ymm(second_number()), Xbyak::Zmm(value.getIdx()), 1);
    vcvtps2pd(second, Xbyak::Ymm(second_number()));
    return vaddpd(Xbyak::Zmm(first + 1), Xbyak::Zmm(first + 1), second);
  }
  const Xbyak::RegExp first = base(static_cast<int>(program_.loads().size() + s.number));
  const int further = s.copy * lanes() * 8;
  if (way == Way::add_columns) return add_halves(value, first + rax * 8 + further, way);
  if (way == Way::add_few) return add_halves(value, first, way);
  mov(r10, rax);
  and_(r10, 31);
  add_halves(value, first + r10 * 8 + further, way);
}

// Half a vector of float32 is a vector of float64.
void Emitter::add_halves(const Xbyak::Xmm& value, const Xbyak::RegExp& to, Way way) {
  const int v = value.getIdx(), bytes = vector_bytes();
  const Xbyak::Xmm second = vec(second_number()), half = wide_ ? Xbyak::Xmm(Xbyak::Ymm(second_number())) : Xbyak::Xmm(second_number());
  vcvtps2pd(second, wide_ ? Xbyak::Xmm(Xbyak::Ymm(v)) : Xbyak::Xmm(v));
  vaddpd(second, second, ptr[to]);
  // Eight accumulators are one vector of AVX-512, to which both halves go.
  const bool again = wide_ && way == Way::add_few;
  if (again) {
    vextractf64x4(Xbyak::Ymm(scratch_number()), Xbyak::Zmm(v), 1);
    vcvtps2pd(scratch(), Xbyak::Ymm(scratch_number()));
    vaddpd(second, second, scratch());
    return vmovups(ptr[to], second);
  }
  vmovups(ptr[to], second);
  if (wide_)
    vextractf64x4(Xbyak::Ymm(second_number()), Xbyak::Zmm(v), 1);
  else
    vextractf128(Xbyak::Xmm(second_number()), Xbyak::Ymm(v), 1);
  vcvtps2pd(second, half);
  vaddpd(second, second, ptr[to + bytes]);
  vmovups(ptr[to + bytes], second);
}

// Between memory and the registers that hold accumulators.
void Emitter::move_accumulators(bool to_memory) {
  for (std::size_t s = 0; s < plan_.accumulators.size(); ++s) {
    if (plan_.accumulators[s] < 0) continue;
    const Xbyak::Reg64 first = base(static_cast<int>(program_.loads().size() + s));
    for (int k = 0; k < 4; ++k) {
      const Xbyak::Zmm held(plan_.accumulators[s] + k);
      if (to_memory)
        vmovups(ptr[first + k * 64], held);
      else
        vmovups(held, ptr[first + k * 64]);
    }
  }
}

}  // namespace cotan::loops::jit
#endif
