#if defined(__x86_64__)
#include "backends/loops/jit/emitter.h"

namespace cotan::loops::jit {
namespace {

// Bytes of an element in memory, as a factor of an address.
int element(DType dtype) { return static_cast<int>(size_of(dtype)); }

}  // namespace

void Emitter::reload(const Step& s) {
  const Place& from = s.in[0];
  if (s.out.kind == Place::Kind::mask) return kmovw(Xbyak::Opmask(s.out.number), slot(from.number));
  if (from.kind == Place::Kind::slot) return vmovups(vec(s.out), slot(from.number));
  if (wide_) return vbroadcastss(vec(s.out), ptr[r8 + from.number * 4]);
  vmovups(vec(s.out), ptr[r8 + from.number * 32]);
}

void Emitter::spill(const Step& s) {
  if (s.in[0].kind == Place::Kind::mask) return kmovw(slot(s.out.number), Xbyak::Opmask(s.in[0].number));
  vmovups(slot(s.out.number), vec(s.in[0]));
}

void Emitter::load(const Step& s) {
  const Load& from = program_.loads()[s.number];
  if (from.level == Level::column) return load_column(s, from);
  load_one(s, from);
}

// One element for all lanes.
void Emitter::load_one(const Step& s, const Load& from) {
  const Xbyak::Reg64 first = base(static_cast<int>(s.number));
  if (from.dtype == f32 || from.dtype == i32) return vbroadcastss(vec(s.out), ptr[first]);
  const bool mask = s.op == Op::load_mask && wide_;
  const Xbyak::Xmm out = mask ? scratch() : vec(s.out);
  if (from.dtype == bf16) {
    movzx(r10d, word[first]);
    shl(r10d, 16);
  } else {
    movzx(r10d, byte[first]);
  }
  vmovd(Xbyak::Xmm(scratch_number()), r10d);
  vpbroadcastd(out, Xbyak::Xmm(scratch_number()));
  if (from.dtype == boolean) widened(s, boolean);
}

void Emitter::load_column(const Step& s, const Load& from) {
  const int size = element(from.dtype);
  const Xbyak::RegExp elements = base(static_cast<int>(s.number)) + rax * size;
  const int further = s.copy * lanes() * size;
  if (size == 4) {
    if (!rest_) return vmovups(vec(s.out), ptr[elements + further]);
    if (wide_) return vmovups(vec(s.out) | k1 | T_z, ptr[elements]);
    vmovups(scratch(), ptr[rsp + lane_mask_]);
    return vmaskmovps(vec(s.out), scratch(), ptr[elements]);
  }
  const bool mask = s.op == Op::load_mask && wide_;
  const Xbyak::Xmm out = mask ? scratch() : vec(s.out);
  auto widen = [&](const Xbyak::Xmm& to, const Xbyak::Address& at) { size == 1 ? vpmovzxbd(to, at) : vpmovzxwd(to, at); };
  if (!rest_) {
    widen(out, ptr[elements + further]);
  } else if (wide_) {
    widen(out | k1 | T_z, ptr[elements]);
  } else {
    copy_rest(static_cast<std::size_t>(size), false, elements);
    widen(out, ptr[rsp + bytes_]);
  }
  widened(s, from.dtype);
}

// From integers of 32 bits to what the program computes with.
void Emitter::widened(const Step& s, DType dtype) {
  if (dtype == bf16) return vpslld(vec(s.out), vec(s.out), 16);
  if (s.op != Op::load_mask) return;
  if (wide_) return vptestmd(Xbyak::Opmask(s.out.number), scratch(), scratch());
  vpxor(scratch(), scratch(), scratch());
  vpcmpgtd(vec(s.out), vec(s.out), scratch());
}

void Emitter::store(const Step& s) {
  if (program_.stores()[s.number].way != Way::write) return add_up(s);
  const DType dtype = program_.stores()[s.number].dtype;
  const int size = element(dtype);
  const Xbyak::RegExp elements = base(static_cast<int>(program_.loads().size() + s.number)) + rax * size;
  if (size != 4) {
    if (!rest_ || wide_) return store_narrow(s, ptr[elements + s.copy * lanes() * size], dtype);
    store_narrow(s, ptr[rsp + bytes_], dtype);
    // The address may be in r9, which nothing above uses.
    return copy_rest(static_cast<std::size_t>(size), true, elements);
  }
  if (!rest_) return vmovups(ptr[elements + s.copy * lanes() * 4], vec(s.in[0]));
  if (wide_) return vmovups(ptr[elements] | k1, vec(s.in[0]));
  vmovups(scratch(), ptr[rsp + lane_mask_]);
  vmaskmovps(ptr[elements], scratch(), vec(s.in[0]));
}

void Emitter::store_narrow(const Step& s, const Xbyak::Address& to, DType dtype) {
  const Xbyak::Xmm all = scratch(), low(scratch_number());
  const Xbyak::Ymm half(scratch_number());
  if (wide_) {
    if (dtype == bf16) {
      vpsrld(all, vec(s.in[0]), 16);
      vpmovdw(half, Xbyak::Zmm(scratch_number()));
      return rest_ ? vmovdqu16(to | k1, half) : vmovdqu16(to, half);
    }
    if (dtype == boolean) {
      vpmovm2b(low, Xbyak::Opmask(s.in[0].number));
      vpabsb(low, low);
    } else {
      vpmovdb(low, Xbyak::Zmm(s.in[0].number));
    }
    return rest_ ? vmovdqu8(to | k1, low) : vmovdqu8(to, low);
  }
  // Both halves of the vector are packed alike; then the second is brought behind the first.
  const Xbyak::Ymm value(s.in[0].number);
  if (dtype == bf16) {
    vpsrld(half, value, 16);
    vpackusdw(half, half, half);
    vpermq(half, half, 0x08);
    return vmovdqu(to, low);
  }
  if (dtype == boolean) {
    vpackssdw(half, value, value);
    vpacksswb(half, half, half);
    vpabsb(half, half);
  } else {
    vpackusdw(half, value, value);
    vpackuswb(half, half, half);
  }
  vpermq(half, half, 0x08);
  vpshufd(low, low, 0x08);
  vmovq(to, low);
}

// Copies what is left of a row between memory and the frame, element by element: AVX2 masks words of 32 bits only.
void Emitter::copy_rest(std::size_t size, bool to_memory, const Xbyak::RegExp& elements) {
  Xbyak::Label next;
  const Xbyak::RegExp inside = rsp + rdx * static_cast<int>(size) + bytes_, outside = r9 + rdx * static_cast<int>(size);
  lea(r9, ptr[elements]);
  mov(ptr[rsp + kept_rows_], rdx);
  mov(rdx, ptr[rsp + count_]);
  L(next);
  dec(rdx);
  const Xbyak::RegExp &from = to_memory ? inside : outside, &to = to_memory ? outside : inside;
  if (size == 1) {
    movzx(r10d, byte[from]);
    mov(byte[to], r10b);
  } else {
    movzx(r10d, word[from]);
    mov(word[to], r10w);
  }
  test(rdx, rdx);
  jnz(next);
  mov(rdx, ptr[rsp + kept_rows_]);
}

}  // namespace cotan::loops::jit
#endif
