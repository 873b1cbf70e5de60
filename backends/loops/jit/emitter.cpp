#if defined(__x86_64__)
#include "backends/loops/jit/emitter.h"

#include "backends/loops/jit/recording.h"
#include "backends/loops/large_angle.h"

namespace cotan::loops::jit {
namespace {

constexpr int held_registers[] = {3, 5, 11, 12, 13, 14, 15};  // rbx, rbp, r11 to r15
constexpr int kept_for_caller[] = {3, 5, 12, 13, 14, 15};

// What the code calls where an angle is large: part 0, 1, 2 of the result is the rest, its low part, the quarters.
void turn(std::int64_t part, const float* angles, void* results, std::int64_t lanes) {
  for (std::int64_t i = 0; i < lanes; ++i) {
    if (angles[i] < small_angles) continue;
    const QuarterTurns turns = loops::large_angle(angles[i]);
    if (part == 0) static_cast<float*>(results)[i] = turns.rest;
    if (part == 1) static_cast<float*>(results)[i] = turns.low;
    if (part == 2) static_cast<std::int32_t*>(results)[i] = turns.quarters;
  }
}

}  // namespace

Emitter::Emitter(const Program& program, const Plan& plan, bool wide, std::size_t bytes, std::uint8_t* buffer)
    : Xbyak::CodeGenerator(bytes, buffer), program_(program), plan_(plan), wide_(wide) {
  int at = plan.slots * vector_bytes();
  auto take = [&](int size) {
    const int first = at;
    at += size;
    return first;
  };
  lane_mask_ = take(vector_bytes());
  angle_ = take(vector_bytes());
  turned_ = take(vector_bytes());
  bytes_ = take(32);
  count_ = take(8);
  kept_rows_ = take(8);
  stack_ = take(8);
  saved_ = take(8) + 8;
  if (plan.angles) take(wide ? 32 * 64 + 8 * 8 + 8 * 8 : 16 * 32 + 8 * 8);
  frame_ = (at + 8 + 63) / 64 * 64;

  std::vector<Level> levels(program.loads().size(), Level::call);  // of unread loads too
  for (int v = 0; v < program.size(); ++v)
    if (program[v].op == Op::load || program[v].op == Op::load_mask) levels[program[v].number] = program[v].level;
  levels.resize(levels.size() + program.stores().size(), Level::column);
  for (int k = 0; k < static_cast<int>(levels.size()); ++k) {
    if (levels[static_cast<std::size_t>(k)] == Level::column && held_count_ < held_.size()) held_[held_count_++] = k;
    if (levels[static_cast<std::size_t>(k)] != Level::call) moving_.push_back(k);
  }
}

void Emitter::emit() {
  enter();
  steps(plan_.call);
  rows();
  leave();
  if (plan_.angles) large_angles();
  table();
}

void Emitter::enter() {
  for (int r : kept_for_caller) push(Xbyak::Reg64(r));
  mov(rax, rsp);
  sub(rsp, frame_);
  and_(rsp, -64);
  mov(ptr[rsp + stack_], rax);
  lea(r8, ptr[rip + table_]);
  for (std::size_t k = 0; k < held_count_; ++k) mov(Xbyak::Reg64(held_registers[k]), ptr[rdi + held_[k] * 8]);
}

void Emitter::leave() {
  mov(rsp, ptr[rsp + stack_]);
  for (std::size_t k = std::size(kept_for_caller); k-- > 0;) pop(Xbyak::Reg64(kept_for_caller[k]));
  vzeroupper();
  ret();
}

Xbyak::Reg64 Emitter::base(int operand) {
  for (std::size_t k = 0; k < held_count_; ++k)
    if (held_[k] == operand) return Xbyak::Reg64(held_registers[k]);
  mov(r9, ptr[rdi + operand * 8]);
  return r9;
}

void Emitter::rows() {
  Xbyak::Label row;
  L(row);
  steps(plan_.row);
  columns();
  next_row();
  dec(rdx);
  jnz(row, T_NEAR);
}

void Emitter::columns() {
  Xbyak::Label whole, rest, masked, end;
  const int step = plan_.copies * lanes();
  xor_(eax, eax);
  cmp(rcx, step);
  jb(rest, T_NEAR);
  move_accumulators(false);
  align(32);
  L(whole);
  steps(plan_.main);
  add(rax, step);
  lea(r9, ptr[rax + step]);
  cmp(r9, rcx);
  jbe(whole, T_NEAR);
  move_accumulators(true);
  L(rest);
  cmp(rax, rcx);
  jae(end, T_NEAR);
  L(masked);
  mask_rest();
  rest_ = true;
  steps(plan_.rest);
  rest_ = false;
  add(rax, lanes());
  cmp(rax, rcx);
  jb(masked, T_NEAR);
  L(end);
}

// Masks the lanes of columns that are left, all of them if enough are.
void Emitter::mask_rest() {
  mov(r9, rcx);
  sub(r9, rax);  // less than two vectors
  if (wide_) {
    mov(r10d, -1);
    bzhi(r10d, r10d, r9d);
    kmovw(k1, r10d);
    return;
  }
  mov(r10d, lanes());
  cmp(r9, r10);
  cmova(r9, r10);
  mov(ptr[rsp + count_], r9);
  // In front of the constants are as many words of ones as a vector has lanes, then as many zeros.
  neg(r9);
  vmovups(scratch(), ptr[r8 + r9 * 4 - 32]);
  vmovups(ptr[rsp + lane_mask_], scratch());
}

void Emitter::next_row() {
  for (int k : moving_) {
    bool held = false;
    for (std::size_t h = 0; h < held_count_; ++h) {
      if (held_[h] != k) continue;
      add(Xbyak::Reg64(held_registers[h]), ptr[rsi + k * 8]);
      held = true;
    }
    if (held) continue;
    mov(r9, ptr[rsi + k * 8]);
    add(ptr[rdi + k * 8], r9);
  }
}

void Emitter::table() {
  align(64);
  // What adding changes nothing of: -0.
  for (int i = 0; i < lanes() && program_.adds(); ++i) dd(0x80000000U);
  if (!wide_) {
    for (int i = 0; i < 8; ++i) dd(0xFFFFFFFFU);
    for (int i = 0; i < 8; ++i) dd(0);
  }
  L(table_);
  for (std::uint32_t constant : plan_.constants)
    for (int i = 0; i < (wide_ ? 1 : 8); ++i) dd(constant);
}

// Calls turn() with the part in r9 and the frame's angles and results, and leaves every register as it was.
void Emitter::large_angles() {
  constexpr int pushed = 16;                             // the return address and what aligns the stack
  constexpr int general[] = {0, 1, 2, 6, 7, 8, 10, 11};  // rax, rcx, rdx, rsi, rdi, r8, r10, r11
  const int vectors = wide_ ? 32 : 16;
  auto each = [&](auto&& f) {
    int at = saved_ + pushed;
    for (int r : general) {
      f(Xbyak::Reg64(r), ptr[rsp + at]);
      at += 8;
    }
    if (wide_) {
      for (int k = 1; k < 8; ++k) {
        f(Xbyak::Opmask(k), ptr[rsp + at]);
        at += 8;
      }
      at += 8;
    }
    for (int v = 0; v < vectors; ++v) {
      f(vec(v), ptr[rsp + at]);
      at += vector_bytes();
    }
  };
  struct Save {
    Emitter& e;
    void operator()(const Xbyak::Reg64& r, const Xbyak::Address& at) const { e.mov(at, r); }
    void operator()(const Xbyak::Opmask& k, const Xbyak::Address& at) const { e.kmovw(at, k); }
    void operator()(const Xbyak::Xmm& v, const Xbyak::Address& at) const { e.vmovups(at, v); }
  };
  struct Restore {
    Emitter& e;
    void operator()(const Xbyak::Reg64& r, const Xbyak::Address& at) const { e.mov(r, at); }
    void operator()(const Xbyak::Opmask& k, const Xbyak::Address& at) const { e.kmovw(k, at); }
    void operator()(const Xbyak::Xmm& v, const Xbyak::Address& at) const { e.vmovups(v, at); }
  };
  L(large_angles_);
  sub(rsp, 8);
  each(Save{*this});
  mov(rdi, r9);
  lea(rsi, ptr[rsp + angle_ + pushed]);
  lea(rdx, ptr[rsp + turned_ + pushed]);
  mov(ecx, lanes());
  vzeroupper();
  mov(rax, reinterpret_cast<std::uint64_t>(&turn));
  call(rax);
  each(Restore{*this});
  add(rsp, 8);
  ret();
}

void Emitter::steps(const std::vector<Step>& list) {
  for (const Step& s : list) {
    switch (s.kind) {
      case Step::Kind::compute: compute(s); break;
      case Step::Kind::store: store(s); break;
      case Step::Kind::reload: reload(s); break;
      case Step::Kind::spill: spill(s); break;
    }
  }
}

}  // namespace cotan::loops::jit
#endif
