// Steps as instructions of the processor.
//
// rdi, rsi, rdx, rcx hold the arguments of the code (generator.h), rax the column, r8 the table of constants, seven registers the addresses of the operands
// that are read or written column by column, r9 and r10 nothing for long. Of the vector registers the last is free for the emitter, k1 masks the end of a row.
#pragma once

#include <xbyak/xbyak.h>

#include <array>

#include "backends/loops/jit/plan.h"

namespace cotan::loops::jit {

class Emitter : public Xbyak::CodeGenerator {
 public:
  // The code goes to the buffer; Xbyak::Error is thrown if it is too small.
  Emitter(const Program& program, const Plan& plan, bool wide, std::size_t bytes, std::uint8_t* buffer);

  void emit();

 private:
  // ---- the frame of the code (emitter.cpp)
  void enter();
  void leave();
  void rows();
  void columns();
  void mask_rest();
  void next_row();
  void table();
  void large_angles();

  // ---- steps
  void steps(const std::vector<Step>& list);
  void compute(const Step& s);  // emitter_compute.cpp
  void compare(const Step& s);
  void combine_masks(const Step& s);
  void multiply_add(const Step& s);
  void choose(const Step& s);
  void large_angle(const Step& s);
  void load(const Step& s);  // emitter_memory.cpp
  void load_one(const Step& s, const Load& from);
  void load_column(const Step& s, const Load& from);
  void widened(const Step& s, DType dtype);
  void store(const Step& s);
  void add_up(const Step& s);
  void add_halves(const Xbyak::Xmm& value, const Xbyak::RegExp& to, Way way);
  void move_accumulators(bool to_memory);
  void store_narrow(const Step& s, const Xbyak::Address& to, DType dtype);
  void copy_rest(std::size_t element, bool to_memory, const Xbyak::RegExp& elements);
  void reload(const Step& s);
  void spill(const Step& s);

  // ---- operands
  [[nodiscard]] Xbyak::Xmm vec(int number) const { return wide_ ? Xbyak::Xmm(Xbyak::Zmm(number)) : Xbyak::Xmm(Xbyak::Ymm(number)); }
  [[nodiscard]] Xbyak::Xmm vec(const Place& p) const { return vec(p.number); }
  [[nodiscard]] Xbyak::Xmm scratch() const { return vec(scratch_number()); }
  [[nodiscard]] int scratch_number() const { return wide_ ? 31 : 15; }
  // A second one, of programs that add.
  [[nodiscard]] int second_number() const { return scratch_number() - 1; }
  [[nodiscard]] Xbyak::Address slot(int number) { return ptr[rsp + number * vector_bytes()]; }
  [[nodiscard]] int vector_bytes() const { return wide_ ? 64 : 32; }
  [[nodiscard]] int lanes() const { return vector_bytes() / 4; }
  // The address of operand k (a load, or a store behind the loads) at the row's first column, in a register.
  Xbyak::Reg64 base(int operand);
  // Calls f with the place as an operand of an instruction.
  template <class F>
  void with(const Place& p, F&& f) {
    if (p.kind == Place::Kind::slot) {
      f(slot(p.number));
    } else if (p.kind == Place::Kind::constant && wide_) {
      f(ptr_b[r8 + p.number * 4]);
    } else if (p.kind == Place::Kind::constant) {
      f(ptr[r8 + p.number * 32]);
    } else {
      f(vec(p));
    }
  }

  const Program& program_;
  const Plan& plan_;
  bool wide_;
  bool rest_ = false;          // masked
  std::array<int, 7> held_{};  // the operands whose addresses are in registers
  std::size_t held_count_ = 0;
  std::vector<int> moving_;  // operands whose address is another in the next row
  // Offsets in the frame, behind the slots.
  int lane_mask_ = 0, angle_ = 0, turned_ = 0, bytes_ = 0, count_ = 0, kept_rows_ = 0, stack_ = 0, saved_ = 0, frame_ = 0;
  Xbyak::Label table_, large_angles_;
};

}  // namespace cotan::loops::jit
